//! The arena while it goes on: hears the news, and moves on what this pod owns.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::game::{AVATARS, LEFT, PLAYERS};
use crate::scene::Scene;
use crate::store::{Done, News, Store};

const MAPS: &[&str] = &[PLAYERS, AVATARS, LEFT];
/// From one turn to the next.
const TURN: Duration = Duration::from_millis(500);
/// News that wait to be heard; the store waits, then.
const NEWS: usize = 256;

/// The scene, and a word to those who look at it when it changes.
#[derive(Default)]
pub(crate) struct Live {
    scene: Mutex<Scene>,
    changed: watch::Sender<()>,
}

// === impl Live ===

impl Live {
    pub(crate) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Goes on for as long as the process.
    pub(crate) async fn run(self: Arc<Self>, store: Arc<Store>) {
        let (tell, news) = mpsc::channel(NEWS);
        tokio::join!(store.follow(MAPS, tell), self.hear(news), self.play(&store));
    }

    async fn hear(&self, mut news: mpsc::Receiver<News>) {
        while let Some(news) = news.recv().await {
            self.apply(news);
            self.changed.send_replace(());
        }
    }

    fn apply(&self, news: News) {
        let adopted = match &news {
            News::Adopted(entry) if entry.map == AVATARS => Some(entry.key.clone()),
            _ => None,
        };
        let start = matches!(news, News::Everything(_));
        let mut scene = self.scene();
        scene.hear(news);
        let players = scene.held();
        drop(scene);
        match adopted {
            Some(player) => tracing::info!(player, players, "Goes on with a player of another pod"),
            None if start => tracing::debug!(players, "Goes on with what it owns"),
            None => {}
        }
    }

    async fn play(&self, store: &Store) {
        loop {
            sleep(TURN).await;
            let strokes = self.scene().turn();
            if strokes.is_empty() {
                continue;
            }
            match store.strike(&strokes).await {
                Ok(done) => {
                    let refused = strokes.iter().zip(done).filter(|(_, done)| *done == Done::NotMine);
                    refused.for_each(|(stroke, _)| self.scene().let_go(&stroke.key, &stroke.token));
                }
                Err(error) => tracing::debug!(%error, "A turn was lost"),
            }
        }
    }
}
