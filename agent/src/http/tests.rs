//! The API over real connections.

mod batch;
mod collection;
mod entry;
mod group;
mod openapi;
mod owner;
mod presence;
mod watch;

use std::sync::Arc;

use baton_replica::ReplicaId;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::engine::{DefaultLimits, Engine, Identity};
use crate::metric::Metrics;

const ENTRY: &str = "/v1/maps/carts/entries/ann";

/// An agent's API on a port of its own.
struct Api {
    address: std::net::SocketAddr,
    engine: Arc<Engine>,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

// === impl Api ===

impl Api {
    /// An agent that waits for the state.
    async fn joining() -> Self {
        Self::joining_with(DefaultLimits { max_value_bytes: 64, max_bytes: 256, max_entries: 3 }).await
    }

    async fn joining_with(limits: DefaultLimits) -> Self {
        let identity = Identity { group: "default/test".into(), pod_name: "a".into(), pod_uid: String::new() };
        let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 4, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(crate::engine::tell_watchers(engine.clone()));
        tokio::spawn(super::serve(engine.clone(), listener, Metrics::new(engine.clone(), &Default::default())));
        Self { address, engine }
    }

    /// An agent that serves.
    async fn active() -> Self {
        let api = Self::joining().await;
        api.engine.start_empty();
        api
    }

    async fn active_with(limits: DefaultLimits) -> Self {
        let api = Self::joining_with(limits).await;
        api.engine.start_empty();
        api
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.raw(&[request.as_bytes(), body].concat()).await
    }

    async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("receives");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let status = head[9..12].parse().expect("a status");
        Answer { status, head, body: answer[end + 4..].to_vec() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], b"").await
    }

    async fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.call("PUT", path, &[], body).await
    }
}

// === impl Answer ===

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.head))
    }

    /// Checks that this is an error of the documented form.
    fn is_error(&self, status: u16, code: &str) {
        let body = self.json();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        assert!(!body["message"].as_str().unwrap_or_default().is_empty(), "{body}");
        assert!(!body["hint"].as_str().unwrap_or_default().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_value_comes_back_as_it_was_put() {
    let api = Api::active().await;
    let put = api.call("PUT", ENTRY, &[("content-type", "image/png")], b"\x00\xff\r\n").await;
    assert_eq!(put.status, 201);
    let got = api.get(ENTRY).await;
    assert_eq!((got.status, got.body.as_slice()), (200, b"\x00\xff\r\n".as_slice()));
    assert_eq!((got.header("content-type"), got.header("etag")), (Some("image/png"), put.header("etag")));
    let head = api.call("HEAD", ENTRY, &[], b"").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("4")));
    assert_eq!(api.put(ENTRY, b"again").await.status, 200);
    assert_eq!(api.call("DELETE", ENTRY, &[], b"").await.status, 204);
    api.get(ENTRY).await.is_error(404, "not_found");
    api.call("DELETE", ENTRY, &[], b"").await.is_error(404, "not_found");
}

#[tokio::test]
async fn any_bytes_are_a_key() {
    let api = Api::active().await;
    let path = "/v1/maps/carts/entries/a%2Fb/%00%FF%25";
    assert_eq!(api.put(path, b"v").await.status, 201);
    assert_eq!(api.get("/v1/maps/carts/entries/a/b%2F%00%FF%25").await.body, b"v");
    let list = api.get("/v1/maps/carts/entries?prefix=a%2Fb").await.json();
    let key = list["entries"][0]["key"].as_str().expect("a key").to_owned();
    assert_eq!(api.get(&format!("/v1/maps/carts/entries/{key}")).await.body, b"v");
}

#[tokio::test]
async fn conditions_compare_the_version_that_was_read() {
    let api = Api::active().await;
    let first = api.put(ENTRY, b"1").await.header("etag").expect("a tag").to_owned();
    let second = api.call("PUT", ENTRY, &[("if-match", &first)], b"2").await;
    assert_eq!(second.status, 200);
    let stale = api.call("PUT", ENTRY, &[("if-match", &first)], b"3").await;
    stale.is_error(412, "condition_failed");
    assert_eq!(stale.header("etag"), second.header("etag"), "the client learns what is there");
    api.call("PUT", ENTRY, &[("if-none-match", "*")], b"3").await.is_error(412, "condition_failed");
    api.call("DELETE", ENTRY, &[("if-match", &first)], b"").await.is_error(412, "condition_failed");
    assert_eq!(api.get(ENTRY).await.body, b"2");
    let tag = second.header("etag").expect("a tag");
    let unchanged = api.call("GET", ENTRY, &[("if-none-match", tag)], b"").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    api.call("PUT", "/v1/maps/carts/entries/bob", &[("if-match", "*")], b"1").await.is_error(412, "condition_failed");
    api.call("PUT", ENTRY, &[("if-match", "nonsense")], b"").await.is_error(400, "bad_etag");
}

