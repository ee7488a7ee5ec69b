//! One agent process: the shell around the pure core, as the real agent's engine and departure are.

mod departure;
mod estate;

use std::collections::BTreeMap;
use std::rc::Rc;

use baton_replica::{
    Budget, Dot, Effects, Entry, Key, Lifecycle, Limits, LinkId, MemberPhase, Membership, Outcome, Owner, Phase,
    ProtocolError, ReplicaId, Roster, Settings, Shard, ShardMessage, Shards, Token, Urgency, VersionVector, Wake,
};

use crate::invariant::condition::Shown;
use crate::invariant::subscription::Known;
use crate::oracle::Seen;
use crate::world::Event;

/// A process that is alive.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: ReplicaId,
    pub(crate) pod: u32,
    pub(crate) shards: Vec<Shard>,
    pub(crate) roster: Roster,
    pub(crate) list: Option<Rc<Membership>>,
    pub(crate) life: Lifecycle,
    /// What it tells others of its phase.
    pub(crate) phase: Phase,
    /// What the operator was told of it.
    pub(crate) reported: MemberPhase,
    pub(crate) links: BTreeMap<ReplicaId, Link>,
    /// Its clocks when its hook was called: what invariants hold that against.
    pub(crate) watermark: Option<Vec<VersionVector>>,
    /// How far its wall clock is ahead, or behind.
    pub(crate) skew: i64,
    pub(crate) born: u64,
    /// Since when it has the state and serves, if it ever did.
    pub(crate) active: Option<u64>,
    /// A flush of acknowledgements is due.
    pub(crate) heard: bool,
    /// The departure may have come further, or a writer may have been answered.
    pub(crate) stirred: bool,
    /// When the departure is looked at next.
    pub(crate) look_at: Option<u64>,
    pub(crate) waiting: Vec<Waiting>,
    /// Events that wait until it moves again.
    pub(crate) frozen: Option<Vec<Event>>,
    /// Of which replicas that are gone the operator was told that they are settled: for which set of ids.
    pub(crate) settled: BTreeMap<ReplicaId, u64>,
    /// It takes nothing more, from nobody.
    pub(crate) sealed: bool,
    /// A request of its app is under way when it is told to stop.
    pub(crate) writing: bool,
    /// It has just started without state, as the first of its group.
    pub(crate) founded: bool,
    /// Something was applied, so more may be settled.
    pub(crate) may_have_settled: bool,
    /// What it owned when it began to leave, and what its app has claimed since.
    pub(crate) estate: Option<BTreeMap<(usize, Key), Owner>>,
    /// What its app knows of each shard, by the changes that it was told, if it wants to hear of them.
    pub(crate) known: Vec<Known>,
    /// What it has adopted in this step: its app is to be told.
    pub(crate) adopted: Vec<(usize, Key, Token)>,
    /// It will look for keys to adopt.
    pub(crate) adopts: bool,
    /// When it began to leave, in events, if it has.
    pub(crate) left: Option<u64>,
    /// When it last asked its peers what they have, in events: none of them counts that has ended by then.
    pub(crate) asked: u64,
    /// It has just asked.
    pub(crate) asks: bool,
}

/// A link that is up, for this side.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) wire: usize,
    /// When it came up.
    pub(crate) since: u64,
    /// Shards to poll, by bit.
    pub(crate) marked: u32,
    pub(crate) told: Option<MemberPhase>,
}

/// A client that waits for acknowledgements.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) shard: usize,
    pub(crate) dot: Dot,
    pub(crate) operation: usize,
    pub(crate) wanted: u32,
    pub(crate) until: u64,
}

/// What a departure asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It goes on under a new id.
    BeginAgain,
    ReturnHook(Outcome),
    Exit(Outcome),
    /// A last request is done, and the seal put on.
    WriteAndSeal,
}

// === impl Agent ===

