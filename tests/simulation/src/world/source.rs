//! The way to the operator and back: news come late, lists are pushed to each agent at its own time.

use std::rc::Rc;

use baton_replica::{Entry, Key, Member, MemberPhase, Membership, ReplicaId};

use super::{Event, World};
use crate::agent::{Agent, Closed};
use crate::invariant::{self, Invariant, Violation};
use crate::operator::News;
use crate::oracle::{Founders, Retired};

// === impl World ===

impl World {
    /// Something will reach the operator.
    pub(super) fn tell_operator(&mut self, news: News) {
        let after = if self.calm { 1 } else { self.rng.below(self.profile.news_delay + 1) };
        // What happened to one pod is never seen in another order.
        self.last_news = self.last_news.max(self.now + after);
        let at = self.last_news;
        self.queue.add(at, Event::News(news));
    }

    pub(super) fn news(&mut self, news: News) {
        if let Some(missed) = &mut self.operator.away {
            missed.push(news);
            return;
        }
        self.trace.say(self.now, || format!("the operator hears {news:?}"));
        if matches!(news, News::Silence) {
            self.operator.silent = self.out_of_sight.clone();
        }
        let is_heard = |agent: &&Agent| !self.operator.silent.contains(&agent.id);
        self.operator.state_exists = self.agents.values().filter(is_heard).any(Agent::holds_state);
        if !self.operator.take(&news) {
            return;
        }
        let number = self.operator.list().version.number;
        for (id, settled) in std::mem::take(&mut self.operator.retired) {
            self.trace.say(self.now, || format!("{id} is retired by list {number}"));
            let settlers = (0..self.profile.shards).map(|shard| self.settlers(shard)).collect();
            self.oracle.retire(id, Retired { since: number, settlers }, &settled);
        }
        let removed = |row: &Member| row.phase == MemberPhase::Gone && self.agents.contains_key(&row.replica);
        let list = self.operator.list();
        let rows = list.members.iter().filter(|row| row.phase != MemberPhase::Gone || removed(row));
        for row in rows.collect::<Vec<_>>() {
            let after = if self.calm { 1 } else { self.rng.below(self.profile.push_delay + 1) };
            self.add(after, Event::Push { to: row.replica, list: None });
        }
    }

    /// The founders of the states of those who must settle whoever is gone.
    fn settlers(&self, shard: usize) -> Vec<Founders> {
        let list = self.operator.list();
        let members = list.members.iter().filter(|row| row.phase != MemberPhase::Gone).map(|row| row.replica);
        let founders = |id: ReplicaId| {
            let ended = || self.oracle.ended.iter().find(|ended| ended.id == id).map(|ended| &ended.seen[shard]);
            let seen = self.agents.get(&id).map(|agent| agent.seen(shard));
            seen.or_else(|| ended().cloned()).map(|seen| seen.founders)
        };
        members.filter_map(founders).filter(|founders| !founders.is_empty()).collect()
    }

    /// A list reaches an agent. While the operator is away, nothing does.
    pub(super) fn pushed(&mut self, to: ReplicaId, list: Option<Rc<Membership>>) -> Result<(), Violation> {
        if self.operator.away.is_some() || self.out_of_sight.contains(&to) {
            return Ok(());
        }
        let list = list.unwrap_or_else(|| self.operator.list());
        self.take_list(to, &list)?;
        self.after(to)
    }

    pub(super) fn take_list(&mut self, id: ReplicaId, list: &Rc<Membership>) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let versions = |agent: &Agent| agent.shards.iter().flat_map(invariant::bound::versions).collect::<Vec<_>>();
        let before = versions(agent);
        if !agent.take_list(list) {
            return Ok(());
        }
        Invariant::Bound.of(invariant::bound::check_departure(&before, &versions(agent)))?;
        self.trace.say(self.now, || format!("{id} takes list {}", list.version.number));
        let gone = |peer: &ReplicaId| agent.roster.peer(*peer).is_none_or(|row| row.phase == MemberPhase::Gone);
        let closed = agent.links.iter().filter(|(peer, _)| gone(peer)).map(|(peer, link)| (*peer, link.wire));
        let closed: Vec<(ReplicaId, usize)> = closed.collect();
        for (peer, wire) in &closed {
            agent.link_down(*peer, *wire);
        }
        for (peer, wire) in closed {
            self.network.cut(wire);
            self.add(1, Event::Notice { wire, at: peer });
        }
        self.plan_dials(id);
        Ok(())
    }

    /// An agent's phase has changed: the operator hears of it.
    pub(super) fn report_phase(&mut self, id: ReplicaId) {
        if self.out_of_sight.contains(&id) {
            return;
        }
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let phase = agent.member_phase();
        if agent.reported != phase {
            agent.reported = phase;
            self.trace.say(self.now, || format!("{id} is {phase:?}"));
            self.tell_operator(News::Phase(id, phase));
        }
    }

    /// The operator hears what an agent has settled.
    pub(super) fn report_settled(&mut self, id: ReplicaId) {
        if self.out_of_sight.contains(&id) {
            return;
        }
        let settlements = self.agents.get_mut(&id).map(Agent::settlements).unwrap_or_default();
        for (gone, round, settled) in settlements {
            self.tell_operator(News::Settled { by: id, gone, round, settled });
        }
    }

    /// The truth hears what an agent has closed.
    pub(super) fn note_closed(&mut self, id: ReplicaId) {
        let closed = self.agents.get_mut(&id).map(|agent| std::mem::take(&mut agent.closed)).unwrap_or_default();
        for Closed { shard, origin, from, through, before } in closed {
            self.trace.say(self.now, || format!("{id} closes ({from}, {through}] of {origin} in shard {shard}"));
            let Some(agent) = self.agents.get(&id) else { continue };
            // What other members have seen came with the same message, or they have closed it before. Who was removed is
            // not asked.
            let asked = |other: &&Agent| {
                let row = agent.list.as_ref().and_then(|list| list.member(other.id));
                other.id != id && row.is_none_or(|row| row.phase != MemberPhase::Gone)
            };
            let others = self.agents.values().filter(asked);
            let known = others.map(|other| other.shards[shard].clock().get(origin)).max().unwrap_or(0);
            let held: Vec<(Key, Entry)> = before.into_iter().chain(agent.shards[shard].entries()).collect();
            self.oracle.close(shard, origin, (from.max(known), through), &held);
            // What a removed process held in the gap is lost with its removal, though it lives on.
            let list = agent.list.clone();
            let absent = |holder: ReplicaId| list.as_ref().is_some_and(|list| list.member(holder).is_none());
            self.oracle.forget_gap(shard, origin, (from.max(known), through), absent);
        }
    }

    pub(super) fn operator_back(&mut self) {
        for news in self.operator.away.take().into_iter().flatten() {
            self.news(news);
        }
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            self.add(1, Event::Push { to: id, list: None });
        }
    }
}
