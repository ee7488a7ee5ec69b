//! Peers that are not of this release, or say what no agent says.

use baton_wire::directory::{
    HandoffReport, Member as RowOnTheWire, Membership as ListOnTheWire, Phase as WirePhase, Version,
};
use baton_wire::handshake::{OLDEST_PROTOCOL, PROTOCOL};
use baton_wire::peer::frame::Body;
use baton_wire::peer::peer_client::PeerClient;
use baton_wire::peer::{Frame, Heartbeat, Hello, PhaseNotice, ShardFrame};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::*;

/// A peer in the test's hands: the member 9 of the town's list, which dials.
pub(super) struct Stranger {
    outbox: mpsc::Sender<Frame>,
    incoming: Streaming<Frame>,
}

// === impl Stranger ===

impl Stranger {
    /// Says hello in some protocol to the town's first agent, which lists it, and takes the link.
    pub(super) async fn of(town: &mut Town, protocol: u32) -> Self {
        let mut list = town.list(&[]);
        list.members.push(Self::row());
        town[0].engine.take_membership_from_source(list.clone());
        Self::with(town, protocol, &list).await
    }

    /// The same, of a peer that goes by a list which the agent does not have, perhaps.
    async fn with(town: &Town, protocol: u32, list: &Membership) -> Self {
        let version = Version { uid: list.version.uid.clone(), number: list.version.number };
        let mut client = PeerClient::connect(format!("http://{}", town[0].address)).await.expect("it listens");
        let (outbox, frames) = mpsc::channel(8);
        let hello = Hello {
            protocol,
            group: "shop/web".to_owned(),
            replica: 9,
            phase: WirePhase::Active.into(),
            shards: SHARDS as u32,
            membership: Some(version),
            pod_name: "web-9".to_owned(),
        };
        outbox.send(Frame { membership: 0, body: Some(Body::Hello(hello)) }).await.expect("open");
        outbox
            .send(Frame { membership: 0, body: Some(Body::Phase(PhaseNotice { phase: WirePhase::Active.into() })) })
            .await
            .expect("open");
        let incoming = client.sync(ReceiverStream::new(frames)).await.expect("a stream").into_inner();
        Self { outbox, incoming }
    }

    pub(super) fn row() -> Member {
        Member { pod_name: "web-9".to_owned(), ..Member::new(id(9), MemberPhase::Active) }
    }

    pub(super) async fn say(&self, body: Option<Body>) {
        self.outbox.send(Frame { membership: 0, body }).await.expect("open");
    }

    /// The next that is like this; `None` if the link ends before.
    pub(super) async fn hear(&mut self, like: fn(&Body) -> bool) -> Option<Body> {
        let next = async {
            while let Ok(Some(frame)) = self.incoming.message().await {
                if let Some(body) = frame.body.filter(like) {
                    return Some(body);
                }
            }
            None
        };
        tokio::time::timeout(PATIENCE, next).await.expect("in time")
    }
}

#[tokio::test]
async fn a_peer_of_a_newer_release_is_linked_and_what_it_alone_knows_is_passed_over() {
    let mut town = Town::of(1).await;
    let mut newer = Stranger::of(&mut town, PROTOCOL + 1).await;
    let hello = newer.hear(|body| matches!(body, Body::Hello(_))).await;
    assert!(matches!(hello, Some(Body::Hello(hello)) if hello.protocol == PROTOCOL), "it says what it speaks");
    // This is what protobuf makes of a frame, and of a shard's message, that this release does not know.
    newer.say(None).await;
    newer.say(Some(Body::Shard(ShardFrame { shard: 0, body: None }))).await;
    newer.say(Some(Body::Heartbeat(Heartbeat::default()))).await;
    assert!(newer.hear(|body| matches!(body, Body::Heartbeat(_))).await.is_some(), "the link is up");
    assert!(town[0].engine.links().get(id(9)).is_some());
}

