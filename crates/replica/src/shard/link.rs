//! What a shard keeps about one peer: what it acknowledged, and what is under way on the link to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::mutant::{Mutant, active};
use crate::shard::LinkId;
use crate::shard::descent::Founders;
use crate::shard::draft::Ahead;
use crate::shard::settle::Told;
use crate::shard::transfer::Outgoing;
use crate::{Digest, ReplicaId, VersionVector};

/// One peer.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    /// The most that it acknowledged, on any link: one process's clock only grows.
    pub(super) acked: VersionVector,
    /// Of that, what it acknowledged in answer to the last time that this replica said that it leaves, and while it was
    /// not leaving itself.
    pub(super) counted: VersionVector,
    /// Whether any acknowledgement was counted: of what retired replicas wrote, no clock says anything, but whoever has
    /// state has it.
    pub(super) vouches: bool,
    /// Of whose states its own is made, as it last said.
    pub(super) founders: Founders,
    /// Whether it has ever said what it holds; a replica without state says nothing.
    pub(super) holds_state: bool,
    /// The link, when one is up.
    pub(super) link: Option<Link>,
    /// What was sent on it ahead of ranges that are not sent yet: of this replica's own writes, and of those asked for.
    pub(super) ahead: BTreeMap<ReplicaId, Ahead>,
}

/// What is under way on one link. All of it is void when the link ends.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    /// The peer wants this replica's writes from what it acknowledged on.
    pub(super) subscribed: bool,
    /// What was sent and not answered yet.
    pub(super) in_flight: Option<Flight>,
    /// What the peer was told of this replica's clock.
    pub(super) told: VersionVector,
    pub(super) owed: Owed,
    /// The next acknowledgement says everything again.
    pub(super) owes_full: bool,
    /// The next acknowledgement answers a range.
    pub(super) answers_range: bool,
    /// How often the peer itself has said that it leaves. What others say of it does not count: whoever hears of a
    /// departure before the leaver does could acknowledge it, leave, and be counted on by one who leaves later.
    pub(super) said_leaving: u64,
    /// Origins whose writes the peer asked for, and from where.
    pub(super) asked: BTreeMap<ReplicaId, u64>,
    /// Origins whose writes this replica asked the peer for.
    pub(super) asking: BTreeSet<ReplicaId>,
    /// Origins to ask for, not sent yet.
    pub(super) to_ask: BTreeSet<ReplicaId>,
    /// Origins for which the peer must be told that the window starts too late.
    pub(super) behind: BTreeSet<ReplicaId>,
    /// A transfer that this replica serves.
    pub(super) outgoing: Option<Outgoing>,
    /// A transfer to ask for, not sent yet.
    pub(super) fetch: Option<u32>,
    /// The peer was asked for the state and has none.
    pub(super) has_no_state: bool,
    /// A chunk to confirm.
    pub(super) chunk_seen: Option<(u32, u32)>,
    /// What the peer was told of replicas that are gone.
    pub(super) told_of: BTreeMap<ReplicaId, Told>,
    /// The peer hears what the state sums up to.
    pub(super) owes_digest: bool,
    /// What the state summed up to when the peer's summed up to something else.
    pub(super) contradicts: Option<Digest>,
}

/// What was sent about this replica's own writes and waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// A range; any answer to it ends the wait.
    Range,
    /// That the window starts too late: the wait ends when the peer says its whole clock again, after a transfer.
    Behind,
}

/// How soon the peer must hear what was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owed {
    /// It knows.
    #[default]
    Nothing,
    /// With the next flush.
    Soon,
    /// With the next transmission.
    Now,
}

// === impl Link ===

impl Link {
    const fn new(id: LinkId) -> Self {
        Self {
            id,
            subscribed: false,
            in_flight: None,
            told: VersionVector::new(),
            owed: Owed::Nothing,
            owes_full: false,
            answers_range: false,
            said_leaving: 0,
            asked: BTreeMap::new(),
            asking: BTreeSet::new(),
            to_ask: BTreeSet::new(),
            behind: BTreeSet::new(),
            outgoing: None,
            fetch: None,
            has_no_state: false,
            chunk_seen: None,
            told_of: BTreeMap::new(),
            owes_digest: false,
            contradicts: None,
        }
    }
}

// === impl PeerState ===

impl PeerState {
    /// A link came up; `live` replicas subscribe at once, joining ones when they have the state.
    pub(super) fn connect(&mut self, id: LinkId, live: bool) {
        self.link = Some(Link::new(id));
        if !active(Mutant::AheadOutlivesLink) {
            self.ahead.clear();
        }
        if live {
            self.announce_everything();
        }
    }

    /// The next transmission says the whole clock.
    pub(super) fn announce_everything(&mut self) {
        if let Some(link) = &mut self.link {
            link.owed = Owed::Now;
            link.owes_full = true;
        }
    }

    /// The peer says that it leaves, so often by now: it waits for word of all that it holds.
    pub(super) fn hear_leaving(&mut self, times: u64) {
        if let Some(link) = self.link.as_mut().filter(|link| link.said_leaving < times) {
            link.said_leaving = times;
            self.announce_everything();
        }
    }

    /// Whether the peer waits for word of what is applied here: it has said that it leaves.
    pub(super) fn waits(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.said_leaving > 0)
    }

    /// What it has answered so far does not count any more.
    pub(super) fn forget_answers(&mut self) {
        self.counted = VersionVector::new();
        self.vouches = false;
    }

    /// Something was applied that the peer has not heard of.
    pub(super) fn owe(&mut self, owed: Owed) {
        if let Some(link) = &mut self.link {
            link.owed = link.owed.max(owed);
        }
    }

    /// What is owed soon is owed now; says whether anything was.
    pub(super) fn hasten(&mut self) -> Option<()> {
        let link = self.link.as_mut().filter(|link| link.owed == Owed::Soon)?;
        link.owed = Owed::Now;
        Some(())
    }
}