impl Agent {
    pub(crate) fn new(id: ReplicaId, pod: u32, shards: usize, limits: Limits, grace: u64, born: u64) -> Self {
        let roster = Roster::new(id);
        let budget = Budget {
            grace: std::time::Duration::from_millis(grace),
            handoff_timeout: Settings::default().handoff_timeout,
            stop_without_hook: std::time::Duration::from_secs(2),
        };
        Self {
            id,
            pod,
            shards: (0..shards).map(|index| Shard::new(index, roster.clone(), limits)).collect(),
            roster,
            list: None,
            life: Lifecycle::new(budget),
            phase: Phase::Joining,
            reported: MemberPhase::Joining,
            links: BTreeMap::new(),
            watermark: None,
            skew: 0,
            born,
            active: None,
            heard: false,
            stirred: true,
            look_at: None,
            waiting: Vec::new(),
            frozen: None,
            settled: BTreeMap::new(),
            sealed: false,
            writing: false,
            founded: false,
            may_have_settled: false,
            estate: None,
            known: Vec::new(),
            adopted: Vec::new(),
            adopts: false,
            left: None,
            asked: 0,
            asks: false,
        }
    }

    /// Its app wants to hear of what changes.
    pub(crate) fn watch(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.watch(true));
        self.known = vec![Known::new(); self.shards.len()];
    }

    pub(crate) fn holds_state(&self) -> bool {
        self.shards.hold_state()
    }

    pub(crate) fn member_phase(&self) -> MemberPhase {
        match self.phase {
            Phase::Joining => MemberPhase::Joining,
            Phase::Active => MemberPhase::Active,
            Phase::Draining | Phase::Tail | Phase::Sealed => MemberPhase::Leaving,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.list.as_ref().map(|list| list.settings.clone()).unwrap_or_default()
    }

    pub(crate) fn list_number(&self) -> u64 {
        self.list.as_ref().map_or(0, |list| list.version.number)
    }

    pub(crate) fn clocks(&self) -> Vec<VersionVector> {
        self.shards.clocks()
    }

    /// What a shard has seen, by its clock and the list.
    pub(crate) fn seen(&self, index: usize) -> Seen {
        let shard = &self.shards[index];
        let list = if shard.is_joining() { 0 } else { self.list_number() };
        Seen { shard: index, clock: shard.clock().clone(), list, founders: shard.founders().iter().copied().collect() }
    }

    /// The members as it knows them: the number of its list, and how far each is.
    pub(crate) fn members_known(&self) -> (u64, BTreeMap<ReplicaId, MemberPhase>) {
        let phase = |id| self.roster.peer(id).map_or(MemberPhase::Active, |peer| peer.phase);
        (self.list_number(), self.roster.listed().into_iter().map(|id| (id, phase(id))).collect())
    }

    /// A shard's entry of a key.
    pub(crate) fn entry(&self, index: usize, key: &Key) -> Option<Entry> {
        self.shards[index].entries().find(|(one, _)| one == key).map(|(_, entry)| entry)
    }

    /// What a shard shows of a key.
    pub(crate) fn shown(&self, index: usize, key: &Key, now: u64) -> Shown {
        let all = self.entry(index, key).unwrap_or_default();
        let alive = all.versions().iter().filter(|version| !version.has_expired(now)).cloned().collect();
        let entry = Entry::new(alive, all.context().clone());
        Shown { has_expired: entry.versions().len() < all.versions().len(), entry }
    }

    /// What the operator was not told yet of replicas that are gone: who is settled, for which set of ids.
    pub(crate) fn settlements(&mut self) -> Vec<(ReplicaId, u64)> {
        let gone: Vec<ReplicaId> = self.roster.gone().collect();
        self.settled.retain(|id, _| gone.contains(id));
        if gone.is_empty() || !std::mem::take(&mut self.may_have_settled) {
            return Vec::new();
        }
        let round = self.roster.round();
        let mut news = Vec::new();
        for id in gone {
            let settled = self.shards.iter().all(|shard| shard.settled(id).is_some());
            if settled && self.settled.insert(id, round) != Some(round) {
                news.push((id, round));
            }
        }
        news
    }

    /// Calls a shard and does what follows.
    pub(crate) fn with_shard(
        &mut self,
        index: usize,
        sender: Option<ReplicaId>,
        call: impl FnOnce(&mut Shard) -> Effects,
    ) -> Effects {
        let effects = call(&mut self.shards[index]);
        self.follow(index, sender, effects);
        effects
    }

    pub(crate) fn handle(
        &mut self,
        index: usize,
        peer: ReplicaId,
        link: LinkId,
        message: ShardMessage,
        now: u64,
    ) -> Result<Effects, ProtocolError> {
        let effects = self.shards[index].handle(peer, link, message, now)?;
        self.follow(index, Some(peer), effects);
        Ok(effects)
    }

    /// Changes what is known of the members, and tells every shard.
    pub(crate) fn update_roster(&mut self, change: impl FnOnce(&mut Roster)) {
        let before = self.roster.clone();
        change(&mut self.roster);
        if self.roster == before {
            return;
        }
        let listed = self.list.as_ref().and_then(|list| list.member(self.id));
        if self.life.leaving() || listed.is_some_and(|row| row.phase == MemberPhase::Leaving) {
            self.take_stock();
        }
        for index in 0..self.shards.len() {
            let roster = self.roster.clone();
            self.with_shard(index, None, |shard| shard.set_roster(roster));
        }
        self.stirred = true;
    }

    /// Takes a newer list; says whether it was one.
    pub(crate) fn take_list(&mut self, list: &Rc<Membership>) -> bool {
        if list.version.number <= self.list_number() {
            return false;
        }
        self.list = Some(list.clone());
        self.update_roster(|roster| roster.take(list));
        self.stirred = true;
        true
    }

    /// Takes over what its process held under a former id.
    pub(crate) fn inherit(&mut self, former: Self) {
        if let Some(list) = &former.list {
            self.take_list(list);
        }
        self.skew = former.skew;
        self.life = former.life;
        for (index, shard) in former.shards.into_iter().enumerate() {
            self.shards[index].inherit(shard);
        }
    }

    pub(crate) fn link_up(&mut self, peer: ReplicaId, wire: usize, phase: MemberPhase, now: u64) {
        let marked = (1 << self.shards.len()) - 1;
        self.links.insert(peer, Link { wire, since: now, marked, told: None });
        self.update_roster(|roster| {
            roster.heard(peer, phase);
            roster.set_linked(peer, true);
        });
        for index in 0..self.shards.len() {
            self.with_shard(index, None, |shard| shard.link_up(peer, link_id(wire)));
        }
    }

    /// What is to be sent on a link next: the most urgent of all shards, as in the agent.
    pub(crate) fn poll(&mut self, peer: ReplicaId) -> Option<(usize, ShardMessage)> {
        let link = self.links.get_mut(&peer)?;
        for least in [Urgency::Alone, Urgency::Held, Urgency::Backfill] {
            for (index, shard) in self.shards.iter_mut().enumerate().filter(|(index, _)| link.marked & 1 << index != 0)
            {
                if let Some(message) = shard.poll_urgent(peer, link_id(link.wire), least) {
                    return Some((index, message));
                }
            }
        }
        link.marked = 0;
        None
    }

    /// Also called for a link that a newer one has replaced, as the real one does.
    pub(crate) fn link_down(&mut self, peer: ReplicaId, wire: usize) {
        let current = self.links.get(&peer).is_some_and(|link| link.wire == wire);
        if current {
            self.links.remove(&peer);
        }
        for index in 0..self.shards.len() {
            self.with_shard(index, None, |shard| shard.link_down(peer, link_id(wire)));
        }
        if current {
            self.update_roster(|roster| roster.set_linked(peer, false));
        }
    }

    /// Whatever call it came with: an expiry, or a write that was refused.
    pub(crate) fn tell_what_is_said_again(&mut self) {
        for index in 0..self.shards.len() {
            if self.shards[index].take_said_again() {
                self.follow(index, None, Effects { wake: Wake::All, acknowledged: false, bootstrapped: false });
            }
        }
    }

    pub(crate) fn follow(&mut self, index: usize, sender: Option<ReplicaId>, effects: Effects) {
        match (effects.wake, sender) {
            (Wake::Nobody, _) => {}
            (Wake::Sender, Some(peer)) => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.marked |= 1 << index;
                }
            }
            (Wake::Sender | Wake::All, _) => self.links.values_mut().for_each(|link| link.marked |= 1 << index),
        }
        self.stirred |= effects.acknowledged || effects.bootstrapped;
        self.may_have_settled |= effects.wake == Wake::All || effects.acknowledged;
    }
}

/// The number of a connection as the link's id.
pub(crate) const fn link_id(wire: usize) -> LinkId {
    LinkId(wire as u64)
}
