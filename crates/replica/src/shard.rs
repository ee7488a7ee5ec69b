//! One shard: an independent replica with its own entries, clock and log.
//!
//! After any call that takes `&mut self`, drain [`Shard::poll_transmit`] for the peers that the call's
//! [`Effects`] name.

mod admission;
mod adopt;
mod bootstrap;
mod compare;
mod counter;
mod coverage;
mod descent;
mod draft;
mod fencing;
mod link;
mod list;
mod range;
mod read;
mod receive;
mod reissue;
mod settle;
mod stability;
mod transfer;
mod transmit;
mod write;

use std::collections::BTreeMap;

pub use admission::TooFewMembers;
pub use adopt::{Adoption, Completion, Handover};
pub use coverage::{AckLevel, Coverage, Need, Survivor};
pub use list::{Cleared, Listed};
pub use read::{Read, Sought};
pub use transmit::Urgency;
pub use write::{MAX_BATCH, MAX_BATCH_BYTES, Rejected, WriteError, Written};

use crate::log::Log;
use crate::mutant::{Mutant, active};
use crate::store::Store;
use crate::{Change, HlcClock, Key, ReplicaId, Roster, Usage, VersionVector};
use adopt::Heritage;
use descent::Founders;
use link::PeerState;
use reissue::Former;
use settle::Settling;
use stability::Unpurged;
use transfer::Incoming;

/// Bounds of one shard.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Log slots of all origins together; at least one. At 4 bytes a slot, 16 shards of 16,384 take 1 MiB, and hold more
    /// than two seconds of 100,000 writes a second.
    pub max_slots: usize,
    /// What keys and values may take, but for values above 1 KiB, which are elsewhere: above this, nothing is written here
    /// that needs room. Peers' writes are taken up to a sixteenth more, among them their deletes. At most 14 GiB, the
    /// default: what one message brings must stay below 16, where positions in a shard's memory end.
    pub max_bytes: u64,
    /// Payload of a range or chunk, which may be passed by one entry: large enough that a frame's overhead is small,
    /// small enough that a heartbeat behind it is not late.
    pub batch_bytes: usize,
    /// Entries of one message of a range that cannot be cut, which may be passed by one entry: others go ahead of the range.
    /// With an entry of sixteen values of 4 MiB, and the keys of those that went ahead, it must fit into a frame.
    pub message_bytes: usize,
}

/// What a call made necessary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// For whom there may be something to transmit.
    pub wake: Wake,
    /// Some peer acknowledged more than before.
    pub acknowledged: bool,
    /// The shard has just got the state and takes operations now.
    pub bootstrapped: bool,
}

/// For whom there may be something to transmit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// Nobody.
    #[default]
    Nobody,
    /// The peer whose message was handled.
    Sender,
    /// Every linked peer.
    All,
}

/// A peer broke the protocol; its message had no effect and its link should be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A range that claims more, or other, than it carries.
    #[error("the range ({from}, {to}] of {origin} does not carry exactly what it claims")]
    TornRange {
        /// Whose writes.
        origin: ReplicaId,
        /// Above this counter.
        from: u64,
        /// Up to this one.
        to: u64,
    },
    /// A chunk with entries outside its interval or out of order.
    #[error("chunk {index} of transfer {transfer} has entries outside its interval")]
    TornChunk {
        /// Which transfer.
        transfer: u32,
        /// Which chunk.
        index: u32,
    },
    /// A message on a link that is not, or no longer, the one to this replica.
    #[error("the link to {0} has been replaced")]
    NotLinked(ReplicaId),
    /// A message of a replica that the member list has removed, or never named.
    #[error("{0} is no member")]
    NoMember(ReplicaId),
    /// The shard is as large as it may be and takes nothing before some of it is deleted. The peer is not to blame. Its link
    /// may go on for the sake of other shards, if no later part of what was refused is taken: it comes again on another link.
    #[error("shard {0} is full: delete keys, or use more shards")]
    Full(usize),
    /// A state that says to be made of more states than there can have been.
    #[error("the state of {0} has too many founders")]
    TooManyFounders(ReplicaId),
    /// A peer sent back writes of this very replica that it never made.
    #[error("a peer claims writes of this replica up to {claimed}, but it has made {made}")]
    FutureOfMine {
        /// What the peer claims.
        claimed: u64,
        /// What was made.
        made: u64,
    },
}

/// One connection to a peer. The shell gives each a new number, the same for all shards; what belongs to an earlier
/// one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(pub u64);

