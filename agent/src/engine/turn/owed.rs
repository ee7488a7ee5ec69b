//! Writes that are made and not answered yet: what acknowledgements they are to have.
//!
//! A client that sends many writes at once gets its answers when all of them have theirs, and they are waited for
//! together. Who is told that something is there already waits for the write that made it so, whoever's it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use baton_replica::{Dot, ReplicaId};
use futures_util::future::select_all;

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

    /// What they take in bytes.
    pub(crate) const fn size(&self) -> usize {
        self.marks.len() * size_of::<Mark>()
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
        loop {
            let signal = |shard: &usize| Box::pin(self.shards[*shard].acknowledged.notified());
            let mut signals: Vec<_> = owed.last.keys().map(signal).collect();
            for signal in &mut signals {
                signal.as_mut().enable();
            }
            let count = self.members_with_all(owed);
            let done = count >= members || signals.is_empty();
            if done || tokio::time::timeout_at(until, select_all(signals)).await.is_err() {
                return count;
            }
        }
    }

    /// Those who have the last write in every shard: who has it has those before it.
    fn members_with_all(&self, owed: &Owed) -> u32 {
        let mut members: BTreeSet<ReplicaId> = self.roster.lock().survivors().collect();
        for (shard, dot) in &owed.last {
            let having: BTreeSet<ReplicaId> = self.inspect(*shard, |shard| shard.acknowledged_by(*dot).collect());
            members.retain(|member| having.contains(member));
        }
        members.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{Applied, Effects, Key, LinkId, Operation, ShardMessage, Value, VersionVector};
    use tokio::time::Instant;

    use super::*;
    use crate::engine::{DefaultLimits, Identity};

    const LIMITS: DefaultLimits = DefaultLimits { max_value_bytes: 64, max_bytes: 1 << 20, max_entries: 100 };

    /// A key of each of two shards.
    fn keys(engine: &Engine) -> [Key; 2] {
        let keys = (0..100).map(|number: u32| Key::of_parts(b"m", number.to_string().as_bytes()).expect("a key"));
        let of = |shard: usize| keys.clone().find(|key| engine.shard_of(key) == shard).expect("there is one");
        [of(0), of(1)]
    }

    /// A peer says that it has the first write of a shard.
    fn has(engine: &Engine, peer: u64, shard: usize) {
        let (peer, link) = (ReplicaId::new(peer).expect("not zero"), LinkId(peer));
        engine.with_shard(shard, None, |shard| shard.link_up(peer, link));
        let clock = VersionVector::from_iter([(engine.replica(), 1)]);
        let (answers_range, heard_leaving, leaving, founders) = (false, 0, 0, Vec::new());
        let applied = Applied { clock, full: true, answers_range, heard_leaving, leaving, founders };
        engine.handle(shard, peer, link, ShardMessage::Applied(applied)).expect("it is linked");
        engine.with_shard(shard, None, |_| Effects::default());
    }

    #[tokio::test]
    async fn a_member_counts_that_has_all_writes_and_not_one_that_has_some() {
        let identity = Identity { group: "default/test".into(), pod_name: "a".into(), pod_uid: String::new() };
        let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 2, LIMITS);
        engine.start_empty();
        engine.list_silent_members(2, true);
        let mut owed = Owed::default();
        for key in keys(&engine) {
            let value = Value { content_type: Box::default(), body: b"v"[..].into() };
            let put = Operation::Put { value, expires_at: None };
            engine.turn(&mut owed, [&key], |turn| turn.write(&key, put)).expect("it is live");
        }
        engine.settle_owed(&mut owed, &[], std::time::Instant::now());
        has(&engine, 8, 0);
        has(&engine, 9, 1);
        assert_eq!(engine.wait_for_members(&owed, 1, Instant::now()).await, 0, "each of them lacks one");
        has(&engine, 9, 0);
        assert_eq!(engine.wait_for_members(&owed, 1, Instant::now()).await, 1);
        let (both, ()) = tokio::join!(
            engine.wait_for_members(&owed, 2, Instant::now() + std::time::Duration::from_secs(60)),
            async { has(&engine, 8, 1) },
        );
        assert_eq!(both, 2, "it waits until the last one has all");
    }
}
