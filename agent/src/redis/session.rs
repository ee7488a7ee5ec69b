//! What one connection is: what it has said of itself, and what has to be done for it between two commands.

use tokio::time::Instant;

use crate::channel::Subscriber;
use crate::redis::database::Database;
use crate::redis::transaction::{Transaction, Watched};

/// One connection.
pub(super) struct Session {
    /// Unique in this process.
    pub(super) id: u64,
    /// When it began.
    pub(super) since: Instant,
    pub(super) database: Database,
    /// As `CLIENT SETNAME` says.
    pub(super) name: Box<[u8]>,
    /// As `CLIENT SETINFO` says: the client's library, and its version.
    pub(super) library: [Box<[u8]>; 2],
    pub(super) answers: Answers,
    pub(super) then: Option<Then>,
    /// Between MULTI and EXEC.
    pub(super) transaction: Option<Transaction>,
    pub(super) watched: Watched,
    /// While there is a subscription.
    pub(super) subscriber: Option<Subscriber>,
}

/// Which commands are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    All,
    /// None, from the next on.
    None,
    /// All but the next.
    AllButNext,
}

/// What is to be done before the next command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Sends what is left, and closes the connection.
    Close,
    /// Answers how many members have what this connection wrote, when so many have, or at a time; or waits as long for a
    /// client that wants no answer.
    Wait { members: u32, until: Instant, answers: bool },
}

// === impl Session ===

impl Session {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            since: Instant::now(),
            database: Database::default(),
            name: Box::default(),
            library: Default::default(),
            answers: Answers::All,
            then: None,
            transaction: None,
            watched: Watched::default(),
            subscriber: None,
        }
    }

    /// What `RESET` leaves: a connection as it began.
    pub(super) fn reset(&mut self) {
        *self = Self { since: self.since, library: std::mem::take(&mut self.library), ..Self::new(self.id) };
    }
}