#[tokio::test]
async fn siblings_are_listed_with_their_values() {
    let api = Api::active().await;
    let put = api.call("PUT", ENTRY, &[("content-type", "text/plain")], b"hello").await;
    let all = api.get(&format!("{ENTRY}?siblings=true")).await.json();
    assert_eq!(all["etag"].as_str(), put.header("etag"));
    assert_eq!(all["siblings"][0]["value"], "aGVsbG8=");
    assert_eq!(all["siblings"][0]["contentType"], "text/plain");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let api = Api::active().await;
    for key in ["b", "a", "c"] {
        assert_eq!(api.put(&format!("/v1/maps/carts/entries/{key}"), b"v").await.status, 201);
    }
    let first = api.get("/v1/maps/carts/entries?limit=2&values=true").await.json();
    let keys = |page: &Value| -> Vec<String> {
        let rows = page["entries"].as_array().expect("rows");
        rows.iter().map(|row| row["key"].as_str().expect("a key").to_owned()).collect()
    };
    assert_eq!((keys(&first), &first["entries"][0]["value"]), (vec!["a".into(), "b".into()], &Value::from("dg==")));
    let cursor = first["cursor"].as_str().expect("there is more");
    let second = api.get(&format!("/v1/maps/carts/entries?limit=2&cursor={cursor}")).await.json();
    assert_eq!((keys(&second), &second["cursor"]), (vec!["c".into()], &Value::Null));
    assert_eq!(api.get("/v1/maps/other/entries").await.json()["entries"], Value::Array(Vec::new()));
    api.get("/v1/maps/carts/entries?cursor=!").await.is_error(400, "bad_cursor");
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_nothing_is_lost() {
    let api = Api::active().await;
    assert_eq!(api.put(ENTRY, b"kept").await.status, 201);
    api.put(ENTRY, &[0; 65]).await.is_error(413, "value_too_large");
    let chunked = "PUT /v1/maps/carts/entries/ann HTTP/1.1\r\nhost: agent\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("{chunked}50\r\n{}\r\n0\r\n\r\n", "x".repeat(0x50));
    api.raw(chunks.as_bytes()).await.is_error(413, "value_too_large");
    api.put(&format!("/v1/maps/carts/entries/{}", "k".repeat(1025)), b"").await.is_error(400, "bad_key");
    for key in ["b", "c"] {
        assert_eq!(api.put(&format!("/v1/maps/carts/entries/{key}"), &[0; 64]).await.status, 201);
    }
    api.put("/v1/maps/carts/entries/d", b"").await.is_error(507, "map_full");
    assert_eq!(api.put("/v1/maps/other/entries/d", b"").await.status, 201, "another map has room");
    assert_eq!(api.get(ENTRY).await.body, b"kept");
}

#[tokio::test]
async fn a_full_map_still_takes_what_makes_it_smaller() {
    let api = Api::active().await;
    for key in ["a", "b", "c"] {
        assert_eq!(api.put(&format!("/v1/maps/carts/entries/{key}"), &[0; 64]).await.status, 201);
    }
    assert_eq!(api.put("/v1/maps/carts/entries/a", b"small").await.status, 200);
    assert_eq!(api.call("DELETE", "/v1/maps/carts/entries/b", &[], b"").await.status, 204);
    assert_eq!(api.put("/v1/maps/carts/entries/d", b"").await.status, 201);
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let api = Api::active().await;
    api.put("/v1/maps/Carts/entries/a", b"").await.is_error(400, "bad_map");
    api.put("/v1/maps/carts/entries/", b"").await.is_error(400, "bad_key");
    api.put(&format!("{ENTRY}?acks=most"), b"").await.is_error(400, "bad_acks");
    api.put(&format!("{ENTRY}?ack=1"), b"").await.is_error(400, "bad_query");
    api.get("/v1/maps/carts/entries?limit=0").await.is_error(400, "bad_query");
    api.get("/nothing").await.is_error(404, "unknown_path");
    api.call("PATCH", ENTRY, &[], b"").await.is_error(405, "method_not_allowed");
    assert_eq!(api.get("/v1/status").await.json()["keys"], 0);
}

#[tokio::test]
async fn an_agent_that_is_alone_accepts_writes_by_default() {
    let api = Api::active().await;
    let alone = api.put(&format!("{ENTRY}?acks=2"), b"v").await;
    assert_eq!((alone.status, alone.header("baton-acks")), (201, Some("0")));
}

#[tokio::test]
async fn an_agent_without_the_state_guesses_nothing() {
    let api = Api::joining().await;
    for (method, path) in [("GET", ENTRY), ("PUT", ENTRY), ("DELETE", ENTRY), ("GET", "/v1/maps/carts/entries")] {
        let answer = api.call(method, path, &[], b"").await;
        answer.is_error(503, "joining");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(api.get("/v1/status").await.json()["phase"], "Joining");
}

#[tokio::test]
async fn a_sealed_agent_reads_and_does_not_write() {
    let api = Api::active().await;
    assert_eq!(api.put(ENTRY, b"v").await.status, 201);
    api.engine.seal();
    let refused = api.put(ENTRY, b"w").await;
    refused.is_error(503, "sealed");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(api.get(ENTRY).await.body, b"v");
}

#[tokio::test]
async fn garbage_costs_its_connection_only() {
    let api = Api::active().await;
    for bytes in [b"\x00\x01\x02\x03\r\n\r\n".as_slice(), b"GET\r\n\r\n", b"PUT / HTTP/9.9\r\n\r\n"] {
        let mut stream = TcpStream::connect(api.address).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    assert_eq!(api.put(ENTRY, b"v").await.status, 201);
}