/// Where the shard is in its life.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It has no state and takes no operations; it fetches from a member that holds the state.
    Joining,
    /// It takes operations.
    Live,
    /// It takes neither local writes nor peers' data, and only sends what it has, if it ever had the state.
    Sealed { held_state: bool },
}

/// One shard of one replica.
#[derive(Debug)]
pub struct Shard {
    index: usize,
    limits: Limits,
    stage: Stage,
    roster: Roster,
    hlc: HlcClock,
    clock: VersionVector,
    store: Store,
    log: Log,
    founders: Founders,
    peers: BTreeMap<ReplicaId, PeerState>,
    incoming: Option<Incoming>,
    transfers: u32,
    unpurged: Unpurged,
    settling: BTreeMap<ReplicaId, Settling>,
    /// The highest fencing token that was ever seen.
    tokens: u64,
    /// The most acknowledgements that any write asked for, here or at a peer.
    level: u32,
    mismatches: u64,
    /// How often the peers were asked what they have of all that is here, since this replica leaves.
    asked: u64,
    former: Former,
    /// The last write that issued again what was held under a former id.
    reissued: u64,
    /// Counters to which somebody has added while too many retired replicas' contributions are in them.
    crowded: Vec<Key>,
    heritage: Heritage,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { max_slots: 16_384, max_bytes: 14 << 30, batch_bytes: 256 * 1024, message_bytes: 32 * 1024 * 1024 }
    }
}

// === impl Effects ===

impl Effects {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            wake: self.wake.max(other.wake),
            acknowledged: self.acknowledged || other.acknowledged,
            bootstrapped: self.bootstrapped || other.bootstrapped,
        }
    }

    const fn wake(wake: Wake) -> Self {
        Self { wake, acknowledged: false, bootstrapped: false }
    }
}

// === impl Shard ===

impl Shard {
    /// A shard without state. `index` is its place among the shards; it spreads bootstraps over the members.
    pub fn new(index: usize, roster: Roster, limits: Limits) -> Self {
        let asked = u64::from(roster.leaving());
        Self {
            index,
            limits,
            stage: Stage::Joining,
            hlc: HlcClock::default(),
            clock: VersionVector::new(),
            store: Store::new(roster.me()),
            roster,
            log: Log::new(limits.max_slots),
            founders: Founders::new(),
            peers: BTreeMap::new(),
            incoming: None,
            transfers: 0,
            unpurged: Unpurged::default(),
            settling: BTreeMap::new(),
            tokens: 0,
            level: 0,
            mismatches: 0,
            asked,
            former: Former::default(),
            reissued: 0,
            crowded: Vec::new(),
            heritage: Heritage::default(),
        }
    }

    /// The replica's id.
    pub const fn me(&self) -> ReplicaId {
        self.roster.me()
    }

    /// What the shard knows of the members.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Everything that this replica has seen.
    pub const fn clock(&self) -> &VersionVector {
        &self.clock
    }

    /// Whether the shard does not have the state: it waits for it, or was sealed before it came.
    pub const fn is_joining(&self) -> bool {
        matches!(self.stage, Stage::Joining | Stage::Sealed { held_state: false })
    }

    const fn is_sealed(&self) -> bool {
        matches!(self.stage, Stage::Sealed { .. })
    }

    /// Whether this replica leaves.
    pub const fn is_leaving(&self) -> bool {
        self.roster.leaving()
    }

    /// Takes neither local writes nor peers' data from now on.
    pub fn seal(&mut self) -> Effects {
        self.stage = Stage::Sealed { held_state: !self.is_joining() };
        self.incoming = None;
        if !active(Mutant::AnswerOutlivesSeal) {
            self.ask();
        }
        Effects::wake(Wake::All)
    }

    /// Asks the peers of a leaver once more what they have of all that is here: what they have said so far does not count
    /// any more. A giver may have handed off and ended, and its heir have crashed, while this process was frozen.
    pub fn ask_again(&mut self) -> Effects {
        if !self.roster.leaving() || active(Mutant::AnswerReused) {
            return Effects::default();
        }
        self.ask();
        Effects::wake(Wake::All)
    }

    /// Whether nothing is written here that needs room.
    fn is_full(&self) -> bool {
        self.store.bytes() > self.limits.max_bytes
    }

    /// Whether operations wait for what is to be issued again. If there is no room for it, they must go on: deletes make some.
    fn brings_back(&self) -> bool {
        self.inherited() > 0 && !self.is_full() && !active(Mutant::ReissueHoldsUpNothing)
    }

