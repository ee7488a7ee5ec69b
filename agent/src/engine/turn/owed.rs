//! Writes that are made and not answered yet: what acknowledgements they are to have.
//!
//! A client that sends many writes at once gets its answers when all of them have theirs, and they are waited for
//! together. Who is told that something is there already waits for the write that made it so, whoever's it was.

use std::collections::BTreeMap;
use std::time::Instant;

use baton_replica::{Dot, ReplicaId};

use crate::engine::{Engine, WriteFailure};

/// Writes of one pipeline: more than most have, and what is kept for the next.
const KEPT_MARKS: usize = 16;

/// The writes of one client.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    marks: Vec<Mark>,
    /// The last one in each shard, those that were answered included.
    last: BTreeMap<usize, Dot>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(super) shard: usize,
    pub(super) dot: Dot,
    /// How many acknowledgements it is to have.
    pub(super) wanted: u32,
    pub(super) by: By,
}

/// Whose write it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// The client's, by an operation.
    Client(&'static str),
    /// Somebody's, which the client is told of.
    Somebody,
}

// === impl Owed ===

impl Owed {
    pub(super) fn add(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Those that are not answered yet, in their order.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Whether any of them is to have acknowledgements.
    pub(crate) fn any_wanted(&self) -> bool {
        self.marks.iter().any(|mark| mark.wanted > 0)
    }

    /// For each shard and writer, the last write and the most that any is to have: whoever has acknowledged it has
    /// acknowledged those before it.
    fn wanted(&self) -> BTreeMap<(usize, ReplicaId), (u64, u32)> {
        let mut wanted = BTreeMap::new();
        for &Mark { shard, dot, wanted: count, .. } in self.marks.iter().filter(|mark| mark.wanted > 0) {
            let (last, most) = wanted.entry((shard, dot.replica)).or_insert((dot.counter, count));
            (*last, *most) = (dot.counter.max(*last), count.max(*most));
        }
        wanted
    }
}

// === impl Engine ===

impl Engine {
    /// Waits until the writes have what they are to have, or too long.
    pub(crate) async fn acknowledge(&self, owed: &Owed) {
        let deadline = Self::ack_deadline();
        for ((shard, replica), (counter, wanted)) in owed.wanted() {
            let dot = Dot { replica, counter };
            self.wait_for_acks_until(shard, dot, wanted, deadline).await;
        }
    }

    /// How a write that was waited for ended.
    pub(crate) fn check_acknowledged(&self, mark: &Mark) -> Result<(), WriteFailure> {
        let Mark { shard, dot, wanted, .. } = *mark;
        if wanted == 0 {
            return Ok(());
        }
        let got = self.inspect(shard, |shard| shard.acknowledgements(dot));
        if got >= wanted { Ok(()) } else { Err(WriteFailure::Unacknowledged { tag: None, asked: wanted, got }) }
    }

    /// The writes are answered. They are counted, and not owed any more.
    pub(crate) fn settle_owed(&self, owed: &mut Owed, failures: &[(usize, WriteFailure)], began: Instant) {
        let mut failures = failures.iter().peekable();
        for (at, mark) in owed.marks.iter().enumerate() {
            let failure = failures.next_if(|(failed, _)| *failed == at).map(|(_, failure)| failure);
            if let By::Client(operation) = mark.by {
                self.counts.wrote(operation, failure, began);
                owed.last.insert(mark.shard, mark.dot);
            }
        }
        owed.marks.clear();
        owed.marks.shrink_to(KEPT_MARKS);
    }

    /// How many members have acknowledged all that the client ever wrote. Waits until so many have, or to a time.
    pub(crate) async fn wait_for_members(&self, owed: &Owed, members: u32, until: tokio::time::Instant) -> u32 {
        let mut least = self.roster.lock().survivors().count() as u32;
        for (shard, dot) in &owed.last {
            least = least.min(self.wait_for_acks_until(*shard, *dot, members, until).await);
        }
        least
    }
}
