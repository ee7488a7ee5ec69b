//! The frames of a handshake, and what this agent holds a peer's against.

use baton_identity::Identity as Proven;
use baton_replica::{MemberPhase, Phase, ReplicaId};
use baton_wire::convert::{membership_from_wire, membership_to_wire, phase_to_wire};
use baton_wire::directory::Version;
use baton_wire::handshake::{Greeted, Here, PROTOCOL, Refusal, shortened};
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Frame, Hello, PhaseNotice};
use tokio::time::timeout;
use tonic::Streaming;

use crate::engine::Engine;
use crate::link::HELLO_TIMEOUT;
use crate::link::pulse::Lifeless;
use crate::link::session::Fault;

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
pub(super) fn check(engine: &Engine, body: Option<Body>, proven: Option<&Proven>) -> Result<Greeted, Refusal> {
    let list = engine.membership().borrow().clone();
    let here = Here {
        group: &engine.identity().group,
        replica: engine.replica(),
        shards: engine.shard_count(),
        list: list.as_ref().map(|list| list.version.uid.as_str()),
    };
    let proven = proven.and_then(Proven::member).map(|member| member.pod.clone());
    Ok(Greeted { proven, ..here.check(body)? })
}

/// Whether a peer is a member, and this agent still the one that has said hello to it.
pub(super) fn listed(engine: &Engine, me: ReplicaId, greeted: &Greeted) -> Result<(), Refusal> {
    greeted.listed(me, &engine.roster())
}
