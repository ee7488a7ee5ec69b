//! What happens on connections.

use baton_replica::{Entry, MemberPhase, Range, ReplicaId, ShardMessage};

use super::{Event, World};
use crate::agent::{Agent, link_id};
use crate::invariant::{self, Invariant, Violation};
use crate::network::{Body, Envelope};

/// How long a side may go without noticing that a connection is broken.
const SILENCE: u64 = 5_000;

/// The pause after a refusal, doubled with each up to a bound, as in the agent.
const FIRST_BACKOFF: u64 = 25;
const MAX_BACKOFF: u64 = 2_000;

/// Ranges kept to be delivered again.
const KEPT: usize = 16;

// === impl World ===

impl World {
    /// Sends what a process has to say, as far as its links take it.
    pub(super) fn flow(&mut self, id: ReplicaId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let phase = agent.member_phase();
        let told = Some(phase);
        let busy = agent.links.iter().filter(|(_, link)| link.marked != 0 || link.told != told);
        let busy: Vec<(ReplicaId, usize)> = busy.map(|(peer, link)| (*peer, link.wire)).collect();
        for (peer, wire) in busy {
            self.flow_to(id, peer, wire, phase);
        }
    }

    fn flow_to(&mut self, id: ReplicaId, peer: ReplicaId, wire: usize, phase: MemberPhase) {
        loop {
            if !self.network.wires[wire].has_room(peer) {
                return;
            }
            let Some(agent) = self.agents.get_mut(&id) else { return };
            let Some(link) = agent.links.get_mut(&peer) else { return };
            let late = self.profile.phase_late && phase == MemberPhase::Leaving && !self.calm;
            let later = link.told.is_some() && (late || self.profile.phase_last && link.marked != 0);
            let body = if link.told == Some(phase) || later {
                if link.marked == 0 {
                    return;
                }
                let Some((index, message)) = agent.poll(peer) else { continue };
                Body::Shard(index, message)
            } else {
                link.told = Some(phase);
                Body::Phase(phase)
            };
            self.send(wire, id, peer, body);
        }
    }

    fn send(&mut self, wire: usize, from: ReplicaId, to: ReplicaId, body: Body) {
        if !self.network.wires[wire].open {
            return;
        }
        let list = self.agents.get(&from).and_then(|agent| agent.list.clone());
        let waits = self.profile.held && !self.calm && !self.network.wires[wire].flows;
        let at = self.now + if waits { 0 } else { self.transit(from, to) };
        let end = self.network.wires[wire].end(to);
        end.queue.push_back(Envelope { list, body });
        end.last = end.last.max(at);
        let at = end.last;
        if !waits {
            self.queue.add(at, Event::Deliver { wire, to });
        }
    }

    /// The next message arrives.
    pub(super) fn deliver(&mut self, wire: usize, to: ReplicaId) -> Result<(), Violation> {
        let from = self.network.wires[wire].other(to);
        if self.network.is_blocked(from, to) {
            return Ok(());
        }
        let Some(Envelope { list, body }) = self.network.wires[wire].end(to).queue.pop_front() else { return Ok(()) };
        if !self.agents.contains_key(&to) {
            return Ok(());
        }
        if let Some(list) = list {
            self.take_list_on_link(to, &list)?;
        }
        let current = self.agents.get(&to).and_then(|agent| agent.links.get(&from)).map(|link| link.wire);
        match body {
            // No connection begins that has ended here.
            Body::Hello(_) if self.network.wires[wire].end(to).noticed => {}
            Body::Hello(phase) => self.greeted(wire, from, to, phase, current)?,
            Body::Phase(phase) if current == Some(wire) => {
                Invariant::Encoding.of(invariant::encoding::check_phase(phase))?;
                self.trace.say(self.now, || format!("{to} hears that {from} is {phase:?}"));
                if let Some(agent) = self.agents.get_mut(&to) {
                    agent.update_roster(|roster| roster.heard(from, phase));
                }
            }
            Body::Phase(_) => {}
            Body::Shard(index, message) => {
                let limits = self.limits_of(from);
                let message = Invariant::Encoding.of(invariant::encoding::check_message(index, message, limits))?;
                self.hand_over(wire, from, to, index, message, current == Some(wire))?;
            }
        }
        self.after(to)?;
        // There is room again for the sender.
        self.flow(from);
        Ok(())
    }

