//! The directory over a real connection, with an API server that cannot be reached.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_crds::membership::MemberPhase::{Active, Joining, Leaving};
use baton_crds::membership::ReplicaId;
use baton_identity::{Authority, Credential, Expected, LEAF_LIFE, Wallet, connect, incoming};
use baton_wire::directory as wire;
use baton_wire::directory::directory_client::DirectoryClient;
use baton_wire::directory::directory_server::DirectoryServer;
use baton_wire::directory::notice::Body as NoticeBody;
use baton_wire::directory::report::Body as ReportBody;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status, Streaming};

use super::{Attendance, DirectoryService, Line};
use crate::api::ApiServer;
use crate::fixture::{group, listing, pod, row};
use crate::index::{GroupKey, Life, SharedIndex};
use crate::lease::Office;
use crate::metrics::Metrics;

/// Longer than anything takes here, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(120);

/// A directory on a port of its own.
struct Directory {
    index: SharedIndex,
    attendance: Arc<Attendance>,
    metrics: Metrics,
    authority: Authority,
    address: String,
}

/// An agent's end of a stream.
struct Agent {
    reports: mpsc::Sender<wire::Report>,
    notices: Streaming<wire::Notice>,
}

impl Directory {
    async fn start() -> Self {
        let authority = Authority::new("test CA", SystemTime::now(), 2 * LEAF_LIFE).expect("a CA");
        Self::of(authority, Office::always(true), Line::to(None)).await
    }

    /// One that does not hold the lease, beside this one, which does.
    async fn beside(&self) -> Self {
        let wallet = wallet(&self.authority, Some("spiffe://td/operator"));
        let line = Line::to(Some((&self.address, &wallet)));
        Self::of(self.authority.clone(), Office::always(false), line).await
    }

    async fn of(authority: Authority, office: Office, line: Line) -> Self {
        let unreachable = |_: hyper::Request<kube::client::Body>| async {
            Err::<hyper::Response<kube::client::Body>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
        };
        let client = kube::Client::new(tower::service_fn(unreachable), "default");
        let service = DirectoryService {
            index: SharedIndex::default(),
            attendance: Arc::default(),
            api: ApiServer::new(client),
            metrics: Default::default(),
            refusals: Arc::default(),
            office,
            line,
            stop: Default::default(),
        };
        let (index, attendance, metrics) = (service.index.clone(), service.attendance.clone(), service.metrics.clone());
        index.write().apply_group(group("web", 100));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let config = wallet(&authority, Some("spiffe://td/operator")).server_config(Expected::Anybody);
        let connections = incoming(listener, config.expect("a configuration"), |_, _| {});
        let server = tonic::transport::Server::builder().add_service(DirectoryServer::new(service));
        tokio::spawn(server.serve_with_incoming(connections));
        Self { index, attendance, metrics, authority, address }
    }

