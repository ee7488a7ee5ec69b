//! Who gets through a handshake, and who does not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_identity::{
    Authority, ConnectError, Credential, Expected, Identity, KeyRequest, Keyring, LEAF_LIFE, Refusal, Wallet, connect,
    incoming,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;

const SOON: Duration = Duration::from_secs(120);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A server that answers each byte, on a port of its own.
struct Server {
    address: String,
    refusals: mpsc::UnboundedReceiver<Refusal>,
}

impl Server {
    async fn start(wallet: &Arc<Wallet>, expected: Expected) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (refused, refusals) = mpsc::unbounded_channel();
        let config = wallet.server_config(expected).expect("a configuration");
        let mut streams = incoming(listener, config, move |_, refusal| drop(refused.send(refusal.clone())));
        tokio::spawn(async move {
            while let Some(Ok(mut stream)) = streams.next().await {
                tokio::spawn(async move {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
                });
            }
        });
        Self { address, refusals }
    }

    async fn refusal(&mut self) -> Refusal {
        timeout(SOON, self.refusals.recv()).await.expect("a refusal in time").expect("the server lives")
    }
}

fn authority() -> Authority {
    Authority::new("test CA", SystemTime::now(), YEAR).expect("a CA")
}

fn name(uri: &str) -> Identity {
    uri.parse().expect("an identity")
}

/// A process that this CA has given this identity.
fn holder(authority: &Authority, uri: &str) -> Arc<Wallet> {
    holder_since(authority, uri, SystemTime::now())
}

fn holder_since(authority: &Authority, uri: &str, since: SystemTime) -> Arc<Wallet> {
    let wallet = stranger(authority);
    let (issued, key) = authority.issue(&name(uri), since, LEAF_LIFE).expect("a certificate");
    wallet.hold(Credential::from_pem(&issued.pem, &key).expect("a credential"));
    wallet
}

/// A process that trusts this CA and has no certificate.
fn stranger(authority: &Authority) -> Arc<Wallet> {
    let wallet = Arc::new(Wallet::default());
    wallet.trust(&authority.certificate).expect("roots");
    wallet
}

/// Connects, and has one byte answered: a client hears of a refusal of itself no sooner.
async fn exchange(wallet: &Arc<Wallet>, expected: Expected, server: &Server) -> Result<Identity, ConnectError> {
    let config = wallet.client_config(expected).expect("a configuration");
    let (mut stream, identity) = connect(&server.address, config, SOON).await?;
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(identity)
}

const WEB_A: &str = "spiffe://td/ns/shop/group/web/pod/a";
const WEB_B: &str = "spiffe://td/ns/shop/group/web/pod/b";

#[tokio::test]
async fn members_of_one_group_know_each_other() {
    let ca = authority();
    let server = Server::start(&holder(&ca, WEB_A), Expected::OwnGroup).await;
    let met = exchange(&holder(&ca, WEB_B), Expected::OwnGroup, &server).await;
    assert_eq!(met.expect("a connection"), name(WEB_A));
}

#[tokio::test]
async fn whoever_is_not_of_the_group_is_refused_with_the_reason() {
    let (ca, other_ca) = (authority(), authority());
    let mut server = Server::start(&holder(&ca, WEB_A), Expected::OwnGroup).await;
    let now = SystemTime::now();
    let forged = holder(&other_ca, WEB_B);
    forged.trust(&ca.certificate).expect("roots");
    let cases = [
        (holder(&ca, "spiffe://td/ns/shop/group/cart/pod/b"), Refusal::OtherGroup),
        (holder(&ca, "spiffe://td/ns/stage/group/web/pod/b"), Refusal::OtherNamespace),
        (holder(&ca, "spiffe://td/operator"), Refusal::NoMember),
        (holder_since(&ca, WEB_B, now - 2 * LEAF_LIFE), Refusal::Expired),
        (holder_since(&ca, WEB_B, now + LEAF_LIFE), Refusal::NotYetValid),
        (forged, Refusal::Untrusted),
        (stranger(&ca), Refusal::NoCertificate),
    ];
    for (wallet, reason) in cases {
        // The client takes any member: what is looked at is the server.
        assert!(exchange(&wallet, Expected::Anybody, &server).await.is_err(), "{reason}");
        assert_eq!(server.refusal().await, reason);
    }
}

#[tokio::test]
async fn a_server_of_another_group_is_refused_by_the_client() {
    let ca = authority();
    let server = Server::start(&holder(&ca, "spiffe://td/ns/shop/group/cart/pod/b"), Expected::OwnGroup).await;
    let refused = exchange(&holder(&ca, WEB_A), Expected::OwnGroup, &server).await;
    assert!(matches!(refused, Err(ConnectError::Refused(Refusal::OtherGroup))), "{refused:?}");
    let refused = exchange(&holder(&ca, WEB_A), Expected::Operator, &server).await;
    assert!(matches!(refused, Err(ConnectError::Refused(Refusal::NoOperator))), "{refused:?}");
    let refused = exchange(&holder(&ca, "spiffe://other/operator"), Expected::Anybody, &server).await;
    assert!(matches!(refused, Err(ConnectError::Refused(Refusal::OtherTrustDomain))), "{refused:?}");
}