    /// Takes what is known of the other members; an older view than the last one changes nothing.
    pub fn set_roster(&mut self, roster: Roster) -> Effects {
        let was_leaving = self.roster.leaving();
        let kept = self.roster.kept();
        self.roster.absorb(&roster);
        // Who did not list them has dropped what was said of them meanwhile.
        if kept.iter().any(|id| self.roster.names(*id)) {
            self.announce_everything();
        }
        // A leaver says so, and what it holds, so that others can ask for it; they say what they have of it.
        if self.roster.leaving() && !was_leaving {
            self.ask();
        }
        for (id, peer) in &self.peers {
            self.roster.set_linked(*id, peer.link.is_some());
        }
        self.forget_retired();
        self.renew_rounds();
        self.renew_succession();
        self.settle_what_is_heard();
        self.forget_stable();
        self.seek_source();
        self.want_pulls();
        self.seek_descent();
        Effects::wake(Wake::All)
    }

    /// A new link to a peer is up; what was under way on an earlier one is void.
    pub fn link_up(&mut self, peer: ReplicaId, link: LinkId) -> Effects {
        let joining = self.is_joining();
        let state = self.peers.entry(peer).or_default();
        state.connect(link, !joining);
        self.roster.set_linked(peer, true);
        self.forget_transfer_from(peer);
        self.seek_source();
        self.seek_descent();
        Effects::wake(Wake::All)
    }

    /// A link to a peer is down; nothing happens if a newer one is up.
    pub fn link_down(&mut self, peer: ReplicaId, link: LinkId) -> Effects {
        if self.link_of(peer, link).is_none() {
            return Effects::default();
        }
        if let Some(state) = self.peers.get_mut(&peer) {
            state.link = None;
        }
        self.roster.set_linked(peer, false);
        self.forget_transfer_from(peer);
        self.seek_source();
        self.want_pulls();
        self.seek_descent();
        Effects::wake(Wake::All)
    }

    /// Tells all peers, in their next transmission, what was applied since they last heard.
    pub fn flush_acknowledgements(&mut self) -> Effects {
        let owing = self.peers.values_mut().filter_map(PeerState::hasten).count();
        if owing > 0 { Effects::wake(Wake::All) } else { Effects::default() }
    }

    /// Starts or stops noting what changes.
    pub fn watch(&mut self, watch: bool) {
        self.store.watch(watch);
    }

    /// What changed since this was last asked, in order. Whoever watches asks after every call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.store.take_changes()
    }

    /// How each map's usage changed since this was last asked.
    pub fn take_usage_changes(&mut self) -> BTreeMap<String, Usage> {
        self.store.take_usage_changes()
    }

    /// Log slots held.
    pub const fn log_slots(&self) -> usize {
        self.log.len()
    }

    /// Bytes of the records of all keys remembered: keys, values and what is kept beside them.
    pub fn stored_bytes(&self) -> u64 {
        self.store.live_bytes()
    }

    /// Keys remembered, tombstones included.
    pub fn remembered_keys(&self) -> usize {
        self.store.len()
    }

    /// A leaver says so to every peer, with its whole clock, in the next transmission.
    fn ask(&mut self) {
        self.asked += 1;
        self.peers.values_mut().for_each(PeerState::forget_answers);
        self.announce_everything();
    }

    /// Every peer hears the whole clock in the next transmission.
    fn announce_everything(&mut self) {
        for peer in self.peers.values_mut() {
            peer.announce_everything();
        }
    }

    /// Everything up to a counter of an origin has been seen.
    fn raise_clock(&mut self, origin: ReplicaId, counter: u64) {
        self.clock.raise(origin, counter);
        self.store.raise(origin, counter);
    }

    /// Ids that the list does not name any more cost nothing from now on.
    fn forget_retired(&mut self) {
        if self.roster.version().is_none() {
            return;
        }
        let Self { roster, peers, .. } = self;
        peers.retain(|id, peer| roster.lists(*id) || peer.link.is_some());
        for peer in peers.values_mut() {
            peer.acked.retain(|id| roster.lists(id));
            peer.counted.retain(|id| roster.lists(id));
        }
        if self.is_joining() {
            return;
        }
        let is_over = |id: &ReplicaId| !self.roster.lists(*id) && !active(Mutant::RetiredStayInClock);
        let retired: Vec<ReplicaId> = self.clock.iter().map(|(id, _)| id).filter(is_over).collect();
        for id in retired {
            self.clock.remove(id);
            self.log.remove(id);
        }
        let roster = &self.roster;
        self.store.retire(|id| roster.lists(id));
        self.release_cut_slots();
    }
}