    fn greeted(
        &mut self,
        wire: usize,
        from: ReplicaId,
        to: ReplicaId,
        phase: MemberPhase,
        current: Option<usize>,
    ) -> Result<(), Violation> {
        let Some(agent) = self.agents.get(&to) else { return Ok(()) };
        let listed = agent.roster.peer(from).is_some_and(|peer| peer.phase != MemberPhase::Gone);
        if !listed || current.is_some_and(|current| current > wire) {
            self.trace.say(self.now, || format!("{to} refuses {from}"));
            let dialer = self.network.wires[wire].dialer;
            let pair = (dialer, self.network.wires[wire].other(dialer));
            let tries = self.refused.entry(pair).or_default();
            *tries = (*tries + 1).min(10);
            self.cut(wire);
            return Ok(());
        }
        self.trace.say(self.now, || format!("{to} is linked to {from} by {wire}"));
        if self.network.wires[wire].dialer == from {
            let mine = agent.member_phase();
            self.send(wire, to, from, Body::Hello(mine));
        }
        self.refused.remove(&(to, from));
        if let Some(agent) = self.agents.get_mut(&to) {
            agent.link_up(from, wire, phase, self.now);
        }
        Ok(())
    }

    fn hand_over(
        &mut self,
        wire: usize,
        from: ReplicaId,
        to: ReplicaId,
        index: usize,
        message: ShardMessage,
        current: bool,
    ) -> Result<(), Violation> {
        let wall = self.wall(to);
        self.trace.say(self.now, || {
            format!("{to} gets {message:?} of shard {index} from {from}{}", if current { "" } else { ", too late" })
        });
        if self.profile.weights.replay > 0
            && let ShardMessage::Range(range) = &message
            && carries_all(range)
        {
            self.delivered.truncate(KEPT - 1);
            self.delivered.push_front((from, to, index, range.clone()));
        }
        if self.profile.weights.garbage > 0 {
            self.heard.truncate(KEPT - 1);
            self.heard.push_front((from, to, index, message.clone()));
        }
        if current && self.profile.weights.repeat > 0 {
            self.network.wires[wire].end(to).last_heard = Some((index, message.clone()));
        }
        Invariant::Passing.of(invariant::passing::check(&self.oracle, index, &message))?;
        let Some(agent) = self.agents.get_mut(&to) else { return Ok(()) };
        let before = agent.shards[index].clock().clone();
        let outcome = agent.handle(index, from, link_id(wire), message, wall);
        let clock = agent.shards[index].clock();
        if agent.sealed && !clock.iter().all(|(origin, counter)| before.get(origin) >= counter) {
            return Invariant::Handoff.of(Err(format!("{to} is sealed and takes more")));
        }
        if current && outcome.is_err() && *clock == before && self.network.wires[wire].repeated {
            self.cut(wire);
            return Ok(());
        }
        if current {
            Invariant::Input.of(outcome.map_err(|error| format!("{to} refuses what {from} said honestly: {error}")))?;
        } else if outcome.is_ok() && *clock != before {
            let text = format!("{to} took something of {from} from a connection that is no longer the one");
            return Invariant::Input.of(Err(text));
        }
        let sum = clock.iter().fold(0, |sum: u64, (_, counter)| sum.wrapping_mul(31).wrapping_add(counter));
        self.trace.mix(sum);
        if !std::mem::replace(&mut agent.heard, true) {
            let settle = self.profile.settle;
            self.add(settle, Event::Settle(to));
        }
        Ok(())
    }

