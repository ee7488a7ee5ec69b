//! How an agent gets its certificate, from an operator that does as it is told.

use baton_identity::{Authority, Credential, Expected, Identity, LEAF_LIFE, Wallet, incoming};
use baton_wire::identity::IssueResponse;
use baton_wire::identity::identity_server::{Identity as Service, IdentityServer};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use super::*;
use crate::refusal::Refusals;
use crate::transport::Transport;

const POD: &str = "spiffe://td/ns/shop/group/web/pod/uid-1";

/// Signs for whoever asks, or refuses.
#[derive(Clone)]
struct Desk {
    authority: Arc<Authority>,
    refusal: Arc<Mutex<Option<Status>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

/// An operator, and the directory that is mounted into an agent.
struct Bench {
    desk: Desk,
    directory: TempDir,
    certificate: Certificate,
}

#[tonic::async_trait]
impl Service for Desk {
    async fn issue(&self, request: Request<IssueRequest>) -> Result<Response<IssueResponse>, Status> {
        let request = request.into_inner();
        self.tokens.lock().push(request.token);
        if let Some(refusal) = self.refusal.lock().clone() {
            return Err(refusal);
        }
        let identity = POD.parse().expect("an identity");
        let issued = self.authority.sign(&request.request, &identity, SystemTime::now(), LEAF_LIFE);
        let certificate = issued.expect("a certificate").der.into();
        Ok(Response::new(IssueResponse { certificate, valid_seconds: LEAF_LIFE.as_secs() }))
    }
}

// === impl Bench ===

impl Bench {
    /// With a server of this identity.
    async fn start(server: &str) -> Self {
        let authority = Arc::new(authority());
        let desk = Desk { authority, refusal: Arc::default(), tokens: Arc::default() };
        let shown = Arc::new(Wallet::default());
        shown.trust(&desk.authority.certificate).expect("roots");
        let identity: Identity = server.parse().expect("an identity");
        let (issued, key) = desk.authority.issue(&identity, SystemTime::now(), LEAF_LIFE).expect("a certificate");
        shown.hold(Credential::from_pem(&issued.pem, &key).expect("a credential"));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let connections =
            incoming(listener, shown.server_config(Expected::Anybody).expect("a configuration"), |_, _| {});
        let service = IdentityServer::new(desk.clone());
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(connections));

        let directory = tempfile::tempdir().expect("a directory");
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).expect("written");
        write(TOKEN, "t1\n");
        write(ROOTS, &desk.authority.certificate);
        let wallet = Arc::new(Wallet::default());
        let caller = Caller { address, transport: Transport::mutual(wallet.clone(), Refusals::default()) };
        let certificate = Certificate::new(caller, wallet, directory.path(), "web");
        Self { desk, directory, certificate }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.directory.path().join(file), text).expect("written");
    }

    fn identity(&self) -> Option<String> {
        self.certificate.wallet.identity().map(|identity| identity.to_string())
    }
}

fn authority() -> Authority {
    Authority::new("test CA", SystemTime::now(), 2 * LEAF_LIFE).expect("a CA")
}

#[tokio::test]
async fn an_agent_shows_its_token_and_renews_before_half_of_the_certificates_life() {
    let mut bench = Bench::start("spiffe://td/operator").await;
    let renewal = bench.certificate.first().await;
    assert_eq!(bench.identity().as_deref(), Some(POD));
    assert_eq!(*bench.desk.tokens.lock(), ["t1"]);
    let until = renewal.duration_since(SystemTime::now()).expect("later");
    assert!(until > LEAF_LIFE.mul_f64(0.39) && until <= LEAF_LIFE / 2, "{until:?}");
    bench.write(TOKEN, "t2");
    let mut renewal = SystemTime::now();
    bench.certificate.renew(&mut renewal).await.expect("a certificate");
    assert_eq!(*bench.desk.tokens.lock(), ["t1", "t2"], "the kubelet has renewed the token");
}

#[tokio::test]
async fn whoever_is_no_operator_does_not_see_the_token() {
    let mut bench = Bench::start("spiffe://td/ns/shop/group/web/pod/thief").await;
    let end = bench.certificate.ask().await.expect_err("a refusal");
    assert!(end.to_string().contains("no operator"), "{end}");
    bench.write(ROOTS, &authority().certificate);
    assert!(bench.certificate.ask().await.is_err(), "nor does one of another CA");
    assert!(bench.desk.tokens.lock().is_empty());
}

#[tokio::test]
async fn refusals_say_whether_asking_again_helps_and_leave_the_certificate() {
    let mut bench = Bench::start("spiffe://td/operator").await;
    bench.certificate.first().await;
    let mut refuse = async |status: Status| {
        *bench.desk.refusal.lock() = Some(status);
        bench.certificate.ask().await.expect_err("a refusal")
    };
    assert!(matches!(refuse(Status::permission_denied("no")).await, StreamEnd::Refused(_)));
    assert!(matches!(refuse(Status::unavailable("not yet")).await, StreamEnd::NotYet(_)));
    assert!(matches!(refuse(Status::unauthenticated("expired")).await, StreamEnd::Status(_)));
    assert_eq!(bench.identity().as_deref(), Some(POD));
}

#[tokio::test]
async fn roots_are_followed_and_rubbish_in_their_place_is_not() {
    let mut bench = Bench::start("spiffe://td/operator").await;
    bench.certificate.first().await;
    bench.write(ROOTS, "");
    assert!(bench.certificate.read_roots().await.is_err());
    bench.certificate.ask().await.expect_err("there are no roots to go by");
    let both = format!("{}{}", bench.desk.authority.certificate, authority().certificate);
    bench.write(ROOTS, &both);
    bench.certificate.ask().await.expect("a certificate");
    assert_eq!(bench.certificate.roots, both);
}
