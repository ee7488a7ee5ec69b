//! An agent with an open stream, as it describes itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use baton_crds::membership::{Followed, MemberPhase, MemberRow, ReplicaId};

use crate::index::Listing;

/// What an attending agent has said of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Attendee {
    /// Names the stream: each has another.
    pub arrival: u64,
    /// When this stream's hello came, to whichever operator.
    pub since: Instant,
    /// Whether the stream is open to another operator, which forwards what comes by it.
    pub forwarded: bool,
    /// Its pod's name.
    pub pod_name: String,
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its node.
    pub node: String,
    /// Where peers reach it.
    pub address: String,
    /// How far it is.
    pub phase: MemberPhase,
    /// Whether it ever had the state, as far as it tells.
    pub held_state: bool,
    /// Whether it says that it has no app.
    pub keeper: bool,
    /// Whether it has applied what its peers have.
    pub in_sync: bool,
    /// How many keys it holds.
    pub keys: u64,
    /// How many bytes of keys and values it holds.
    pub bytes: u64,
    /// How many deleted keys it remembers until every member has acknowledged the delete.
    pub tombstones: u64,
    /// The members to which it has an open link.
    pub reached: BTreeSet<ReplicaId>,
    /// Whether it says so in every phase; agents of an older release do only while they join, and others have not yet.
    pub says_whom_it_reaches: bool,
    /// The newest list that it knew when it said hello; the present one, once that has all of it.
    pub known: Option<Known>,
    /// The members that are Gone of which it lacks nothing.
    pub settled: Settled,
}

/// What an agent says of members that are Gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The set of members that this goes for.
    pub round: u64,
    /// Of whom it lacks nothing.
    pub replicas: BTreeSet<ReplicaId>,
}

/// A list that an agent knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The UID of its Membership object.
    pub uid: String,
    /// Its number.
    pub number: u64,
    /// Its rows.
    pub rows: Arc<[MemberRow]>,
    /// What it comes after.
    pub follows: Vec<Followed>,
}

// === impl Known ===

impl Known {
    /// A list as far as it speaks of one agent: all else that it says is in the present one.
    pub fn of(uid: &str, number: u64, row: MemberRow) -> Self {
        Self { uid: uid.to_owned(), number, rows: [row].into_iter().collect(), follows: Vec::new() }
    }

    /// Whether nothing but this replica's row is kept of it.
    pub fn is_only(&self, replica: ReplicaId) -> bool {
        matches!(&*self.rows, [row] if row.replica == replica)
    }

    /// Whether it lists a replica.
    pub fn names(&self, replica: ReplicaId) -> bool {
        self.rows.iter().any(|row| row.replica == replica)
    }
}

// === impl Attendee ===

impl Attendee {
    /// The row of an agent that says its first hello.
    pub fn row(&self, replica: ReplicaId) -> MemberRow {
        MemberRow {
            replica,
            pod_name: self.pod_name.clone(),
            pod_uid: self.pod_uid.clone(),
            node: self.node.clone(),
            zone: String::new(),
            controller: String::new(),
            revision: 0,
            address: self.address.clone(),
            phase: self.phase,
            held_state: self.held_state,
            keeper: self.keeper,
            grace_seconds: 0,
            forgotten: false,
            settlement: None,
            unknown: BTreeMap::new(),
        }
    }

    /// Whether a list once named this agent, which the present one does not any more: it was removed, and its id never
    /// comes back.
    pub fn was_removed(&self, replica: ReplicaId, listing: &Listing) -> bool {
        let known = self.known.as_ref().filter(|known| known.uid == listing.uid && known.number <= listing.spec.number);
        let named = known.is_some_and(|known| known.names(replica));
        named && listing.row(replica).is_none()
    }

    /// What streams are ordered by: the one with the newest hello is the greatest.
    pub fn order(&self) -> (Instant, u64) {
        (self.since, self.arrival)
    }

    /// Takes the agent's report of its own phase: phases only go forward.
    pub fn advance(&mut self, phase: MemberPhase) {
        self.phase = self.phase.max(phase);
        self.held_state |= phase == MemberPhase::Active;
    }
}
