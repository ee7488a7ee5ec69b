//! Apps and their clients: they write through the agent beside them, wait for acknowledgements, and try again elsewhere.

use baton_replica::{AckLevel, Condition, Dot, Effects, Entry, Key, ReplicaId, Shard, Value, Wake, WriteError};
use bytes::Bytes;

use super::{Event, World};
use crate::agent::Waiting;
use crate::invariant::{self, Invariant, Violation};
use crate::pod::App;
use crate::schedule::{Acks, If, Write, WriteKind};

/// How long a write waits for acknowledgements, as in the agent.
const ACK_TIMEOUT: u64 = 5_000;

// === impl World ===

impl World {
    /// An app whose number comes up writes.
    pub(super) fn write(&mut self, at: u64, write: Write) -> Result<(), Violation> {
        let running = self.pods.values().filter(|pod| pod.app == App::Running).filter_map(|pod| pod.agent);
        let ids: Vec<ReplicaId> = running.collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.write_at(ids[(at % ids.len() as u64) as usize], write)
    }

    /// A write as the agent makes it.
    pub(super) fn write_at(&mut self, id: ReplicaId, write: Write) -> Result<(), Violation> {
        let wall = self.wall(id);
        let key = self.keys[(write.key % self.keys.len() as u64) as usize].clone();
        let body = format!("{}:{}", self.oracle.operations.len(), "x".repeat(write.bytes as usize));
        let value = Value { content_type: "".into(), body: Bytes::from(body) };
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.frozen.is_none()) else { return Ok(()) };
        let index = (key.hash() % agent.shards.len() as u64) as usize;
        let Some(wanted) = wanted(agent.settings(), &agent.shards[index], write.acks) else { return Ok(()) };
        let before = agent.entry(index, &key).unwrap_or_default();
        let shard = &mut agent.shards[index];
        let condition = condition(shard, &key, write.condition, wall);
        let counter = shard.clock().get(id) + 1;
        let made = match write.kind {
            WriteKind::Put => shard.put(&key, value.clone(), &condition, wall).map(|written| Some(written.dot)),
            WriteKind::Delete => shard.delete(&key, &condition, wall).map(|written| written.map(|written| written.dot)),
        };
        let dot = Dot { replica: id, counter };
        match made {
            Ok(Some(made)) => {
                Invariant::Convergence.of(if made == dot { Ok(()) } else { Err(format!("{made} is not the next")) })?
            }
            Ok(None) => return Ok(()),
            Err(error) => return Invariant::Input.of(refused(&error, write.condition)),
        }
        if write.kind == WriteKind::Put {
            let read = shard.get(&key, wall).ok().flatten().map(|read| read.value);
            let same =
                if read.as_ref() == Some(&value) { Ok(()) } else { Err(format!("{id} reads {read:?} after {dot}")) };
            Invariant::Convergence.of(same)?;
        }
        let after = agent.entry(index, &key).unwrap_or_default();
        agent.follow(index, None, Effects { wake: Wake::All, acknowledged: false, bootstrapped: false });
        self.trace.say(self.now, || format!("{id} accepts {:?} of {key:?} as {dot}", write.kind));
        let number = self.record(index, dot, key, &before, &after)?;
        self.await_acknowledgements(id, index, dot, number, wanted);
        self.after(id)
    }

    /// Notes what a write has done to an entry.
    fn record(&mut self, shard: usize, dot: Dot, key: Key, before: &Entry, after: &Entry) -> Result<usize, Violation> {
        self.trace.mix(dot.replica.bits() ^ dot.counter);
        let made = after.versions().iter().find(|version| version.dot == dot).cloned();
        let (before, after) = (invariant::dots(before.versions()), invariant::dots(after.versions()));
        let observed: Vec<Dot> = before.into_iter().filter(|dot| !after.contains(dot)).collect();
        Invariant::Input.of(self.oracle.record(shard, dot, key, made, &observed))
    }

    fn await_acknowledgements(&mut self, id: ReplicaId, shard: usize, dot: Dot, operation: usize, wanted: u32) {
        let until = self.now + ACK_TIMEOUT;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.ack_level = agent.ack_level.max(wanted);
        if wanted > 0 {
            agent.waiting.push(Waiting { shard, dot, operation, wanted, until });
            agent.stirred = true;
            self.add(ACK_TIMEOUT, Event::AckTimeout(id));
        }
    }

    /// Clients whose writes have as many acknowledgements as they asked for are told so.
    pub(super) fn answer_clients(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| !agent.waiting.is_empty()) else { return Ok(()) };
        let mut answered = Vec::new();
        let shards = &agent.shards;
        agent.waiting.retain(|waiting| {
            let got = shards[waiting.shard].acknowledgements(waiting.dot);
            if got >= waiting.wanted {
                answered.push((waiting.operation, got));
            }
            got < waiting.wanted
        });
        for (number, got) in answered {
            self.oracle.operations[number].acks = got;
            let dot = self.oracle.operations[number].dot;
            self.trace.say(self.now, || format!("{id} says that {got} have {dot}"));
            Invariant::Acknowledgement.of(invariant::acknowledgement::check_answer(self, number))?;
        }
        Ok(())
    }

    /// Clients that have waited too long try again at another pod.
    pub(super) fn ack_timeout(&mut self, id: ReplicaId) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let before = agent.waiting.len();
        agent.waiting.retain(|waiting| waiting.until > now);
        let given_up = before - agent.waiting.len();
        if self.calm {
            return;
        }
        for _ in 0..given_up {
            let (at, key) = (self.rng.next(), self.rng.next());
            let write = Write { key, kind: WriteKind::Put, acks: Acks::Default, condition: If::Always, bytes: 1 };
            self.add(10, Event::Retry(at, write));
        }
    }
}

/// The condition as a client makes it, from what it has just read.
fn condition(shard: &Shard, key: &Key, wish: If, now: u64) -> Condition {
    let tag = || shard.get(key, now).ok().flatten().map(|read| read.tag);
    match wish {
        If::Always => Condition::Always,
        If::Absent => Condition::Absent,
        If::Present => Condition::Present,
        If::Unchanged => tag().map_or(Condition::Absent, Condition::Matches),
    }
}

/// Writes are refused for a reason only.
fn refused(error: &WriteError, wish: If) -> Result<(), String> {
    let reason = match error {
        WriteError::Condition { current } => match wish {
            If::Absent => current.is_some(),
            If::Present => current.is_none(),
            If::Always | If::Unchanged => false,
        },
        WriteError::Joining | WriteError::Sealed | WriteError::Refused(_) => true,
    };
    if reason { Ok(()) } else { Err(format!("a write with {wish:?} is refused: {error}")) }
}

/// How many acknowledgements a write waits for; `None` if it is refused. As in the agent.
fn wanted(settings: baton_replica::Settings, shard: &Shard, acks: Acks) -> Option<u32> {
    let level = match acks {
        Acks::Default => AckLevel::Count(settings.write_acks),
        Acks::Count(count) => AckLevel::Count(count),
        Acks::Majority => AckLevel::Majority,
        Acks::All => AckLevel::All,
    };
    let members = shard.members_that_count();
    let asked = level.count(members);
    if members == 0 && settings.accept_when_alone {
        return Some(0);
    }
    if asked > members || (members == 0 && !settings.accept_when_alone) {
        return None;
    }
    Some(if shard.is_leaving() { asked.max(1) } else { asked })
}
