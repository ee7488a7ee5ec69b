//! The way to the operator and back: news come late, lists are pushed to each agent at its own time.

use std::rc::Rc;

use baton_replica::{Member, MemberPhase, Membership, ReplicaId};

use super::{Event, World};
use crate::agent::Agent;
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
        self.look_at_pods();
        if !self.operator.take(&news) {
            return;
        }
        let number = self.operator.list().version.number;
        for id in std::mem::take(&mut self.operator.retired) {
            // A list that was out of date may have brought it back: all that its members had was everywhere already.
            if self.oracle.retired.contains_key(&id) {
                continue;
            }
            self.trace.say(self.now, || format!("{id} is retired by list {number}"));
            // There is an end to that: each process is retired once.
            self.quiet_at = self.events;
            let settlers = (0..self.profile.shards).map(|shard| self.settlers(shard)).collect();
            self.give_up(id);
            self.oracle.retire(id, Retired { since: number, settlers });
        }
        self.push_newest();
    }

    /// Who runs, and whether anybody who is heard of holds the state.
    pub(super) fn look_at_pods(&mut self) {
        let is_heard = |agent: &&Agent| !self.operator.silent.contains(&agent.id);
        self.operator.running = self.agents.keys().copied().collect();
        self.operator.state_exists = self.agents.values().filter(is_heard).any(Agent::holds_state);
    }

    /// The newest list is on its way to all whom it names, but for those who have ended.
    pub(super) fn push_newest(&mut self) {
        let removed = |row: &Member| row.phase == MemberPhase::Gone && self.agents.contains_key(&row.replica);
        let list = self.operator.list();
        let rows = list.members.iter().filter(|row| row.phase != MemberPhase::Gone || removed(row));
        for row in rows.collect::<Vec<_>>() {
            let after = if self.calm { 1 } else { self.rng.below(self.profile.push_delay + 1) };
            self.add(after, Event::Push { to: row.replica, list: None });
        }
    }

    /// What no member has anything of when a replica is retired is lost.
    fn give_up(&mut self, origin: ReplicaId) {
        let list = self.operator.list();
        let is_member = |id| list.member(id).is_some_and(|row| row.phase != MemberPhase::Gone);
        let members: Vec<&Agent> = self.agents.values().filter(|agent| is_member(agent.id)).collect();
        for operation in self.oracle.operations.iter_mut().filter(|operation| operation.dot.replica == origin) {
            let seen = |agent: &Agent| agent.shards[operation.shard].clock().covers(operation.dot);
            let entry = |agent: &Agent| agent.entry(operation.shard, &operation.key);
            let held = |agent: &Agent| seen(agent) || entry(agent).is_some_and(|entry| operation.is_held(&entry));
            operation.lost |= !members.iter().any(|agent| held(agent));
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
        self.take_list_on_link(to, &list)?;
        self.after(to)
    }

    /// A list arrives as bytes. One that is no newer than the receiver's is not looked at.
    pub(super) fn take_list_on_link(&mut self, to: ReplicaId, list: &Rc<Membership>) -> Result<(), Violation> {
        let is_news = |agent: &Agent| list.version.number > agent.list_number();
        if !self.agents.get(&to).is_some_and(is_news) {
            return Ok(());
        }
        let list = Rc::new(Invariant::Encoding.of(invariant::encoding::check_list(list))?);
        self.take_list(to, &list)
    }

    pub(super) fn take_list(&mut self, id: ReplicaId, list: &Rc<Membership>) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let versions = |agent: &Agent| agent.shards.iter().flat_map(invariant::bound::versions).collect::<Vec<_>>();
        let (before, clocks, former) = (versions(agent), agent.clocks(), agent.list.clone());
        if !agent.take_list(list) {
            return Ok(());
        }
        Invariant::Bound.of(invariant::bound::check_departure(&before, &versions(agent)))?;
        Invariant::Retirement.of(invariant::retirement::check(&self.oracle, &clocks, agent))?;
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
        self.go_over(id, former.as_ref(), list);
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
    pub(super) fn report_settled(&mut self, id: ReplicaId) -> Result<(), Violation> {
        if self.out_of_sight.contains(&id) {
            return Ok(());
        }
        let settlements = self.agents.get_mut(&id).map(Agent::settlements).unwrap_or_default();
        for (gone, round) in settlements {
            Invariant::Settlement.of(invariant::settlement::check(self, id, gone, round))?;
            self.tell_operator(News::Settled { by: id, gone, round });
        }
        Ok(())
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
