//! The rules: who may join, what a move is, who leads.
//!
//! A player has an entry in each of several maps. Where it wants to be is written by its own client only, in numbered steps;
//! what it has scored changes at another pace. In one entry, a move on one pod would undo a score that another has just seen.
//! Its avatar goes there. It lives on one pod, that of the server where the player has joined: that one alone moves it, until
//! the pod ends and another adopts it ([`crate::live`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::live::Live;
use crate::scene::Place;
use crate::store::{Only, Store, StoreError, Stored};

pub(crate) const PLAYERS: &str = "players";
pub(crate) const AVATARS: &str = "avatars";
/// Who has left, for a while: to those who look on, a player that is gone without a word is lost.
pub(crate) const LEFT: &str = "left";
const SCORES: &str = "scores";
/// Longer than those who look on may be cut off.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How often a read-modify-write that keeps losing against others is tried. One client writes a player: twice is rare.
const TRIES: usize = 8;

/// The game, over whatever keeps its players.
pub(crate) struct Game {
    store: Arc<Store>,
    live: Arc<Live>,
}

/// A player's name: 1 to 64 letters, digits, `-` and `_`.
pub(crate) struct PlayerId(String);

/// Where a player wants to be after its `step`-th move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) step: u64,
}

/// All that the game says about one player.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Player {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) position: Position,
    pub(crate) score: u64,
}

/// Why the game says no.
#[derive(Debug)]
pub(crate) enum GameError {
    /// Not 1 to 64 letters, digits, `-` and `_`.
    BadId,
    /// Nobody of that name has joined, or it has left.
    UnknownPlayer,
    /// The player has gone on from there. Nothing was written.
    OldStep { now: u64 },
    /// This server has not heard of the player's last step yet. Nothing was written.
    NotHereYet { now: u64 },
    /// The store did not take it.
    Store(StoreError),
}

// === impl Game ===

impl Game {
    pub(crate) fn new(store: Arc<Store>, live: Arc<Live>) -> Self {
        Self { store, live }
    }

    /// Adds a player at the origin; one who is there already stays where it is.
    pub(crate) async fn join(&self, id: &PlayerId) -> Result<Player, GameError> {
        match self.store.put(PLAYERS, &id.0, encode(&Position::default()), Only::IfAbsent).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let player = self.player(id).await?;
        self.appear(id, player.position).await?;
        Ok(player)
    }

    /// Gives a player who has none an avatar, which this pod moves from now on.
    async fn appear(&self, id: &PlayerId, at: Position) -> Result<(), GameError> {
        match self.store.claim(AVATARS, &id.0, at.place().encode()).await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a player. Any server may do it, also one that has not heard of the last move yet: the steps are the
    /// client's, and a move that was sent twice lands once.
    pub(crate) async fn advance(&self, id: &PlayerId, to: Position) -> Result<Position, GameError> {
        for _ in 0..TRIES {
            let (from, stored) = self.position(id).await?;
            if to.step < from.step {
                return Err(GameError::OldStep { now: from.step });
            }
            match self.store.put(PLAYERS, &id.0, encode(&to), Only::IfUnchanged(stored.version)).await {
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
                Ok(()) => {}
            }
            // A crash may have taken the avatar: nobody had to acknowledge it.
            if self.live.scene().lacks(&id.0) {
                self.appear(id, from).await?;
            }
            return Ok(to);
        }
        Err(contended())
    }

    /// Adds to a player's score. Two pods that add at the same instant keep one of the two: right for points that
    /// come from one client, wrong for a bank account.
    pub(crate) async fn score(&self, id: &PlayerId, add: u64) -> Result<u64, GameError> {
        self.position(id).await?;
        for _ in 0..TRIES {
            let (score, only) = match self.store.get(SCORES, &id.0).await? {
                Some(stored) => (decode::<u64>(&stored.value)?.saturating_add(add), Only::IfUnchanged(stored.version)),
                None => (add, Only::IfAbsent),
            };
            match self.store.put(SCORES, &id.0, encode(&score), only).await {
                Err(StoreError::Conflict) => continue,
                done => return done.map(|()| score).map_err(GameError::Store),
            }
        }
        Err(contended())
    }

    /// Removes a player. A delete takes away what this server has heard of and nothing else, so the client says how
    /// far it has come, and is sent away while that has not arrived. Its avatar is its owner's to remove.
    pub(crate) async fn leave(&self, id: &PlayerId, last: u64) -> Result<(), GameError> {
        let (now, _) = self.position(id).await?;
        if now.step < last {
            return Err(GameError::NotHereYet { now: now.step });
        }
        self.store.note(LEFT, &id.0, REMEMBERED).await?;
        self.store.delete(SCORES, &id.0).await?;
        self.store.delete(PLAYERS, &id.0).await?;
        Ok(())
    }

    pub(crate) async fn player(&self, id: &PlayerId) -> Result<Player, GameError> {
        let (position, _) = self.position(id).await?;
        let score = match self.store.get(SCORES, &id.0).await? {
            Some(stored) => decode(&stored.value)?,
            None => 0,
        };
        Ok(Player { id: id.0.clone(), position, score })
    }

    /// Everyone, by name.
    pub(crate) async fn players(&self) -> Result<Vec<Player>, GameError> {
        let mut scores: HashMap<String, Bytes> = self.store.list(SCORES).await?.into_iter().collect();
        let mut players = Vec::new();
        for (id, value) in self.store.list(PLAYERS).await? {
            let score = scores.remove(&id).map_or(Ok(0), |value| decode(&value))?;
            players.push(Player { id, position: decode(&value)?, score });
        }
        players.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(players)
    }

    /// The best first.
    pub(crate) async fn leaderboard(&self, limit: usize) -> Result<Vec<Player>, GameError> {
        let mut players = self.players().await?;
        players.sort_by_key(|player| std::cmp::Reverse(player.score));
        players.truncate(limit);
        Ok(players)
    }

    async fn position(&self, id: &PlayerId) -> Result<(Position, Stored), GameError> {
        let stored = self.store.get(PLAYERS, &id.0).await?.ok_or(GameError::UnknownPlayer)?;
        Ok((decode(&stored.value)?, stored))
    }
}

// === impl Position ===

impl Position {
    pub(crate) fn place(&self) -> Place {
        Place { x: self.x, y: self.y }
    }
}

// === impl PlayerId ===

impl std::str::FromStr for PlayerId {
    type Err = GameError;