/// It was refused, and dialled again after a pause: a pod that left soon after its start waited for that link.
#[tokio::test]
async fn a_peer_whose_list_is_faster_than_the_agents_is_waited_for() {
    let mut town = Town::of(1).await;
    let mut list = town.list(&[]);
    let known = list.clone();
    list.members.push(Stranger::row());
    // It says that it has none newer, so that it need not pass its own on.
    town[0].engine.take_membership_from_source(known.clone());
    let mut early = Stranger::with(&town, PROTOCOL, &known).await;
    assert!(early.hear(|body| matches!(body, Body::Hello(_))).await.is_some());
    list.version.number += 1;
    town[0].engine.take_membership_from_source(list);
    let answer = early.hear(|body| matches!(body, Body::Phase(_) | Body::Refused(_))).await;
    assert!(matches!(answer, Some(Body::Phase(_))), "{answer:?}");
}

#[tokio::test]
async fn a_peer_of_a_release_too_old_is_told_so() {
    let mut town = Town::of(1).await;
    let mut older = Stranger::of(&mut town, OLDEST_PROTOCOL - 1).await;
    let refused = older.hear(|body| matches!(body, Body::Refused(_))).await;
    assert!(matches!(refused, Some(Body::Refused(refused)) if refused.code == "protocol"));
}

#[tokio::test]
async fn a_receipt_larger_than_any_departures_ends_the_link_that_it_came_on() {
    let mut town = Town::of(1).await;
    let mut peer = Stranger::of(&mut town, PROTOCOL).await;
    let receipt = HandoffReport { message: "x".repeat(1 << 20), ..Default::default() };
    peer.say(Some(Body::Receipt(receipt))).await;
    assert!(peer.hear(|body| matches!(body, Body::ReceiptKept(_))).await.is_none());
    wait("the link has ended", || town[0].engine.links().get(id(9)).is_none()).await;
}

/// Two bytes a row on the wire, two hundred in memory.
#[tokio::test]
async fn a_list_of_more_rows_than_any_group_has_ends_the_link() {
    let mut town = Town::of(1).await;
    let mut peer = Stranger::of(&mut town, PROTOCOL).await;
    let list = ListOnTheWire { members: vec![RowOnTheWire::default(); 100_000], ..Default::default() };
    peer.say(Some(Body::NewerMembership(list))).await;
    assert!(peer.hear(|_| false).await.is_none(), "the link ends");
    wait("the link has ended", || town[0].engine.links().get(id(9)).is_none()).await;
}

/// It was dialled fifteen times a second: each refused link counted as one that had been up.
#[tokio::test]
async fn a_peer_that_refuses_is_dialled_less_and_less_often() {
    let mut town = Town::of(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let twin = Agent::start_in(2, "web-9").await;
    let inner = twin.address.clone();
    let dialled = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = dialled.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut outer, _) = listener.accept().await.expect("it listens");
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let inner = inner.clone();
            tokio::spawn(async move {
                let mut inner = tokio::net::TcpStream::connect(inner).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    let mut list = town.list(&[]);
    let row = Member { pod_name: "web-2".to_owned(), address, ..Member::new(id(2), MemberPhase::Active) };
    list.members.push(row);
    // The twin has no list, and refuses who it does not list.
    let began = Instant::now();
    town[0].engine.take_membership_from_source(list);
    wait("it is dialled six times", || dialled.load(std::sync::atomic::Ordering::Relaxed) >= 6).await;
    // The pauses between are at least half of 50, 100, 200, 400 and 800 ms.
    assert!(began.elapsed() > Duration::from_millis(750), "after {:?}", began.elapsed());
}

/// A peer of an older release passes a list on without the settings that it does not know.
#[tokio::test]
async fn what_the_source_says_of_a_list_counts_more_than_what_a_peer_passed_on_of_it() {
    let mut town = Town::of(1).await;
    let full = town.list(&[]);
    let passed_on = Membership { settings: Settings::default(), ..full.clone() };
    let full = Membership { settings: Settings { handoff_acks: 2, ..Settings::default() }, ..full };
    let acks = |town: &Town| town[0].engine.settings().handoff_acks;
    town[0].engine.take_membership_from_peer(passed_on.clone());
    assert_eq!(acks(&town), 1);
    town[0].engine.take_membership_from_source(full);
    assert_eq!(acks(&town), 2);
    town[0].engine.take_membership_from_peer(passed_on);
    assert_eq!(acks(&town), 2);
}
