//! Whom a leaver sends to first.

use baton_replica::{Applied, Roster, VersionVector};
use baton_wire::handshake::Greeted;
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Frame, ShardFrame, shard_frame};
use futures_util::stream::pending;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::*;
use crate::engine::LinkHandle;
use crate::link::pulse::Pulse;
use crate::link::session::Session;

/// On the leaver's node, and on another.
const BESIDE: u64 = 2;
const ELSEWHERE: u64 = 3;

/// An agent of one shard and two writes, which two others survive.
pub(super) async fn leaver() -> Arc<Engine> {
    let identity = Identity { group: "shop/web".to_owned(), pod_name: "web-1".to_owned(), pod_uid: String::new() };
    let engine = Engine::new(id(1), identity, 1, LIMITS);
    let row = |(bits, node): (u64, &str)| Member {
        node: node.to_owned(),
        held_state: true,
        ..Member::new(id(bits), MemberPhase::Active)
    };
    engine.take_membership_from_source(Membership {
        version: MembershipVersion { uid: "u".to_owned(), number: 1 },
        members: [(1, "n1"), (BESIDE, "n1"), (ELSEWHERE, "n2")].map(row).into(),
        first: None,
        settings: Settings::default(),
        follows: Vec::new(),
    });
    engine.start_empty();
    engine.set_phase(Phase::Active);
    for name in ["a", "b"] {
        let value = Value { content_type: Box::default(), body: b"v"[..].into() };
        let operation = Operation::Put { value, expires_at: None };
        engine.write(write(name, operation, Some(AckLevel::Count(0)))).await.expect("it is live");
    }
    engine
}

/// A link to a peer, whose frames go there.
async fn link_to(engine: &Arc<Engine>, peer: u64, outbox: mpsc::Sender<Frame>) -> LinkId {
    let handle = engine.links().register(id(1), id(peer), id(1)).expect("the first");
    let link = handle.id;
    tokio::spawn(run(engine.clone(), handle, outbox));
    everybody_runs().await;
    link
}

/// Runs a link to its end, on which nothing comes.
pub(super) async fn run(engine: Arc<Engine>, handle: Arc<LinkHandle>, outbox: mpsc::Sender<Frame>) {
    let greeted = Greeted {
        replica: handle.peer,
        pod_name: format!("web-{}", handle.peer.bits()),
        phase: Some(MemberPhase::Active),
        membership: 1,
        proven: None,
    };
    Session { engine, handle, outbox, pulse: Pulse::new() }.run(&greeted, pending()).await;
}

/// Until all tasks wait for something: there is one thread, and they take turns.
pub(super) async fn everybody_runs() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A peer says that it has so many of the leaver's writes, which asks for the rest.
fn has(engine: &Engine, peer: u64, link: LinkId, writes: u64) {
    let clock = VersionVector::from_iter([(id(1), writes)].into_iter().filter(|_| writes > 0));
    let applied =
        Applied { clock, full: true, answers_range: false, heard_leaving: 0, leaving: 0, founders: Vec::new() };
    engine.handle(0, id(peer), link, ShardMessage::Applied(applied)).expect("it is linked");
}

fn leave(engine: &Engine) {
    engine.update_roster(Roster::leave);
    engine.set_phase(Phase::Draining);
}

/// From which write on the ranges go that were sent, in their order.
fn ranges(sent: &mut mpsc::Receiver<Frame>) -> Vec<u64> {
    let frames = std::iter::from_fn(|| sent.try_recv().ok());
    let range = |frame: Frame| match frame.body {
        Some(Body::Shard(ShardFrame { body: Some(shard_frame::Body::Range(range)), .. })) => Some(range.from),
        _ => None,
    };
    frames.filter_map(range).collect()
}

#[tokio::test]
async fn a_leaver_sends_to_a_survivor_on_another_node_first() {
    let engine = leaver().await;
    let (outbox, mut sent) = mpsc::channel(64);
    let beside = link_to(&engine, BESIDE, outbox.clone()).await;
    let elsewhere = link_to(&engine, ELSEWHERE, outbox).await;
    // Whose range it is shows by where it begins. The other's link is woken first.
    has(&engine, BESIDE, beside, 1);
    has(&engine, ELSEWHERE, elsewhere, 0);
    leave(&engine);
    everybody_runs().await;
    assert_eq!(ranges(&mut sent), [0, 1]);
}

#[tokio::test]
async fn nobody_waits_for_a_preferred_survivor_that_takes_nothing() {
    let engine = leaver().await;
    let (outbox, mut sent) = mpsc::channel(64);
    let (stuck, _unread) = mpsc::channel(1);
    let beside = link_to(&engine, BESIDE, outbox).await;
    let elsewhere = link_to(&engine, ELSEWHERE, stuck).await;
    has(&engine, ELSEWHERE, elsewhere, 0);
    has(&engine, BESIDE, beside, 1);
    leave(&engine);
    everybody_runs().await;
    assert_eq!(ranges(&mut sent), [1]);
}
