//! The agent's end of the directory, against a directory that does as it is told.

use std::time::Duration;

use baton_replica::{AckLevel, Key, MapName, Operation, ReplicaId, Value};
use baton_wire::directory::directory_server::{Directory, DirectoryServer};
use baton_wire::directory::{
    HandoffReport, Member, Membership, Notice, Phase, Refusal, Report, Version, notice::Body as Say,
    report::Body as Heard,
};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::engine::{DefaultLimits, Identity, Precondition, Write};
use crate::refusal::Refusals;
use crate::transport::Transport;

const ME: u64 = 7;
const PATIENCE: Duration = Duration::from_secs(120);

type Notices = mpsc::Sender<Result<Notice, Status>>;

/// Hands each stream that is opened to the test.
struct Desk {
    streams: mpsc::Sender<Stream>,
}

/// A stream that an agent has opened.
struct Stream {
    reports: Streaming<Report>,
    notices: Notices,
}

/// An agent and the operator that it attends.
struct Bench {
    engine: Arc<Engine>,
    streams: Mutex<mpsc::Receiver<Stream>>,
}

#[tonic::async_trait]
impl Directory for Desk {
    type AttendStream = ReceiverStream<Result<Notice, Status>>;
    type ForwardStream = ReceiverStream<Result<Notice, Status>>;

    async fn attend(&self, request: Request<Streaming<Report>>) -> Result<Response<Self::AttendStream>, Status> {
        let (notices, outgoing) = mpsc::channel(8);
        let stream = Stream { reports: request.into_inner(), notices };
        self.streams.send(stream).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn forward(&self, _: Request<Streaming<Report>>) -> Result<Response<Self::ForwardStream>, Status> {
        Err(Status::unimplemented("agents forward nothing"))
    }
}

// === impl Bench ===

impl Bench {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (sender, streams) = mpsc::channel(8);
        let desk = DirectoryServer::new(Desk { streams: sender });
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(tonic::transport::Server::builder().add_service(desk).serve_with_incoming(incoming));
        let identity =
            Identity { group: "shop/web".to_owned(), pod_name: "web-1".to_owned(), pod_uid: "uid-1".to_owned() };
        let engine = Engine::new(
            ReplicaId::new(ME).expect("not zero"),
            identity,
            1,
            DefaultLimits { max_value_bytes: 1024, max_bytes: 4096, max_entries: 10 },
        );
        let attendance = Attendance {
            caller: Caller { address, transport: Transport::plain(Refusals::default()) },
            namespace: "shop".to_owned(),
            group: "web".to_owned(),
            pod_name: "web-1".to_owned(),
            pod_uid: "uid-1".to_owned(),
            node: "node-1".to_owned(),
            keeper: true,
            address: "10.0.0.1:7072".parse().expect("an address"),
        };
        tokio::spawn(attend(engine.clone(), attendance));
        Self { engine, streams: Mutex::new(streams) }
    }

    /// The next stream, and the hello on it.
    async fn stream(&self) -> (Stream, Hello) {
        let mut stream = timeout(PATIENCE, self.streams.lock().await.recv()).await.expect("in time").expect("a stream");
        let Heard::Hello(hello) = stream.next().await else { panic!("the first report is the hello") };
        (stream, hello)
    }

    async fn wait_for_membership(&self, number: u64) {
        let mut lists = self.engine.membership();
        let there = lists.wait_for(|list| list.as_ref().is_some_and(|list| list.version.number == number));
        timeout(PATIENCE, there).await.expect("in time").expect("the engine lives");
    }
}

// === impl Stream ===

impl Stream {
    async fn next(&mut self) -> Heard {
        let report = timeout(PATIENCE, self.reports.message()).await.expect("in time");
        report.expect("a sound stream").expect("a report").body.expect("a body")
    }

