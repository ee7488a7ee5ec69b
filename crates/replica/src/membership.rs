//! The list of members, as its source (the operator, or a file) gives it.

use std::cmp::Ordering;
use std::time::Duration;

use crate::{AckLevel, Completion, MapName, ReplicaId};

/// Where a member is in its life; for one replica id it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberPhase {
    /// It does not hold the state yet.
    Joining,
    /// It holds the state and stays.
    Active,
    /// It holds the state, perhaps, and is going.
    Leaving,
    /// Its process has ended; the id never comes back.
    Gone,
}

/// Which list this is: numbers are compared under one uid only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipVersion {
    /// The identity of the list's source.
    pub uid: String,
    /// Grows with every change.
    pub number: u64,
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The process.
    pub replica: ReplicaId,
    /// Its pod, by name (for people) and UID.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The node that the pod runs on.
    pub node: String,
    /// The node's zone.
    pub zone: String,
    /// The pod's controller, within which revisions are compared.
    pub controller: String,
    /// The controller's revision that the pod was made from; 0 if unknown.
    pub revision: u64,
    /// `host:port` of its peer link.
    pub address: String,
    /// As far as the source knows; the member itself may be further.
    pub phase: MemberPhase,
    /// Whether it ever was Active.
    pub held_state: bool,
    /// The deletion grace period of a terminating pod.
    pub grace: Option<Duration>,
    /// Whether its pod has no app: it adopts nothing.
    pub keeper: bool,
}

/// A whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Which list it is.
    pub version: MembershipVersion,
    /// In the order of their arrival, ids that are Gone included.
    pub members: Vec<Member>,
    /// Who may start without state.
    pub first: Option<ReplicaId>,
    /// What the group asks of its members.
    pub settings: Settings,
    /// Lists of other sources that this one comes after: whom such a list named, and this one does not, was retired.
    pub follows: Vec<MembershipVersion>,
}

/// What the group asks of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many survivors must acknowledge everything that a leaving member holds.
    pub handoff_acks: u32,
    /// The longest that preStop is held.
    pub handoff_timeout: Duration,
    /// What that hold waits for besides.
    pub completion: Completion,
    /// How many members acknowledge a write that does not say.
    pub write_acks: AckLevel,
    /// Whether a write is accepted while there is no other member.
    pub accept_when_alone: bool,
    /// Limits of maps that have their own.
    pub maps: Vec<(MapName, MapLimits)>,
    /// How many members acknowledge a write that does not say, in maps that have a level of their own.
    pub map_acks: Vec<(MapName, AckLevel)>,
    /// Maps whose owned keys are not adopted.
    pub on_departure: Vec<(MapName, OnDeparture)>,
}

/// What becomes of the keys that a member owns when it leaves or is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeparture {
    /// A survivor becomes the owner.
    #[default]
    Adopt,
    /// They stay, and nobody owns them.
    Keep,
    /// They are deleted.
    Release,
}

/// How much one map may hold; `None` leaves the agent's own limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapLimits {
    /// Keys and values, in bytes.
    pub max_bytes: Option<u64>,
    /// Live keys.
    pub max_entries: Option<u64>,
    /// One value, in bytes.
    pub max_value_bytes: Option<u64>,
}

// === impl MembershipVersion ===

impl MembershipVersion {
    /// Whose lists it is one of. Where each process makes lists of its own, as from a file, uids are `source:process`.
    pub fn source(&self) -> &str {
        self.uid.split(':').next().unwrap_or_default()
    }
}

impl PartialOrd for MembershipVersion {
    /// Lists of different sources have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.uid == other.uid).then(|| self.number.cmp(&other.number))
    }
}

// === impl Member ===

impl Member {
    /// The row of a process of which nothing else is known.
    pub const fn new(replica: ReplicaId, phase: MemberPhase) -> Self {
        Self {
            replica,
            pod_name: String::new(),
            pod_uid: String::new(),
            node: String::new(),
            zone: String::new(),
            controller: String::new(),
            revision: 0,
            address: String::new(),
            phase,
            held_state: false,
            grace: None,
            keeper: false,
        }
    }
}

// === impl Membership ===

impl Membership {
    /// The row of a replica.
    pub fn member(&self, replica: ReplicaId) -> Option<&Member> {
        self.members.iter().find(|member| member.replica == replica)
    }

    /// Whether this list comes after one of another source.
    pub fn is_after(&self, version: &MembershipVersion) -> bool {
        self.follows.iter().any(|followed| version <= followed)
    }
}

// === impl Settings ===

impl Settings {
    /// How many members acknowledge a write to a map that does not say.
    pub fn write_acks_of(&self, map: &str) -> AckLevel {
        let own = self.map_acks.iter().find(|(name, _)| name.as_str() == map);
        own.map_or(self.write_acks, |(_, level)| *level)
    }
}

impl Default for Settings {
    /// What a group gets whose spec says nothing.
    fn default() -> Self {
        Self {
            handoff_acks: 1,
            handoff_timeout: Duration::from_secs(20),
            completion: Completion::Replicated,
            write_acks: AckLevel::Count(1),
            accept_when_alone: true,
            maps: Vec::new(),
            map_acks: Vec::new(),
            on_departure: Vec::new(),
        }
    }
}