    fn from_str(text: &str) -> Result<Self, GameError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if plain && (1..=64).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(GameError::BadId) }
    }
}

// === impl GameError ===

impl From<StoreError> for GameError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for GameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadId => f.write_str("a player's name is 1 to 64 letters, digits, '-' and '_'"),
            Self::UnknownPlayer => f.write_str("nobody of that name plays here: join first"),
            Self::OldStep { now } => write!(f, "the player is at step {now} already"),
            Self::NotHereYet { now } => write!(f, "this server knows the player's step {now} only: try again"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

fn contended() -> GameError {
    GameError::Store(StoreError::Unavailable("others keep writing this player".to_owned()))
}

fn encode(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, GameError> {
    serde_json::from_slice(value).map_err(|error| GameError::Store(StoreError::Refused(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game() -> (Game, PlayerId) {
        let id = "ann".parse().expect("a plain name");
        (Game::new(Arc::new(Store::open(None)), Arc::default()), id)
    }

    fn at(step: u64) -> Position {
        Position { x: 1.0, y: -1.0, step }
    }

    #[tokio::test]
    async fn a_player_that_joins_again_stays_where_it_is() {
        let (game, ann) = game();
        game.join(&ann).await.expect("joins");
        game.advance(&ann, at(7)).await.expect("moves");
        let player = game.join(&ann).await.expect("joins again");
        assert_eq!(player.position, at(7));
    }

    #[tokio::test]
    async fn a_step_lands_twice_but_an_older_one_never() {
        let (game, ann) = game();
        game.join(&ann).await.expect("joins");
        game.advance(&ann, at(2)).await.expect("moves");
        game.advance(&ann, at(2)).await.expect("moves, repeated");
        let older = game.advance(&ann, at(1)).await;
        assert!(matches!(older, Err(GameError::OldStep { now: 2 })));
    }

    #[tokio::test]
    async fn nobody_moves_or_scores_before_joining_or_after_leaving() {
        let (game, ann) = game();
        let early = game.advance(&ann, at(1)).await;
        assert!(matches!(early, Err(GameError::UnknownPlayer)));
        game.join(&ann).await.expect("joins");
        game.leave(&ann, 0).await.expect("leaves");
        let late = game.score(&ann, 1).await;
        assert!(matches!(late, Err(GameError::UnknownPlayer)));
        assert!(game.players().await.expect("lists").is_empty());
    }

    #[tokio::test]
    async fn a_player_leaves_only_where_its_last_step_has_arrived() {
        let (game, ann) = game();
        game.join(&ann).await.expect("joins");
        game.advance(&ann, at(2)).await.expect("moves");
        let early = game.leave(&ann, 3).await;
        assert!(matches!(early, Err(GameError::NotHereYet { now: 2 })));
    }

    #[tokio::test]
    async fn the_best_lead() {
        let (game, ann) = game();
        let bob = "bob".parse().expect("a plain name");
        for id in [&ann, &bob] {
            game.join(id).await.expect("joins");
        }
        game.score(&ann, 2).await.expect("scores");
        game.score(&bob, 2).await.expect("scores");
        game.score(&bob, 3).await.expect("scores");
        let leaders = game.leaderboard(1).await.expect("lists");
        assert_eq!(leaders.len(), 1);
        assert_eq!((leaders[0].id.as_str(), leaders[0].score), ("bob", 5));
    }

    #[test]
    fn a_name_that_could_bend_a_url_is_refused() {
        for name in ["", "a/b", "a b", "é", "a%2f", &"x".repeat(65)] {
            assert!(name.parse::<PlayerId>().is_err(), "{name}");
        }
    }
}
