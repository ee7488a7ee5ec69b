//! Apps and their clients: they write through the agent beside them, wait for acknowledgements, and try again elsewhere.

use std::collections::BTreeMap;

use baton_replica::{
    AckLevel, Condition, Dot, Effects, Entry, Key, Operation, ReplicaId, Request, Settings, Shard, Tag, Version, Wake,
    WriteError,
};

use super::operation::{self, requests, shard_of};
use super::{Event, World};
use crate::agent::Waiting;
use crate::invariant::condition::Shown;
use crate::invariant::{self, Invariant, Violation};
use crate::oracle::{Kind, Seen};
use crate::pod::App;
use crate::schedule::{Acks, If, Write, WriteKind};

/// How long a write waits for acknowledgements, as in the agent.
const ACK_TIMEOUT: u64 = 5_000;

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// One by itself.
    Alone,
    Batch,
    /// The first is of a key, and the others of its fields: all are deleted by one call.
    Clear,
}

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
        self.make(id, write)?;
        self.after(id)
    }

    fn make(&mut self, id: ReplicaId, write: Write) -> Result<(), Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.frozen.is_none()) else { return Ok(()) };
        let requests = requests(&self.keys, agent.shards.len(), &write, self.oracle.operations.len(), wall);
        let index = shard_of(&requests[0].key, agent.shards.len());
        let settings = agent.settings();
        let level = level(&settings, write.acks);
        let admitted = agent.shards[index].admit(level, settings.accept_when_alone);
        Invariant::Admission.of(invariant::admission::check(agent, level, admitted))?;
        let Ok(wanted) = admitted else { return Ok(()) };
        let mut requests = requests;
        for request in &mut requests {
            request.condition = condition(&agent.shards[index], &mut self.tags, &request.key, write.condition, wall);
        }
        let way = match write.kind {
            WriteKind::Batch(_) | WriteKind::Mixed(_) => Way::Batch,
            WriteKind::Clear => {
                requests.extend(operation::fields(&agent.shards[index], &requests[0].key, wall));
                Way::Clear
            }
            _ => Way::Alone,
        };
        // If it is refused, then for a reason, which was looked at.
        if let Ok(Some((dot, number))) = self.perform(id, index, requests, way)? {
            self.await_acknowledgements(id, index, dot, number, wanted);
        }
        Ok(())
    }

    /// Does what is asked of one shard, and looks at what that has done. Returns the last write and its number, or why it
    /// was refused.
    pub(super) fn perform(
        &mut self,
        id: ReplicaId,
        index: usize,
        requests: Vec<Request>,
        way: Way,
    ) -> Result<Result<Option<(Dot, usize)>, WriteError>, Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(Ok(None)) };
        let seen = agent.seen(index);
        let before: Vec<Shown> = requests.iter().map(|request| agent.shown(index, &request.key, wall)).collect();
        let shard = &mut agent.shards[index];
        let counter = shard.clock().get(id);
        let Request { key, condition, operation } = &requests[0];
        let outcome = match way {
            Way::Alone => shard.write_one(key, condition, operation.clone(), wall).map(|done| vec![done]),
            Way::Batch => shard.write(requests.clone(), wall).map_err(|rejected| rejected.error),
            Way::Clear => shard.delete_with_fields(key, condition, wall).map(|cleared| {
                let existed = before.iter().map(|shown| !shown.entry.versions().is_empty()).collect();
                operation::cleared(&cleared, existed)
            }),
        };
        Invariant::Condition.of(invariant::condition::check(&requests, &before, outcome.as_ref().map(drop)))?;
        let done = match outcome {
            Ok(done) => done,
            Err(error) => return Ok(Err(error)),
        };
        if agent.shards[index].inherited() > 0 {
            // What its app has written before is there, or the app would be told otherwise.
            Invariant::Acknowledgement.of(invariant::acknowledgement::check_return(self, id))?;
        }
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(Ok(None)) };
        agent.follow(index, None, Effects { wake: Wake::All, acknowledged: false, bootstrapped: false });
        let dots: Vec<Dot> = done.iter().filter_map(|done| done.dot).collect();
        let made = agent.shards[index].clock().get(id);
        // What has expired was dropped first, and an owner said again.
        let counter = if agent.shards[index].take_said_again() { made - dots.len() as u64 } else { counter };
        let numbered = dots.iter().zip(counter + 1..).all(|(dot, counter)| *dot == Dot { replica: id, counter });
        let known = made == counter + dots.len() as u64;
        Invariant::Input.of(if numbered && known {
            Ok(())
        } else {
            Err(format!("{dots:?} do not follow {counter}"))
        })?;
        if let (Some(first), Some(last)) = (dots.first(), dots.last()) {
            self.oracle.batches.push((index, id, first.counter, last.counter));
        }
        let mut last = None;
        for ((request, Shown { entry: before, .. }), done) in requests.into_iter().zip(before).zip(done) {
            let after = self.agents.get(&id).and_then(|agent| agent.entry(index, &request.key)).unwrap_or_default();
            Invariant::Convergence.of(operation::check(&request.operation, &before, &done, &after))?;
            let Some(dot) = done.dot else { continue };
            self.trace.say(self.now, || format!("{id} accepts {:?} of {:?} as {dot}", request.operation, request.key));
            let kind = operation::kind(&request.operation);
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.note_own_write(index, &request.key, &before, &after);
            }
            let number = self.record((index, request.key), dot, kind, (&before, &after), &seen)?;
            if matches!(request.operation, Operation::Claim | Operation::Release) {
                Invariant::Ownership.of(invariant::ownership::check_token(self, index, &seen, dot, &after))?;
            }
            if kind == Kind::Own {
                self.oracle.note_owner(number, &after);
            }
            last = Some((dot, number));
        }
        Ok(Ok(last))
    }

    /// A request that was under way when the process was told to stop.
    pub(super) fn write_and_seal(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let (kind, acks, condition) = (WriteKind::Put, Acks::Count(0), If::Always);
        let key = self.rng.next();
        self.make(id, Write { key, kind, acks, condition, bytes: 1 })?;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.seal();
        }
        Ok(())
    }

    /// Notes what a write has done to an entry, and what its author had seen.
    pub(super) fn record(
        &mut self,
        (shard, key): (usize, Key),
        dot: Dot,
        kind: Kind,
        (before, after): (&Entry, &Entry),
        seen: &Seen,
    ) -> Result<usize, Violation> {
        self.trace.mix(dot.replica.bits() ^ dot.counter);
        let made = after.versions().iter().find(|version| version.dot == dot).cloned();
        let left = invariant::dots(after.versions());
        let observed = before.versions().iter().filter(|version| !left.contains(&version.dot));
        let observed: Vec<Version> = observed.cloned().collect();
        let number = Invariant::Counter.of(self.oracle.record(shard, dot, key, kind, made, &observed))?;
        self.oracle.note_author(number, seen.clone(), after);
        Ok(number)
    }

    fn await_acknowledgements(&mut self, id: ReplicaId, shard: usize, dot: Dot, operation: usize, wanted: u32) {
        let until = self.now + ACK_TIMEOUT;
        self.oracle.operations[operation].asked = wanted;
        let Some(agent) = self.agents.get_mut(&id) else { return };
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
            let holders = Invariant::Acknowledgement.of(invariant::acknowledgement::check_answer(self, number))?;
            self.oracle.operations[number].holders.extend(holders);
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

/// The condition as a client makes it, from what it has just read or from what one has read before.
fn condition(shard: &Shard, tags: &mut BTreeMap<Key, Tag>, key: &Key, wish: If, now: u64) -> Condition {
    let tag = || shard.get(key, now).ok().flatten().map(|read| read.tag);
    let mut read_before = || match tag() {
        Some(tag) => Some(tags.insert(key.clone(), tag.clone()).unwrap_or(tag)),
        None => tags.get(key).cloned(),
    };
    match wish {
        If::Always => Condition::Always,
        If::Absent => Condition::Absent,
        If::Present => Condition::Present,
        If::Unchanged => tag().map_or(Condition::Absent, Condition::Matches),
        If::ReadBefore => read_before().map_or(Condition::Absent, Condition::Matches),
        If::Unowned => Condition::Unowned,
    }
}

/// How many members must have it, as the client or its group says.
const fn level(settings: &Settings, acks: Acks) -> AckLevel {
    match acks {
        Acks::Default => settings.write_acks,
        Acks::Count(count) => AckLevel::Count(count),
        Acks::Majority => AckLevel::Majority,
        Acks::All => AckLevel::All,
    }
}
