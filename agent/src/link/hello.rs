//! The handshake: who speaks, and whether it belongs here.

use baton_identity::Identity as Proven;
use baton_replica::{MemberPhase, Phase, ReplicaId};
use baton_wire::convert::{membership_from_wire, membership_to_wire, phase_to_wire};
use baton_wire::directory::Version;
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Frame, Hello, PhaseNotice, Refused};
use tokio::time::timeout;
use tonic::Streaming;

use crate::engine::Engine;
use crate::link::pulse::Lifeless;
use crate::link::session::Fault;
use crate::link::{HELLO_TIMEOUT, OLDEST_PROTOCOL, PROTOCOL, shortened};
use crate::membership::are_ordered;

/// Why a peer is turned away. It hears the code and the sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the first frame of a link must be a hello")]
    NoHello,
    #[error("it speaks protocol {0} at most, and this release {OLDEST_PROTOCOL} at least")]
    Protocol(u32),
    #[error("it belongs to group {theirs}, and this agent to {ours}")]
    OtherGroup { theirs: String, ours: String },
    #[error("it has {theirs} shards, and this agent {ours}; all agents of a group need the same number")]
    Shards { theirs: u32, ours: usize },
    #[error("it has the replica id of this agent itself")]
    Myself,
    #[error("it is not in the member list; its source has to list it first")]
    NotListed,
    #[error("it was removed from the group; an id never comes back")]
    Gone,
    #[error("its id belongs to pod {0}")]
    OtherPod(String),
    #[error("its certificate is that of another pod than the member that it says it is")]
    OtherCertificate,
    #[error("this agent has just taken a new id")]
    Renamed,
    #[error("a link that is preferred is up already")]
    AlreadyLinked,
}

/// A peer that may be linked.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) replica: ReplicaId,
    pub(super) pod_name: String,
    pub(super) phase: Option<MemberPhase>,
    /// The number of its membership, if it is of the same source as this one's.
    pub(super) membership: u64,
    /// The pod that its certificate names, if it has one.
    pub(super) proven: Option<String>,
}

// === impl Refusal ===

impl Refusal {
    /// A short name of the reason: for counting, and for the other side.
    pub(super) const fn code(&self) -> &'static str {
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
    pub(super) fn frame(&self) -> Frame {
        let refused = Refused { code: self.code().to_owned(), message: self.to_string() };
        Frame { membership: 0, body: Some(Body::Refused(refused)) }
    }
}

// === impl Greeted ===

impl Greeted {
    /// With what its certificate says of it.
    pub(super) fn proved(mut self, identity: Option<&Proven>) -> Self {
        self.proven = identity.and_then(Proven::member).map(|member| member.pod.clone());
        self
    }
}

/// What members call a phase of a process.
pub(crate) const fn member_phase(phase: Phase) -> MemberPhase {
    match phase {
        Phase::Joining => MemberPhase::Joining,
        Phase::Active => MemberPhase::Active,
        Phase::Draining | Phase::Tail | Phase::Sealed => MemberPhase::Leaving,
    }
}

/// A frame from this agent.
pub(super) fn frame(engine: &Engine, body: Body) -> Frame {
    Frame { membership: engine.followed_number(), body: Some(body) }
}

/// This agent's hello, under this id.
pub(super) fn hello(engine: &Engine, me: ReplicaId) -> Frame {
    let identity = engine.identity();
    let list = engine.membership().borrow().clone();
    let hello = Hello {
        protocol: PROTOCOL,
        group: identity.group.clone(),
        replica: me.bits(),
        phase: phase_to_wire(member_phase(*engine.phase().borrow())).into(),
        shards: engine.shard_count() as u32,
        membership: list.map(|list| Version { uid: list.version.uid.clone(), number: list.version.number }),
        pod_name: identity.pod_name.clone(),
    };
    frame(engine, Body::Hello(hello))
}

/// This agent's member list, for a peer that has an older one, and its number.
pub(super) fn newer_membership(engine: &Engine) -> Option<(u64, Frame)> {
    let list = engine.membership().borrow().clone()?;
    Some((list.version.number, frame(engine, Body::NewerMembership(membership_to_wire(&list)))))
}

