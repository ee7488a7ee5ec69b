//! One player: joins, moves step by step, and one day leaves; then another takes the place.
//!
//! A request is sent again until it is acknowledged. So what the record says is exactly what the servers have
//! promised, and a step that is missing afterwards was lost by them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::record::{Fate, Row};
use super::tally::Tally;
use crate::http::Http;

/// Longer than a server takes to give up on its store, so that an old request cannot land after its repetition.
const TIMEOUT: Duration = Duration::from_secs(25);
/// A connection carries so many requests: a Service spreads connections, and few keep to one pod for long.
const REQUESTS_PER_CONNECTION: u32 = 4;
/// The pause before a request is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// "Unknown player" for so long, from whichever server, is no lag any more.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// Before it leaves, a player idles until its last moves have reached every server.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How far from the middle players go.
const RIM: f64 = 95.0;
/// A request that is under way when the load finishes gets so long.
const LAST_TRY: Duration = Duration::from_secs(10);

/// What all players have in common.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// From one move to the next.
    pub(crate) pace: Duration,
    /// The chance to leave instead of moving.
    pub(crate) leave: f64,
    /// To stay with one server while it is there.
    pub(crate) sticky: bool,
    /// Tells this load's players from those of other loads.
    pub(crate) tag: u32,
}

/// One seat of the crowd.
pub(crate) struct Player {
    slot: usize,
    habits: Habits,
    targets: watch::Receiver<Vec<SocketAddr>>,
    tally: Arc<Tally>,
    finishing: watch::Receiver<bool>,
    /// The server that it speaks to, and how many requests the connection has carried.
    connection: Option<(SocketAddr, Http, u32)>,
    home: Option<SocketAddr>,
}

/// The way of one game: from the middle through all of the arena, which ends at [`RIM`].
#[derive(Clone, Copy)]
struct Path {
    east: f64,
    north: f64,
}

/// What became of a request in the end.
enum Outcome {
    Acknowledged,
    /// The servers know no such player, and stay with it.
    Forgotten,
    /// The load is over before an answer came.
    Unanswered,
}

// === impl Path ===

impl Path {
    fn random() -> Self {
        let pace = || rand::random_range(0.03..0.09) * if rand::random() { 1.0 } else { -1.0 };
        Self { east: pace(), north: pace() }
    }

    fn at(self, step: u64) -> (f64, f64) {
        let along = |pace: f64| RIM * (pace * step as f64).sin();
        (along(self.east), along(self.north))
    }
}

// === impl Player ===

impl Player {
    pub(crate) fn new(
        slot: usize,
        habits: Habits,
        targets: watch::Receiver<Vec<SocketAddr>>,
        tally: Arc<Tally>,
        finishing: watch::Receiver<bool>,
    ) -> Self {
        Self { slot, habits, targets, tally, finishing, connection: None, home: None }
    }

    /// Plays one game after the other until the load finishes.
    pub(crate) async fn play(mut self) {
        // Players do not all move at the same instant.
        let spread = rand::random_range(0.0..1.0);
        sleep(self.habits.pace.mul_f64(spread)).await;
        let mut games = 0u32;
        while !*self.finishing.borrow() {
            let id = format!("{:06x}-{}-{games}", self.habits.tag, self.slot);
            games += 1;
            if let Some(row) = self.game(id).await {
                self.tally.ended(row);
            }
        }
    }

    /// One game. A player who never heard that it has joined leaves no row.
    async fn game(&mut self, id: String) -> Option<Row> {
        let path = Path::random();
        if !matches!(self.ask(Method::POST, &format!("/players/{id}"), Bytes::new()).await, Outcome::Acknowledged) {
            return None;
        }
        let mut step = 0;
        loop {
            if !self.rest().await {
                return Some(Row { id, step, fate: Fate::Playing });
            }
            if rand::random_bool(self.habits.leave) {
                let fate = self.leave(&id, step).await;
                return Some(Row { id, step, fate });
            }
            match self.advance(&id, path, step + 1).await {
                Outcome::Acknowledged => step += 1,
                Outcome::Forgotten => {
                    return Some(Row { id, step, fate: Fate::Forgotten });
                }
                Outcome::Unanswered => {
                    return Some(Row { id, step, fate: Fate::Playing });
                }
            }
        }
    }

    /// Waits for the next turn; false when the load finishes.
    async fn rest(&mut self) -> bool {
        tokio::select! {
            _ = self.finishing.wait_for(|over| *over) => false,
            () = sleep(self.habits.pace) => true,
        }
    }

    async fn advance(&mut self, id: &str, path: Path, step: u64) -> Outcome {
        let (x, y) = path.at(step);
        let to = serde_json::json!({ "x": x, "y": y, "step": step });
        self.ask(Method::POST, &format!("/players/{id}/move"), to.to_string().into()).await
    }

    async fn leave(&mut self, id: &str, step: u64) -> Fate {
        sleep(LAST_LOOK).await;
        match self.ask(Method::DELETE, &format!("/players/{id}?step={step}"), Bytes::new()).await {
            Outcome::Acknowledged => Fate::Left,
            Outcome::Forgotten => Fate::Forgotten,
            Outcome::Unanswered => Fate::Leaving,
        }
    }

    /// Sends a request until it is acknowledged.
    async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> Outcome {
        let begun = Instant::now();
        let mut unknown_since = None;
        let mut unclear = false;
        loop {
            match self.send(method.clone(), path, body.clone()).await {
                Some(status) if status.is_success() => {
                    self.tally.acknowledged(begun.elapsed());
                    return Outcome::Acknowledged;
                }
                // A departure that was cut off may have happened: then nobody is there any more.
                Some(StatusCode::NOT_FOUND) if method == Method::DELETE && unclear => {
                    self.tally.acknowledged(begun.elapsed());
                    return Outcome::Acknowledged;
                }
                Some(StatusCode::NOT_FOUND) => {
                    let since = *unknown_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= FORGOTTEN {
                        return Outcome::Forgotten;
                    }
                }
                _ => {
                    unknown_since = None;
                    unclear = true;
                }
            }
            if *self.finishing.borrow() && begun.elapsed() >= LAST_TRY {
                return Outcome::Unanswered;
            }
            self.tally.retry();
            sleep(PAUSE.mul_f64(rand::random_range(0.5..1.5))).await;
        }
    }

    /// One attempt; `None` when no answer came.
    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Option<StatusCode> {
        let (address, http, used) = match self.connection.take() {
            Some(connection) if connection.2 < REQUESTS_PER_CONNECTION => connection,
            _ => (self.choose(), Http::new(TIMEOUT), 0),
        };
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        match http.send(method, &format!("http://{address}{path}"), &json, body).await {
            Ok(reply) => {
                // Another server may know better.
                if reply.status.is_success() {
                    self.connection = Some((address, http, used + 1));
                }
                Some(reply.status)
            }
            Err(error) => {
                tracing::debug!(%error, "No answer");
                self.home = None;
                None
            }
        }
    }

    /// A server for the next connection: any, or the one that it stays with while it is listed.
    fn choose(&mut self) -> SocketAddr {
        let targets = self.targets.borrow();
        if let Some(home) = self.home.filter(|home| self.habits.sticky && targets.contains(home)) {
            return home;
        }
        let chosen = targets[rand::random_range(0..targets.len())];
        self.home = Some(chosen);
        chosen
    }
}
