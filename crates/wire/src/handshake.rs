//! The handshake of a link, as far as it is decided without IO: who speaks, and whether it belongs here.

use baton_replica::{MemberPhase, ReplicaId, Roster};

use crate::convert::{are_ordered, phase_from_wire};
use crate::peer::frame::Body;
use crate::peer::{Frame, Refused};

/// The wire format of this release. A link speaks the lower of its two sides' formats.
pub const PROTOCOL: u32 = 2;

/// The oldest that this release speaks: that of the release before.
pub const OLDEST_PROTOCOL: u32 = 2;

/// The most of a peer's words that goes into a log line or an answer.
const MAX_WORDS: usize = 200;

/// What a peer's hello is held against.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// The group of this agent.
    pub group: &'a str,
    /// Its id.
    pub replica: ReplicaId,
    /// How many shards it has.
    pub shards: usize,
    /// The UID of the member list that it goes by.
    pub list: Option<&'a str>,
}

/// Why a peer is turned away. It hears the code and the sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It said something else first, or is no replica.
    #[error("the first frame of a link must be a hello")]
    NoHello,
    /// It is of a release that is too old.
    #[error("it speaks protocol {0} at most, and this release {OLDEST_PROTOCOL} at least")]
    Protocol(u32),
    /// It belongs elsewhere.
    #[error("it belongs to group {theirs}, and this agent to {ours}")]
    OtherGroup {
        /// Its group.
        theirs: String,
        /// That of this agent.
        ours: String,
    },
    /// Its keys are in other shards.
    #[error("it has {theirs} shards, and this agent {ours}; all agents of a group need the same number")]
    Shards {
        /// Its number of them.
        theirs: u32,
        /// That of this agent.
        ours: usize,
    },
    /// It is this agent.
    #[error("it has the replica id of this agent itself")]
    Myself,
    /// Nobody has said that it is a member.
    #[error("it is not in the member list; its source has to list it first")]
    NotListed,
    /// The group goes on without it.
    #[error("it was removed from the group; an id never comes back")]
    Gone,
    /// Two processes with one id would each take the other's writes for its own.
    #[error("its id belongs to pod {0}")]
    OtherPod(String),
    /// It is not who it says it is.
    #[error("its certificate is that of another pod than the member that it says it is")]
    OtherCertificate,
    /// The hello that it has heard does not hold any more.
    #[error("this agent has just taken a new id")]
    Renamed,
    /// There is one link for each pair.
    #[error("a link that is preferred is up already")]
    AlreadyLinked,
}

/// A peer that may be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeted {
    /// Its id.
    pub replica: ReplicaId,
    /// The pod that it says it is.
    pub pod_name: String,
    /// Its phase, if this release knows it.
    pub phase: Option<MemberPhase>,
    /// The number of its membership, if it is of the same source as this one's.
    pub membership: u64,
    /// The pod that its certificate names, if it has one.
    pub proven: Option<String>,
}

// === impl Here ===

impl Here<'_> {
    /// Checks a peer's hello, all but whether it is listed.
    pub fn check(self, body: Option<Body>) -> Result<Greeted, Refusal> {
        let Some(Body::Hello(hello)) = body else { return Err(Refusal::NoHello) };
        // Who speaks a newer one speaks this one too, or refuses.
        if hello.protocol < OLDEST_PROTOCOL {
            return Err(Refusal::Protocol(hello.protocol));
        }
        if hello.group != self.group {
            return Err(Refusal::OtherGroup { theirs: shortened(&hello.group), ours: self.group.to_owned() });
        }
        if hello.shards as usize != self.shards {
            return Err(Refusal::Shards { theirs: hello.shards, ours: self.shards });
        }
        let replica = ReplicaId::new(hello.replica).ok_or(Refusal::NoHello)?;
        if replica == self.replica {
            return Err(Refusal::Myself);
        }
        let known = hello.membership.filter(|version| self.list.is_some_and(|uid| are_ordered(uid, &version.uid)));
        Ok(Greeted {
            replica,
            pod_name: hello.pod_name,
            phase: phase_from_wire(hello.phase),
            membership: known.map_or(0, |version| version.number),
            proven: None,
        })
    }
}

// === impl Refusal ===

impl Refusal {
    /// A short name of the reason: for counting, and for the other side.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoHello => "no_hello",
            Self::Protocol(_) => "protocol",
            Self::OtherGroup { .. } => "other_group",
            Self::Shards { .. } => "shards",
            Self::Myself => "same_replica",
            Self::NotListed => "not_listed",
            Self::Gone => "gone",
            Self::OtherPod(_) => "other_pod",
            Self::OtherCertificate => "other_certificate",
            Self::Renamed => "renamed",
            Self::AlreadyLinked => "already_linked",
        }
    }

    /// The frame that says so.
    pub fn frame(&self) -> Frame {
        let refused = Refused { code: self.code().to_owned(), message: self.to_string() };
        Frame { membership: 0, body: Some(Body::Refused(refused)) }
    }
}

// === impl Greeted ===

impl Greeted {
    /// Whether it is a member, and this agent still the one that has said hello to it.
    pub fn listed(&self, me: ReplicaId, roster: &Roster) -> Result<(), Refusal> {
        if roster.me() != me {
            return Err(Refusal::Renamed);
        }
        match roster.peer(self.replica).map(|peer| peer.phase) {
            None => return Err(Refusal::NotListed),
            Some(MemberPhase::Gone) => return Err(Refusal::Gone),
            Some(_) => {}
        }
        let row = roster.row(self.replica);
        if let Some(row) = row.filter(|row| row.pod_name != self.pod_name) {
            return Err(Refusal::OtherPod(row.pod_name.clone()));
        }
        let Some(proven) = &self.proven else { return Ok(()) };
        // Without Kubernetes a pod has no UID, and its certificate its name.
        let pod = row.map(|row| if row.pod_uid.is_empty() { &row.pod_name } else { &row.pod_uid });
        if pod == Some(proven) { Ok(()) } else { Err(Refusal::OtherCertificate) }
    }
}

/// A peer's words for people, on one line.
pub fn shortened(words: &str) -> String {
    words.chars().take(MAX_WORDS).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_stay_on_one_line_and_short() {
        assert_eq!(shortened("no\nINFO all is well\u{1b}[0m"), "no\\nINFO all is well\\u{1b}[0m");
        assert_eq!(shortened(&"é".repeat(1 << 20)).chars().count(), 200);
    }
}