#[tokio::test]
async fn plain_tcp_is_refused() {
    let ca = authority();
    let mut server = Server::start(&holder(&ca, WEB_A), Expected::OwnGroup).await;
    let mut plain = TcpStream::connect(&server.address).await.expect("a connection");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    assert_eq!(server.refusal().await, Refusal::NoTls);
    let mut heard = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut heard)).await.expect("it is closed");
    assert!(heard.len() < 16, "an alert at most: {heard:?}");
}

#[tokio::test]
async fn somebody_without_a_certificate_may_ask_an_operator_for_one() {
    let ca = authority();
    let server = Server::start(&holder(&ca, "spiffe://td/operator"), Expected::Anybody).await;
    let met = exchange(&stranger(&ca), Expected::Operator, &server).await;
    assert_eq!(met.expect("a connection"), name("spiffe://td/operator"));
}

#[tokio::test]
async fn a_request_gets_the_identity_that_was_proved_and_not_one_that_it_names() {
    let ca = authority();
    let request = KeyRequest::new().expect("a key");
    let der = request.to_der().expect("a request");
    let issued = ca.sign(&der, &name(WEB_B), SystemTime::now(), LEAF_LIFE).expect("a certificate");
    let credential = request.into_credential(issued.der).expect("a credential");
    assert_eq!(*credential.identity(), name(WEB_B));
    let wallet = stranger(&ca);
    wallet.hold(credential);
    let server = Server::start(&holder(&ca, WEB_A), Expected::OwnGroup).await;
    exchange(&wallet, Expected::OwnGroup, &server).await.expect("a connection");
}

#[tokio::test]
async fn a_request_that_another_key_has_signed_is_refused() {
    let ca = authority();
    let mut der = KeyRequest::new().and_then(|request| request.to_der()).expect("a request");
    let last = der.len() - 1;
    der[last] ^= 1;
    assert!(ca.sign(&der, &name(WEB_B), SystemTime::now(), LEAF_LIFE).is_err());
    assert!(ca.sign(b"rubbish", &name(WEB_B), SystemTime::now(), LEAF_LIFE).is_err());
}

#[tokio::test]
async fn certificate_and_roots_are_exchanged_while_a_connection_is_up() {
    let start = SystemTime::now();
    let keyring = Keyring::default().tended(start).expect("a keyring");
    let old = keyring.signer(start).expect("a CA");
    let (a, b) = (holder(&old, WEB_A), holder(&old, WEB_B));
    let server = Server::start(&a, Expected::OwnGroup).await;
    let config = b.client_config(Expected::OwnGroup).expect("a configuration");
    let (mut up, _) = connect(&server.address, config, SOON).await.expect("a connection");

    // Both CAs are trusted while the leaves change one after the other, then the new one alone.
    let turned = keyring.turned(start).expect("a keyring");
    let new = turned.signer(start + Duration::from_secs(3600)).expect("a CA");
    assert_ne!(new, old);
    [&a, &b].iter().for_each(|wallet| wallet.trust(&turned.roots()).expect("roots"));
    for wallet in [&b, &a] {
        let uri = wallet.identity().expect("an identity");
        let (issued, key) = new.issue(&uri, start, LEAF_LIFE).expect("a certificate");
        wallet.hold(Credential::from_pem(&issued.pem, &key).expect("a credential"));
        exchange(&b, Expected::OwnGroup, &server).await.expect("old and new know each other");
    }
    [&a, &b].iter().for_each(|wallet| wallet.trust(&new.certificate).expect("roots"));
    exchange(&b, Expected::OwnGroup, &server).await.expect("the new CA is enough");
    up.write_all(b"x").await.expect("the connection is up");
    up.read_exact(&mut [0]).await.expect("the connection is up");

    let mut server = server;
    let refused = exchange(&holder_with_roots(&old, WEB_B, &new), Expected::OwnGroup, &server).await;
    assert!(refused.is_err());
    assert_eq!(server.refusal().await, Refusal::Untrusted);
}

fn holder_with_roots(authority: &Authority, uri: &str, trusted: &Authority) -> Arc<Wallet> {
    let wallet = holder(authority, uri);
    wallet.trust(&trusted.certificate).expect("roots");
    wallet
}

#[test]
fn roots_that_are_none_leave_those_before() {
    let wallet = Arc::new(Wallet::default());
    assert!(wallet.trust("").is_err());
    assert!(wallet.trust("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n").is_err());
}

#[test]
fn a_key_that_does_not_fit_is_refused() {
    let ca = authority();
    let (issued, _) = ca.issue(&name(WEB_A), SystemTime::now(), LEAF_LIFE).expect("a certificate");
    let (_, other_key) = ca.issue(&name(WEB_A), SystemTime::now(), LEAF_LIFE).expect("a certificate");
    assert!(Credential::from_pem(&issued.pem, &other_key).is_err());
}
