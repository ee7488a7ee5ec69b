//! Who has acknowledged what: for single writes, and for the handoff of everything.

use crate::mutant::{Mutant, active};
use crate::shard::Shard;
use crate::shard::link::PeerState;
use crate::{Dot, Key, ReplicaId, Roster, Settings, Version, VersionVector};

/// How many other members must acknowledge a write. Only members that are Active and not leaving count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckLevel {
    /// So many.
    Count(u32),
    /// With this replica more than half.
    Majority,
    /// All of them.
    All,
}

/// How many survivors must cover everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What the group asks for; never reduced.
    pub acks: u32,
    /// The acknowledgements that writes ask for by default. What a write has asked for counts too, here or at any other
    /// member that this replica has heard of it from.
    pub level: u32,
}

/// A survivor and whether it covers everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Who.
    pub replica: ReplicaId,
    /// Whether it acknowledged all.
    pub covers: bool,
}

/// How far everything up to a clock is handed off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Whether all of it is, by the rules.
    pub covered: bool,
    /// All survivors.
    pub survivors: Vec<Survivor>,
}

// === impl AckLevel ===

impl AckLevel {
    /// The number of acknowledgements, given how many other members count.
    pub fn count(self, members: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Majority if active(Mutant::MajorityIsHalf) => members / 2,
            // Of n others and this replica, more than half: (n + 1) / 2 + 1 with this one.
            Self::Majority => members.div_ceil(2),
            Self::All if active(Mutant::AllButOne) => members.saturating_sub(1),
            Self::All => members,
        }
    }
}

// === impl Need ===

impl Need {
    /// What a group asks for: what is handed off must have as many holders as its writes ask for.
    pub fn of(settings: &Settings, roster: &Roster) -> Self {
        let members = roster.survivors().count() as u32;
        Self { acks: settings.handoff_acks, level: settings.write_acks.count(members) }
    }

    /// How many survivors must have a write beside one that is left of its first holders.
    fn beside(self, level: u32, survivors: usize) -> usize {
        let level = if active(Mutant::HandoffForgetsLevel) { 0 } else { self.level.max(level) as usize };
        let acks = if active(Mutant::HandoffForgetsAcks) { 1 } else { self.acks as usize };
        level.min(survivors).max(acks).max(1)
    }

    /// How many survivors must cover everything. A write that was acknowledged so many times has one holder more, and
    /// this replica may be one of them: a survivor takes its place, as far as they are linked. One that is not may never
    /// answer.
    fn count(self, level: u32, survivors: usize, linked: usize) -> usize {
        let holders = if self.level.max(level) == 0 { 0 } else { self.beside(level, linked) + 1 };
        self.beside(level, survivors).max(holders.min(linked))
    }
}

// === impl Shard ===

impl Shard {
    /// How many members whose acknowledgement counts have applied a write.
    pub fn acknowledgements(&self, dot: Dot) -> u32 {
        self.acknowledged_by(dot).count() as u32
    }