    /// By a connection that shows the certificate of this identity, if any.
    async fn client_as(&self, identity: Option<&str>) -> DirectoryClient<Channel> {
        let config = wallet(&self.authority, identity).client_config(Expected::Operator).expect("a configuration");
        let (connection, _) = connect(&self.address, config, SOON).await.expect("a connection");
        let mut connection = Some(connection);
        let connector = tower::service_fn(move |_: Uri| {
            let connection = connection.take().ok_or(std::io::Error::from(std::io::ErrorKind::NotConnected));
            async move { connection.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://directory").connect_with_connector(connector).await;
        DirectoryClient::new(channel.expect("a channel"))
    }

    /// A stream by such a connection.
    async fn open_as(&self, identity: Option<&str>) -> Result<Agent, Status> {
        let (reports, stream) = mpsc::channel(16);
        let notices = self.client_as(identity).await.attend(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Agent { reports, notices })
    }

    /// A call to forward by somebody of this identity.
    async fn forward_as(&self, identity: &str) -> Result<(), Status> {
        let (_reports, stream) = mpsc::channel(1);
        self.client_as(Some(identity)).await.forward(ReceiverStream::new(stream)).await.map(drop)
    }

    async fn open(&self, pod: &str) -> Agent {
        let identity = format!("spiffe://td/ns/shop/group/web/pod/uid-{pod}");
        self.open_as(Some(&identity)).await.expect("a stream")
    }

    async fn hello(&self, replica: u64, pod: &str) -> Agent {
        let agent = self.open(pod).await;
        agent.say(ReportBody::Hello(hello(replica, pod))).await;
        agent
    }

    fn list(&self, number: u64, rows: Vec<baton_crds::membership::MemberRow>) {
        self.index.write().apply_listing(&GroupKey::new("shop", "web"), listing(number, None, rows));
    }

    /// Waits until so many agents attend.
    async fn attended_by(&self, count: usize) {
        let wait = async {
            while self.attendance.len() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("attendance");
    }
}

impl Agent {
    async fn say(&self, body: ReportBody) {
        self.reports.send(wire::Report { body: Some(body) }).await.expect("an open stream");
    }

    async fn hear(&mut self) -> NoticeBody {
        let notice = tokio::time::timeout(SOON, self.notices.message()).await.expect("an answer in time");
        notice.expect("a notice").expect("an open stream").body.expect("a body")
    }

    async fn number(&mut self) -> u64 {
        let NoticeBody::Membership(membership) = self.hear().await else { panic!("a refusal") };
        membership.version.expect("a version").number
    }

    async fn refusal(&mut self) -> wire::Refusal {
        let NoticeBody::Refusal(refusal) = self.hear().await else { panic!("a membership") };
        refusal
    }

    async fn end(&mut self) -> Code {
        tokio::time::timeout(SOON, self.notices.message()).await.expect("an end in time").expect_err("an error").code()
    }
}

fn wallet(authority: &Authority, identity: Option<&str>) -> Arc<Wallet> {
    let wallet = Arc::new(Wallet::default());
    wallet.trust(&authority.certificate).expect("roots");
    if let Some(identity) = identity {
        let identity = identity.parse().expect("an identity");
        let (issued, key) = authority.issue(&identity, SystemTime::now(), LEAF_LIFE).expect("a certificate");
        wallet.hold(Credential::from_pem(&issued.pem, &key).expect("a credential"));
    }
    wallet
}

fn hello(replica: u64, pod: &str) -> wire::Hello {
    wire::Hello {
        namespace: "shop".into(),
        group: "web".into(),
        pod_name: pod.into(),
        pod_uid: format!("uid-{pod}"),
        node: "node-1".into(),
        replica,
        address: format!("{pod}:7072"),
        phase: wire::Phase::Joining.into(),
        known: None,
        release: String::new(),
        members: vec![],
        held_state: false,
        age_millis: 0,
        keeper: false,
        follows: Vec::new(),
    }
}

#[tokio::test]
async fn an_agent_hears_of_lists_from_the_first_that_names_it() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    directory.list(1, vec![row(9, "z", Active)]);
    let mut agent = directory.hello(1, "a").await;
    directory.attended_by(1).await;
    directory.list(2, vec![row(9, "z", Active)]);
    directory.list(3, vec![row(9, "z", Active), row(1, "a", Joining)]);
    assert_eq!(agent.number().await, 3);
    directory.list(4, vec![row(9, "z", Leaving), row(1, "a", Joining)]);
    assert_eq!(agent.number().await, 4);
}

#[tokio::test]
async fn a_change_of_the_groups_settings_is_told() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    directory.list(1, vec![row(1, "a", Active)]);
    let mut agent = directory.hello(1, "a").await;
    assert_eq!(agent.number().await, 1);
    let mut changed = group("web", 100);
    changed.spec.handoff.acks = 2;
    directory.index.write().apply_group(changed);
    let NoticeBody::Membership(membership) = agent.hear().await else { panic!("a refusal") };
    assert_eq!(membership.settings.expect("settings").handoff_acks, 2);
}

#[tokio::test]
async fn reports_reach_the_attendance_and_the_seat_ends_with_the_stream() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    let agent = directory.hello(1, "a").await;
    let report = wire::PhaseReport {
        phase: wire::Phase::Leaving.into(),
        in_sync: true,
        keys: 40,
        bytes: 400,
        held_state: true,
        tombstones: 4,
    };
    agent.say(ReportBody::Phase(report)).await;
    agent.say(ReportBody::Reachability(wire::Reachability { reached: vec![7], always: true })).await;
    let key = GroupKey::new("shop", "web");
    let heard = async {
        loop {
            let attendees = directory.attendance.attendees(&key);
            if let Some(one) = attendees.get(&ReplicaId(1)).filter(|one| !one.reached.is_empty()) {
                return one.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let one = tokio::time::timeout(SOON, heard).await.expect("reports");
    assert_eq!((one.phase, one.held_state, one.in_sync, one.keys, one.bytes), (Leaving, true, true, 40, 400));
    assert!(one.says_whom_it_reaches && one.tombstones == 4);
    drop(agent);
    directory.attended_by(0).await;
}

#[tokio::test]
async fn an_agent_that_never_reads_delays_nobody_and_hears_the_newest_in_the_end() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    directory.index.write().apply_pod("shop", pod("b"));
    let mut slow = directory.hello(1, "a").await;
    let mut quick = directory.hello(2, "b").await;
    directory.attended_by(2).await;
    // Each list is large, so that what the slow one has not read fills every window on its way.
    let mut rows = vec![row(1, "a", Active), row(2, "b", Active)];
    rows.extend((10..1_010).map(|replica| row(replica, &format!("gone-{replica}"), Leaving)));
    const LAST: u64 = 100;
    for number in 1..=LAST {
        directory.list(number, rows.clone());
        while quick.number().await < number {}
    }
    let mut heard = 0;
    let mut last = 0;
    while last < LAST {
        last = slow.number().await;
        heard += 1;
    }
    assert!(heard < LAST / 2, "the slow agent was sent {heard} of {LAST} lists");
}

#[tokio::test]
async fn a_pod_that_nobody_knows_is_told_to_ask_again() {
    let directory = Directory::start().await;
    let refusal = directory.hello(1, "a").await.refusal().await;
    assert!(refusal.retry && refusal.message.contains("cannot be read"), "{}", refusal.message);
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_worth_asking_again() {
    let directory = Directory::start().await;
    directory.index.write().delete_group(&GroupKey::new("shop", "web"));
    assert!(directory.hello(1, "a").await.refusal().await.retry);
}

#[tokio::test]
async fn a_pod_that_has_ended_is_refused_for_good() {
    let directory = Directory::start().await;
    let mut ended = pod("a");
    ended.life = Life::Finished;
    directory.index.write().apply_pod("shop", ended);
    assert!(!directory.hello(1, "a").await.refusal().await.retry);
}

#[tokio::test]
async fn streams_that_make_no_sense_end_with_a_reason() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    let mut early = directory.open("a").await;
    early.say(ReportBody::Reachability(wire::Reachability::default())).await;
    assert_eq!(early.end().await, Code::FailedPrecondition);

    let mut nameless = directory.hello(0, "a").await;
    assert_eq!(nameless.end().await, Code::InvalidArgument);

    let mut twice = directory.hello(1, "a").await;
    twice.say(ReportBody::Hello(hello(1, "a"))).await;
    assert_eq!(twice.end().await, Code::InvalidArgument);
}

#[tokio::test]
async fn agents_of_a_group_that_is_deleted_are_let_go() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    let mut agent = directory.hello(1, "a").await;
    directory.attended_by(1).await;
    directory.index.write().delete_group(&GroupKey::new("shop", "web"));
    let end = tokio::time::timeout(SOON, agent.notices.message()).await.expect("an end in time");
    assert!(matches!(end, Ok(None)), "{end:?}");
    directory.attended_by(0).await;
}

#[tokio::test]
async fn without_a_certificate_nobody_hears_who_is_a_member() {
    let directory = Directory::start().await;
    let Err(refused) = directory.open_as(None).await else { panic!("a stream for a stranger") };
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(directory.metrics.refused_connections("no_certificate"), 1);
}

#[tokio::test]
async fn a_certificate_is_good_for_its_own_pod_and_group_alone() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    directory.index.write().apply_pod("shop", pod("b"));
    let others = [
        "spiffe://td/ns/shop/group/web/pod/uid-b",
        "spiffe://td/ns/shop/group/cart/pod/uid-a",
        "spiffe://td/ns/stage/group/web/pod/uid-a",
    ];
    for other in others {
        let mut agent = directory.open_as(Some(other)).await.expect("a stream");
        agent.say(ReportBody::Hello(hello(1, "a"))).await;
        let refusal = agent.refusal().await;
        assert!(!refusal.retry && refusal.message.contains("certificate"), "{}", refusal.message);
    }
    assert_eq!(directory.metrics.refused_connections("other_certificate"), 3);
    assert!(directory.attendance.is_empty());
}

/// Waits until something is so.
async fn soon(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("in time");
}

fn key() -> GroupKey {
    GroupKey::new("shop", "web")
}

#[tokio::test]
async fn what_agents_say_to_another_operator_is_heard_by_the_one_that_writes() {
    let holder = Directory::start().await;
    let beside = holder.beside().await;
    beside.index.write().apply_pod("shop", pod("a"));
    let agent = beside.hello(7, "a").await;
    agent
        .say(ReportBody::Phase(wire::PhaseReport { phase: wire::Phase::Active.into(), keys: 40, ..Default::default() }))
        .await;
    let heard = || holder.attendance.attendees(&key()).get(&ReplicaId(7)).cloned();
    soon(|| heard().is_some_and(|one| one.keys == 40 && one.phase == Active && one.forwarded)).await;
    assert_eq!((holder.attendance.len(), holder.attendance.forwarded()), (0, 1));
    assert_eq!((beside.attendance.len(), beside.attendance.forwarded()), (1, 0));

    let outcome = wire::Outcome::Acknowledged.into();
    let receipt = wire::HandoffReport {
        replica: 7,
        pod_name: "a".into(),
        pod_uid: "uid-a".into(),
        stage: wire::handoff_report::Stage::Sealed.into(),
        outcome,
        ..Default::default()
    };
    agent.say(ReportBody::Handoff(receipt)).await;
    // It is known here too, should the holder die.
    soon(|| beside.attendance.take_receipts(&key()).len() == 1).await;
    drop(agent);
    soon(|| heard().is_none()).await;
    assert_eq!(holder.attendance.take_receipts(&key()).len(), 1, "the last word is brought");
}

#[tokio::test]
async fn a_stream_to_another_operator_ends_no_newer_one_to_the_holder() {
    let holder = Directory::start().await;
    let beside = holder.beside().await;
    for directory in [&holder, &beside] {
        directory.index.write().apply_pod("shop", pod("a"));
    }
    let old = beside.hello(7, "a").await;
    soon(|| holder.attendance.forwarded() == 1).await;
    let _new = holder.hello(7, "a").await;
    holder.attended_by(1).await;
    let forwarded = || holder.attendance.attendees(&key()).get(&ReplicaId(7)).map(|one| one.forwarded);
    soon(|| forwarded() == Some(false)).await;
    drop(old);
    soon(|| holder.attendance.forwarded() == 0).await;
    assert_eq!(forwarded(), Some(false));
}

#[tokio::test]
async fn nobody_but_an_operator_forwards_and_nobody_but_the_holder_listens() {
    let holder = Directory::start().await;
    let member = holder.forward_as("spiffe://td/ns/shop/group/web/pod/uid-a").await;
    assert_eq!(member.expect_err("a refusal").code(), Code::PermissionDenied);
    let beside = holder.beside().await;
    let operator = beside.forward_as("spiffe://td/operator").await;
    assert_eq!(operator.expect_err("a refusal").code(), Code::Unavailable);
}

#[tokio::test]
async fn an_agent_is_sent_no_older_list_than_the_one_that_it_has() {
    let directory = Directory::start().await;
    directory.index.write().apply_pod("shop", pod("a"));
    directory.list(4, vec![row(7, "a", Active)]);
    let mut agent = directory.open("a").await;
    let known = Some(wire::Version { uid: "list".into(), number: 6 });
    agent.say(ReportBody::Hello(wire::Hello { known, ..hello(7, "a") })).await;
    directory.attended_by(1).await;
    directory.list(5, vec![row(7, "a", Active)]);
    directory.list(6, vec![row(7, "a", Active)]);
    assert_eq!(agent.number().await, 6);
}

#[tokio::test]
async fn that_an_agent_was_listed_is_known_to_whoever_writes_next() {
    let holder = Directory::start().await;
    let beside = holder.beside().await;
    beside.index.write().apply_pod("shop", pod("a"));
    beside.list(4, vec![row(7, "a", Active)]);
    let mut agent = beside.hello(7, "a").await;
    assert_eq!(agent.number().await, 4);
    let attendee = || beside.attendance.attendees(&key()).remove(&ReplicaId(7));
    soon(|| attendee().is_some_and(|one| one.known.is_some())).await;
    let removed = listing(5, None, vec![]);
    assert!(attendee().is_some_and(|one| one.was_removed(ReplicaId(7), &removed)));
}
