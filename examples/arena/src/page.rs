//! The arena to look at: a page, and what it shows as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::live::Live;

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(250);
/// What a page waits before it connects again, by whatever pod its Service has for it then.
const RETRY: Duration = Duration::from_millis(300);

/// What pages are fed from.
#[derive(Clone)]
pub(crate) struct Feed {
    live: Arc<Live>,
    /// True when the server closes: then pages are sent to another.
    closing: watch::Receiver<bool>,
}

/// One page's.
struct Viewer {
    feed: Feed,
    changes: watch::Receiver<()>,
    fresh: bool,
}

pub(crate) async fn page() -> impl IntoResponse {
    Html(include_str!("page.html"))
}

// === impl Feed ===

impl Feed {
    pub(crate) fn new(live: Arc<Live>, closing: watch::Receiver<bool>) -> Self {
        Self { live, closing }
    }

    /// A frame at once, and one whenever something has changed.
    pub(crate) fn events(self) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let viewer = Viewer { changes: self.live.changes(), feed: self, fresh: true };
        let frames = stream::unfold(viewer, async |mut viewer| viewer.next().await.map(|event| (Ok(event), viewer)));
        Sse::new(frames).keep_alive(KeepAlive::default())
    }
}

// === impl Viewer ===

impl Viewer {
    async fn next(&mut self) -> Option<Event> {
        let Self { feed, changes, fresh } = self;
        let event = Event::default().retry(RETRY);
        if !std::mem::take(fresh) {
            let change = async {
                sleep(FRAME).await;
                changes.changed().await
            };
            tokio::select! {
                _ = feed.closing.wait_for(|closing| *closing) => return None,
                changed = change => changed.ok()?,
            }
        }
        changes.mark_unchanged();
        Some(event.data(feed.live.scene().frame().to_string()))
    }
}