    /// A range that was delivered before is delivered again.
    pub(super) fn replay(&mut self, at: u64, to: u64) -> Result<(), Violation> {
        if self.delivered.is_empty() {
            return Ok(());
        }
        let (from, first, index, range) = self.delivered[(at % self.delivered.len() as u64) as usize].clone();
        let ids: Vec<ReplicaId> = self.agents.keys().copied().collect();
        let chosen = ids.get((to % (ids.len() as u64 + 1)) as usize).copied().unwrap_or(first);
        let wire = |to: ReplicaId| {
            let wire = self.agents.get(&to)?.links.get(&from)?.wire;
            self.network.wires[wire].open.then_some((to, wire))
        };
        let Some((to, wire)) = wire(chosen).or_else(|| wire(first)) else { return Ok(()) };
        if self.agents.get(&to).is_some_and(|agent| agent.frozen.is_some()) {
            return Ok(());
        }
        self.hand_over(wire, from, to, index, ShardMessage::Range(range), true)?;
        self.after(to)
    }

    /// The last message that an end of a connection has heard arrives there once more. If it is refused, the connection
    /// ends.
    pub(super) fn repeat(&mut self, wire: usize, to: ReplicaId) -> Result<(), Violation> {
        let Some((index, message)) = self.network.wires[wire].end(to).last_heard.clone() else { return Ok(()) };
        let from = self.network.wires[wire].other(to);
        let wall = self.wall(to);
        let current =
            |agent: &&mut Agent| agent.frozen.is_none() && agent.links.get(&from).map(|link| link.wire) == Some(wire);
        let Some(agent) = self.agents.get_mut(&to).filter(current) else { return Ok(()) };
        self.trace.say(self.now, || format!("{to} gets {message:?} of shard {index} from {from} once more"));
        self.network.wires[wire].repeated = true;
        let before = invariant::input::state(&agent.shards[index]);
        if let Err(error) = agent.handle(index, from, link_id(wire), message, wall) {
            let untouched = invariant::input::state(&agent.shards[index]) == before;
            let text = || format!("{to} refuses what {from} says twice, and has changed: {error}");
            Invariant::Input.of(if untouched { Ok(()) } else { Err(text()) })?;
            self.cut(wire);
        }
        self.after(to)
    }

    /// A message that was delivered before arrives again, and broken; the receiver ends the connection.
    pub(super) fn broken(&mut self, at: u64, way: u64) -> Result<(), Violation> {
        if self.heard.is_empty() {
            return Ok(());
        }
        let (from, to, index, message) = self.heard[(at % self.heard.len() as u64) as usize].clone();
        let Some(agent) = self.agents.get_mut(&to).filter(|agent| agent.frozen.is_none()) else { return Ok(()) };
        let Some(wire) = agent.links.get(&from).map(|link| link.wire) else { return Ok(()) };
        let (sealed, shard) = (agent.sealed, &mut agent.shards[index]);
        let takes = !sealed && !shard.is_joining();
        Invariant::Input.of(invariant::input::check_broken(shard, from, link_id(wire), message, (way, takes)))?;
        self.cut(wire);
        self.after(to)
    }

    /// Dials, if there is somebody to dial and no connection.
    pub(super) fn dial(&mut self, from: ReplicaId, to: ReplicaId) {
        self.dialling.remove(&(from, to));
        let Some(agent) = self.agents.get(&from) else { return };
        let listed = agent.roster.peer(to).is_some_and(|peer| peer.phase != MemberPhase::Gone);
        let reachable =
            self.agents.contains_key(&to) && !self.network.is_blocked(from, to) && !self.network.is_blocked(to, from);
        if !listed || !reachable || agent.links.contains_key(&to) || self.network.between(from, to).is_some() {
            return;
        }
        let phase = agent.member_phase();
        let wire = self.network.connect(from, to);
        self.send(wire, from, to, Body::Hello(phase));
    }

    /// Every listed peer that is not linked is dialled soon.
    pub(super) fn plan_dials(&mut self, id: ReplicaId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let missing = agent.roster.members().map(|(peer, _)| peer).filter(|peer| !agent.links.contains_key(peer));
        for peer in missing.collect::<Vec<_>>() {
            if self.dialling.insert((id, peer)) {
                let tries = self.refused.get(&(id, peer)).copied().unwrap_or(0);
                let pause = if tries == 0 { 0 } else { (FIRST_BACKOFF << tries).min(MAX_BACKOFF) };
                let after = pause + self.transit(id, peer);
                self.add(after, Event::Dial { from: id, to: peer });
            }
        }
    }