/// The next frame of a handshake, unless it is a refusal.
pub(super) async fn next(incoming: &mut Streaming<Frame>) -> Result<Frame, Fault> {
    let frame = timeout(HELLO_TIMEOUT, incoming.message()).await.map_err(|_| Lifeless::Silent)??.ok_or(Fault::Ended)?;
    match frame.body {
        Some(Body::Refused(refused)) => Err(Fault::Refused(shortened(&refused.message))),
        _ => Ok(frame),
    }
}

/// The first frame of a peer that has taken the link: its phase. It has said hello before it knows whether it does; until
/// then it passes a newer list on, or refuses, and there is no link yet.
pub(super) async fn taken(engine: &Engine, incoming: &mut Streaming<Frame>) -> Result<Frame, Fault> {
    loop {
        let frame = next(incoming).await?;
        let Some(Body::NewerMembership(list)) = frame.body else { return Ok(frame) };
        let list = membership_from_wire(list).map_err(|error| Fault::Protocol(error.to_string()))?;
        engine.take_membership_from_peer(list);
    }
}

/// Says that this side takes the link.
pub(super) fn phase(engine: &Engine) -> Frame {
    let phase = member_phase(*engine.phase().borrow());
    frame(engine, Body::Phase(PhaseNotice { phase: phase_to_wire(phase).into() }))
}

/// Checks a peer's hello, all but whether it is listed.
pub(super) fn check(engine: &Engine, body: Option<Body>) -> Result<Greeted, Refusal> {
    let Some(Body::Hello(hello)) = body else { return Err(Refusal::NoHello) };
    let identity = engine.identity();
    let ours = engine.shard_count();
    // Who speaks a newer one speaks this one too, or refuses.
    if hello.protocol < OLDEST_PROTOCOL {
        return Err(Refusal::Protocol(hello.protocol));
    }
    if hello.group != identity.group {
        return Err(Refusal::OtherGroup { theirs: shortened(&hello.group), ours: identity.group.clone() });
    }
    if hello.shards as usize != ours {
        return Err(Refusal::Shards { theirs: hello.shards, ours });
    }
    let replica = ReplicaId::new(hello.replica).ok_or(Refusal::NoHello)?;
    if replica == engine.replica() {
        return Err(Refusal::Myself);
    }
    let uid = engine.membership().borrow().as_ref().map(|list| list.version.uid.clone());
    let known = hello.membership.filter(|version| uid.as_ref().is_some_and(|uid| are_ordered(uid, &version.uid)));
    let membership = known.map_or(0, |version| version.number);
    let pod_name = hello.pod_name;
    let phase = baton_wire::convert::phase_from_wire(hello.phase);
    Ok(Greeted { replica, pod_name, phase, membership, proven: None })
}

/// Whether a peer is a member, and this agent still the one that has said hello to it.
pub(super) fn listed(engine: &Engine, me: ReplicaId, greeted: &Greeted) -> Result<(), Refusal> {
    let roster = engine.roster();
    if roster.me() != me {
        return Err(Refusal::Renamed);
    }
    match roster.peer(greeted.replica).map(|peer| peer.phase) {
        None => return Err(Refusal::NotListed),
        Some(MemberPhase::Gone) => return Err(Refusal::Gone),
        Some(_) => {}
    }
    let row = roster.row(greeted.replica);
    // Two processes with one id would each take the other's writes for its own.
    if let Some(row) = row.filter(|row| row.pod_name != greeted.pod_name) {
        return Err(Refusal::OtherPod(row.pod_name.clone()));
    }
    let Some(proven) = &greeted.proven else { return Ok(()) };
    // Without Kubernetes a pod has no UID, and its certificate its name.
    let pod = row.map(|row| if row.pod_uid.is_empty() { &row.pod_name } else { &row.pod_uid });
    if pod == Some(proven) { Ok(()) } else { Err(Refusal::OtherCertificate) }
}