    /// Reads until a report is what is looked for.
    async fn find<R>(&mut self, wanted: impl Fn(Heard) -> Option<R>) -> R {
        for _ in 0..20 {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
        panic!("twenty reports, and not the one that is looked for")
    }

    async fn say(&self, body: Say) {
        self.notices.send(Ok(Notice { body: Some(body) })).await.expect("the agent listens");
    }
}

fn list(number: u64) -> Membership {
    let me = Member {
        replica: ME,
        pod_name: "web-1".to_owned(),
        address: "10.0.0.1:7072".to_owned(),
        phase: Phase::Joining.into(),
        ..Member::default()
    };
    let version = Some(Version { uid: "u".to_owned(), number });
    Membership { version, members: vec![me], follows: vec![followed()], ..Membership::default() }
}

/// A list of the object that was before, which those of this one come after.
fn followed() -> Version {
    Version { uid: "before".to_owned(), number: 3 }
}

#[tokio::test]
async fn the_hello_says_who_the_agent_is_and_what_it_knows() {
    let bench = Bench::start().await;
    let (stream, hello) = bench.stream().await;
    assert_eq!((hello.namespace.as_str(), hello.group.as_str()), ("shop", "web"));
    assert_eq!((hello.pod_name.as_str(), hello.pod_uid.as_str(), hello.node.as_str()), ("web-1", "uid-1", "node-1"));
    assert_eq!((hello.replica, hello.address.as_str()), (ME, "10.0.0.1:7072"));
    assert_eq!((hello.phase(), hello.known, hello.members.len()), (Phase::Joining, None, 0));
    assert!(hello.keeper);
    stream.say(Say::Membership(list(5))).await;
    bench.wait_for_membership(5).await;
    drop(stream);
    let (_stream, hello) = bench.stream().await;
    assert_eq!(hello.known, Some(Version { uid: "u".to_owned(), number: 5 }));
    assert_eq!((hello.members.len(), hello.follows.as_slice()), (1, &[followed()][..]));
    assert_eq!(bench.engine.membership_number(), 5, "without a stream the last list stays");
}

#[tokio::test]
async fn a_list_that_makes_no_sense_is_passed_over() {
    let bench = Bench::start().await;
    let (stream, _) = bench.stream().await;
    stream.say(Say::Membership(list(1))).await;
    stream.say(Say::Membership(Membership { version: None, ..list(2) })).await;
    stream.say(Say::Membership(Membership { members: vec![Member::default()], ..list(3) })).await;
    stream.say(Say::Membership(list(4))).await;
    bench.wait_for_membership(4).await;
}

#[tokio::test]
async fn phases_are_told_and_a_joining_agent_says_whom_it_reaches() {
    let bench = Bench::start().await;
    let (mut stream, _) = bench.stream().await;
    let reached =
        stream.find(|heard| if let Heard::Reachability(report) = heard { Some(report.reached) } else { None });
    assert_eq!(reached.await, Vec::<u64>::new());
    bench.engine.set_phase(baton_replica::Phase::Active);
    let phase =
        |wanted: Phase| move |heard: Heard| matches!(heard, Heard::Phase(told) if told.phase() == wanted).then_some(());
    stream.find(phase(Phase::Active)).await;
    bench.engine.set_phase(baton_replica::Phase::Draining);
    stream.find(phase(Phase::Leaving)).await;
}

#[tokio::test]
async fn deleted_keys_that_a_member_has_not_heard_of_are_counted() {
    let bench = Bench::start().await;
    let (mut stream, _) = bench.stream().await;
    let mut list = list(1);
    let far = Member { replica: 8, pod_name: "web-2".to_owned(), phase: Phase::Active.into(), ..Member::default() };
    list.members.push(far);
    stream.say(Say::Membership(list)).await;
    bench.wait_for_membership(1).await;
    bench.engine.start_empty();
    let value = Value { content_type: Box::default(), body: b"v"[..].into() };
    for operation in [Operation::Put { value, expires_at: None }, Operation::Delete] {
        let key = Key::new(&MapName::parse("carts").expect("a name"), b"1").expect("a key");
        let acks = Some(AckLevel::Count(0));
        let write = Write { key, precondition: Precondition::default(), operation, acks };
        bench.engine.write(write).await.expect("it holds the state");
    }
    let one = |heard| matches!(heard, Heard::Phase(told) if (told.keys, told.tombstones) == (0, 1)).then_some(());
    stream.find(one).await;
}

#[tokio::test]
async fn a_receipt_is_said_again_when_its_stream_breaks() {
    let bench = Bench::start().await;
    let receipt = HandoffReport { replica: ME, keys: 3, ..HandoffReport::default() };
    let (mut stream, _) = bench.stream().await;
    bench.engine.reports().push(receipt.clone());
    let handoff = |heard| if let Heard::Handoff(report) = heard { Some(report) } else { None };
    assert_eq!(stream.find(handoff).await, receipt);
    drop(stream);
    let (mut stream, _) = bench.stream().await;
    assert_eq!(stream.find(handoff).await, receipt, "the first operator may have died with it");
    timeout(PATIENCE, bench.engine.reports().drained()).await.expect("it is off the queue");
}

#[tokio::test]
async fn an_operator_that_is_not_ready_is_asked_again() {
    let bench = Bench::start().await;
    let (stream, _) = bench.stream().await;
    stream.say(Say::Refusal(Refusal { retry: true, message: "not seen yet".to_owned() })).await;
    let (stream, _) = bench.stream().await;
    stream.say(Say::Membership(list(1))).await;
    bench.wait_for_membership(1).await;
}

#[tokio::test]
async fn the_operator_hears_who_is_settled_and_again_on_a_new_stream() {
    let bench = Bench::start().await;
    let (mut stream, _) = bench.stream().await;
    bench.engine.start_empty();
    let mut list = list(1);
    list.members.push(Member { replica: 9, phase: Phase::Gone.into(), ..Member::default() });
    stream.say(Say::Membership(list)).await;
    let settled = |heard| if let Heard::Settled(report) = heard { Some(report) } else { None };
    let told = stream.find(settled).await;
    assert_eq!(told.replicas, [9], "nobody else is there who could hold more of it");
    drop(stream);
    let (mut stream, _) = bench.stream().await;
    assert_eq!(stream.find(settled).await, told);
}