    /// The members whose acknowledgement counts that have applied a write. Who made it has it without saying so.
    ///
    /// A leaving replica counts what counts for its handoff only.
    pub fn acknowledged_by(&self, dot: Dot) -> impl Iterator<Item = ReplicaId> + '_ {
        let leaving = self.roster.leaving();
        let said = move |id: ReplicaId| {
            self.peers.get(&id).is_some_and(|peer| if leaving { &peer.counted } else { &peer.acked }.covers(dot))
        };
        let has = move |id: &ReplicaId| (*id == dot.replica || said(*id)) && !active(Mutant::NobodyAnswers);
        self.roster.survivors().filter(has)
    }

    /// The writes that made a key what it is and that fewer members than so many have: whoever is told that it is so waits
    /// for them, as those who made them do. What retired replicas wrote every member has, or it was issued again here.
    pub fn unacknowledged(&self, key: &Key, wanted: u32) -> Vec<Dot> {
        let Some(entry) = self.store.get(key) else { return Vec::new() };
        let again = Dot { replica: self.me(), counter: self.reissued };
        let known = |dot: Dot| if self.roster.lists(dot.replica) { dot } else { again };
        let mut dots: Vec<Dot> = entry.versions().iter().flat_map(Version::dots).map(known).collect();
        dots.retain(|dot| dot.counter > 0 && self.acknowledgements(*dot) < wanted);
        dots
    }

    /// How many other members count for acknowledgements.
    pub fn members_that_count(&self) -> u32 {
        let counts = |id: &ReplicaId| self.roster.linked(*id) || !active(Mutant::QuorumOfTheLinked);
        self.roster.survivors().filter(counts).count() as u32
    }

    /// Whether there is nothing to hand off: no write was seen, and nothing is left of those whose writers are retired.
    pub fn holds_nothing(&self) -> bool {
        self.inherited() == 0 && (self.is_joining() || (self.clock.is_empty() && self.store.is_empty()))
    }

    /// Whether survivors cover everything up to a clock: enough of them acknowledged all of it, knowing that this
    /// replica leaves and while they were not leaving themselves; and no origin vouches alone for its own writes while
    /// there is another survivor.
    pub fn coverage(&self, clock: &VersionVector, need: Need) -> Coverage {
        let own = VersionVector::from_iter([(self.me(), clock.get(self.me()))]);
        let clock = if active(Mutant::HandoffOfOwnWrites) { &own } else { clock };
        // A giver whose link is down may have crashed: its acknowledgement is void until it is heard of again.
        let acked = |id: ReplicaId, clock: &VersionVector| {
            let up = |link: bool| link || active(Mutant::UnlinkedGiverCounted);
            let counts = |peer: &PeerState| peer.vouches && peer.counted.covers_all(clock);
            self.peers.get(&id).is_some_and(|peer| up(peer.link.is_some()) && counts(peer))
        };
        // What retired replicas wrote is settled: every member has it, and there must be one.
        let mut clock = clock.clone();
        clock.retain(|id| self.roster.lists(id));
        // What was held under a former id was known before it was issued again.
        if self.reissued > 0 {
            clock.raise(self.me(), self.reissued);
        }
        let clock = &clock;
        let survivors: Vec<Survivor> =
            self.roster.survivors().map(|replica| Survivor { replica, covers: acked(replica, clock) }).collect();
        // What was not issued again is nobody's yet.
        let pending = self.inherited() > 0 && !active(Mutant::HandoffForgetsInherited);
        let nobody = survivors.is_empty() && active(Mutant::NobodyCovers);
        if pending || nobody || (clock.is_empty() && self.holds_nothing()) {
            return Coverage { covered: !pending, survivors };
        }
        let is_linked = |survivor: &&Survivor| self.roster.linked(survivor.replica);
        let count = need.count(self.level, survivors.len(), survivors.iter().filter(is_linked).count());
        let enough = survivors.iter().filter(|survivor| survivor.covers).count() >= count;
        let others = survivors.len().saturating_sub(1);
        let beside = need.beside(self.level, others);
        let vouched = |origin: ReplicaId| {
            let own = VersionVector::from_iter([(origin, clock.get(origin))]);
            let others_with = survivors.iter().filter(|survivor| survivor.replica != origin);
            others == 0 || others_with.filter(|survivor| acked(survivor.replica, &own)).count() >= beside.min(others)
        };
        let live_origins = survivors.iter().map(|survivor| survivor.replica).filter(|origin| clock.get(*origin) > 0);
        let covered = enough && (live_origins.into_iter().all(vouched) || active(Mutant::OriginCoversItself));
        Coverage { covered, survivors }
    }

    /// How many keys have a write up to now that the best survivor has not acknowledged. Looks at every key.
    pub fn keys_not_covered(&self) -> u64 {
        let unseen =
            |counted: &VersionVector| self.store.unseen(|dot| counted.covers(dot) || !self.roster.lists(dot.replica));
        let counted = self.roster.survivors().filter_map(|id| self.peers.get(&id)).map(|peer| &peer.counted);
        counted.map(unseen).min().unwrap_or_else(|| unseen(&VersionVector::new())) + self.inherited() as u64
    }
}
