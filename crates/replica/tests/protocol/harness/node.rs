//! One agent process with one shard, as the shell around it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use baton_replica::{
    Effects, Limits, LinkId, MemberPhase, Membership, ProtocolError, ReplicaId, Roster, Shard, ShardMessage, Wake,
};

/// A process that is alive.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) shard: Shard,
    pub(crate) roster: Roster,
    pub(crate) phase: MemberPhase,
    pub(crate) sealed: bool,
    /// The newest list that it has taken.
    pub(crate) list: Rc<Membership>,
    /// The links that it believes to be up.
    pub(crate) links: BTreeMap<ReplicaId, LinkId>,
    /// For whom the shard said that there may be something to transmit. Nothing else is ever polled.
    pub(crate) woken: BTreeSet<ReplicaId>,
    /// How far its wall clock is off.
    pub(crate) skew: u64,
}

// === impl Node ===

impl Node {
    pub(crate) fn new(replica: ReplicaId, limits: Limits, list: Rc<Membership>, skew: u64) -> Self {
        let mut roster = Roster::new(replica);
        roster.take(&list);
        let shard = Shard::new(0, roster.clone(), limits);
        let (links, woken) = (BTreeMap::new(), BTreeSet::new());
        Self { shard, roster, phase: MemberPhase::Joining, sealed: false, list, links, woken, skew }
    }

    /// Takes a list if it is newer. Returns the peers whose links must be closed: they are Gone.
    pub(crate) fn take(&mut self, list: &Rc<Membership>) -> Vec<ReplicaId> {
        if list.version.number <= self.list.version.number {
            return Vec::new();
        }
        self.list = list.clone();
        self.roster.take(list);
        self.tell_roster();
        let gone = |peer: &&ReplicaId| self.roster.peer(**peer).is_some_and(|row| row.phase == MemberPhase::Gone);
        self.links.keys().filter(gone).copied().collect()
    }

    /// Whether the newest list says that this process is terminating.
    pub(crate) fn told_to_leave(&self) -> bool {
        let row = self.list.member(self.shard.me());
        row.is_some_and(|row| row.phase == MemberPhase::Leaving) && self.phase != MemberPhase::Leaving
    }

    pub(crate) fn hear(&mut self, peer: ReplicaId, phase: MemberPhase) {
        self.roster.heard(peer, phase);
        self.tell_roster();
    }

    pub(crate) fn leave(&mut self) {
        self.phase = MemberPhase::Leaving;
        self.roster.leave();
        self.tell_roster();
    }

    pub(crate) fn link_up(&mut self, peer: ReplicaId, link: LinkId) {
        self.links.insert(peer, link);
        self.roster.set_linked(peer, true);
        self.tell_roster();
        let effects = self.shard.link_up(peer, link);
        self.follow(None, effects);
    }

    pub(crate) fn link_down(&mut self, peer: ReplicaId) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.woken.remove(&peer);
        self.roster.set_linked(peer, false);
        let effects = self.shard.link_down(peer, link);
        self.follow(None, effects);
        self.tell_roster();
    }

    /// Gives the shard a message. Says whether the shard has just got the state.
    pub(crate) fn handle(
        &mut self,
        peer: ReplicaId,
        link: LinkId,
        message: ShardMessage,
        now: u64,
    ) -> Result<bool, ProtocolError> {
        let acknowledgements = self.acknowledgements();
        let effects = self.shard.handle(peer, link, message, now + self.skew)?;
        assert!(
            effects.acknowledged || self.acknowledgements() <= acknowledgements,
            "writers at {} would not be woken",
            self.shard.me()
        );
        self.follow(Some(peer), effects);
        Ok(effects.bootstrapped)
    }

    pub(crate) fn flush(&mut self) {
        let effects = self.shard.flush_acknowledgements();
        self.follow(None, effects);
    }

    /// Issues again what it held under a former id. Says whether it issued anything.
    pub(crate) fn reissue(&mut self, now: u64) -> bool {
        let effects = self.shard.reissue(now + self.skew, 2);
        self.follow(None, effects);
        effects != Effects::default()
    }

    pub(crate) fn wake_all(&mut self) {
        self.woken.extend(self.links.keys());
    }

    fn follow(&mut self, sender: Option<ReplicaId>, effects: Effects) {
        match (effects.wake, sender) {
            (Wake::Nobody, _) => {}
            (Wake::Sender, Some(peer)) => {
                self.woken.insert(peer);
            }
            (Wake::Sender | Wake::All, _) => self.wake_all(),
        }
    }

    fn tell_roster(&mut self) {
        let effects = self.shard.set_roster(self.roster.clone());
        self.follow(None, effects);
    }

    /// How many acknowledgements the writes of this process have, together.
    fn acknowledgements(&self) -> u64 {
        let replica = self.shard.me();
        let dots = (1..=self.shard.clock().get(replica)).map(|counter| baton_replica::Dot { replica, counter });
        dots.map(|dot| u64::from(self.shard.acknowledgements(dot))).sum()
    }
}