    /// Breaks a connection. What is on its way is lost, or arrives before the receiver notices; sides notice at different
    /// times.
    pub(super) fn cut(&mut self, wire: usize) {
        if !self.network.cut(wire) {
            return;
        }
        for at in 0..2 {
            let replica = self.network.wires[wire].ends[at].replica;
            if self.rng.chance(500) {
                self.network.wires[wire].ends[at].queue.clear();
            }
            let left = self.network.wires[wire].ends[at].queue.len();
            for _ in 0..left {
                let late = self.rng.below(50);
                self.add(late, Event::Deliver { wire, to: replica });
            }
            let choices = if self.calm { [0, 1, 5, 20] } else { [0, 0, 20, SILENCE] };
            let late = self.rng.pick(&choices);
            self.add(late, Event::Notice { wire, at: replica });
        }
    }

    /// A side notices that its connection is broken.
    pub(super) fn notice(&mut self, wire: usize, at: ReplicaId) -> Result<(), Violation> {
        let peer = self.network.wires[wire].other(at);
        self.network.wires[wire].end(at).noticed = true;
        let Some(agent) = self.agents.get_mut(&at) else { return Ok(()) };
        self.trace.say(self.now, || format!("{at} notices that {wire} to {peer} is broken"));
        agent.link_down(peer, wire);
        self.plan_dials(at);
        self.after(at)
    }

    pub(super) fn silence(&mut self, wire: usize, to: ReplicaId) -> Result<(), Violation> {
        let from = self.network.wires[wire].other(to);
        if self.network.is_blocked(from, to) {
            self.cut(wire);
            return self.notice(wire, to);
        }
        Ok(())
    }

    /// Nothing arrives in one direction from now on.
    pub(super) fn block(&mut self, from: ReplicaId, to: ReplicaId, millis: u64) {
        if from == to || !self.network.blocked.insert((from, to)) {
            return;
        }
        if let Some(wire) = self.network.between(from, to) {
            self.add(SILENCE, Event::Silence { wire, to });
        }
        self.add(millis, Event::Heal(from, to));
    }

    pub(super) fn heal(&mut self, from: ReplicaId, to: ReplicaId) {
        if !self.network.blocked.remove(&(from, to)) {
            return;
        }
        if let Some(wire) = self.network.between(from, to) {
            self.release(wire);
        }
        self.plan_dials(from);
        self.plan_dials(to);
    }

    /// Lets everything through that waits on a connection, and what follows until the next action.
    pub(super) fn release(&mut self, wire: usize) {
        for at in 0..2 {
            let (to, waiting) = {
                let end = &self.network.wires[wire].ends[at];
                (end.replica, end.queue.len())
            };
            for _ in 0..waiting {
                self.add(0, Event::Deliver { wire, to });
            }
        }
    }

    /// Lets a pair exchange all it has to say.
    pub(super) fn exchange(&mut self, wire: usize) {
        self.network.wires[wire].flows = true;
        self.flowing.push(wire);
        self.release(wire);
    }

    pub(super) fn stop_flowing(&mut self) {
        for wire in self.flowing.drain(..) {
            self.network.wires[wire].flows = false;
        }
    }

    fn transit(&mut self, from: ReplicaId, to: ReplicaId) -> u64 {
        if self.calm {
            return 1;
        }
        let slow = self.slow.filter(|(id, _)| *id == from || *id == to).map_or(0, |(_, millis)| millis);
        let usual = slow + self.rng.below(self.profile.delay + 1);
        if self.rng.chance(self.profile.stalls) { usual * 10 + 10 } else { usual }
    }
}

/// Whether nothing of a range was sent ahead: what was is on its own connection alone, as is the range, and neither is
/// anything to anybody else.
fn carries_all(range: &Range) -> bool {
    range.items.iter().all(|item| item.entry != Entry::default())
}
