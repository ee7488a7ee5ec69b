//! Watches: what is told, where a client that comes back goes on, and what it hears when that cannot be.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Api, ENTRY};

const PATIENCE: Duration = Duration::from_secs(120);

/// One open watch.
struct Watch {
    stream: TcpStream,
    buffer: String,
}

#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

// === impl Api ===

impl Api {
    async fn watch(&self, query: &str, seen: Option<&str>) -> Watch {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        let seen = seen.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        // Of this version, since its answers are not in chunks.
        let request = format!("GET /v1/watch{query} HTTP/1.0\r\n{seen}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut watch = Watch { stream, buffer: String::new() };
        let head = watch.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.0 200") && head.contains("text/event-stream"), "{head}");
        watch
    }
}

// === impl Watch ===

impl Watch {
    async fn next(&mut self) -> Event {
        let block = self.until("\n\n").await;
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).expect(name).to_owned();
        Event { id: field("id: "), kind: field("event: "), data: serde_json::from_str(&field("data: ")).expect("JSON") }
    }

    async fn expect(&mut self, kind: &str) -> Event {
        let event = self.next().await;
        assert_eq!(event.kind, kind, "{event:?}");
        event
    }

    async fn until(&mut self, end: &str) -> String {
        let mut bytes = [0; 4096];
        while !self.buffer.contains(end) {
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await.expect("in time").expect("it is open");
            assert!(read > 0, "it has ended after {:?}", self.buffer);
            self.buffer.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        }
        let at = self.buffer.find(end).expect("it is there") + end.len();
        let rest = self.buffer.split_off(at);
        std::mem::replace(&mut self.buffer, rest)
    }
}

#[tokio::test]
async fn each_change_comes_once_in_order_with_what_was_and_what_is() {
    let api = Api::active().await;
    let mut watch = api.watch("", None).await;
    assert_eq!(watch.expect("start").await.data, json!({"replica": "0000000000000007"}));
    let put = api.call("PUT", ENTRY, &[("content-type", "application/json")], b"{\n\"n\": 1}").await;
    api.put(&format!("{ENTRY}?ttl=1h"), b"\xff").await;
    api.put("/v1/maps/carts/hashes/a%2Fb/f", b"x").await;
    api.call("DELETE", ENTRY, &[], b"").await;

    let first = watch.expect("change").await.data;
    assert_eq!((&first["map"], &first["key"], &first["old"]), (&json!("carts"), &json!("ann"), &Value::Null));
    assert_eq!((first["new"]["json"].clone(), first["new"]["etag"].as_str()), (json!({"n": 1}), put.header("etag")));
    let second = watch.expect("change").await.data;
    assert_eq!((&second["old"], &second["new"]["base64"]), (&first["new"], &json!("/w==")));
    assert!(second["new"]["expiresAt"].is_u64());
    let third = watch.expect("change").await.data;
    assert_eq!((&third["key"], &third["field"], &third["new"]["text"]), (&json!("a%2Fb"), &json!("f"), &json!("x")));
    let fourth = watch.expect("change").await.data;
    assert_eq!((&fourth["old"], &fourth["new"]), (&second["new"], &Value::Null));
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_where_it_was() {
    let api = Api::active().await;
    let mut watch = api.watch("", None).await;
    let start = watch.expect("start").await.id;
    for body in [b"1", b"2", b"3"] {
        api.put(ENTRY, body).await;
    }
    let first = watch.expect("change").await;
    drop(watch);
    api.put(ENTRY, b"4").await;
    for (seen, expected) in [(&start, &["1", "2", "3", "4"][..]), (&first.id, &["2", "3", "4"])] {
        let mut again = api.watch("", Some(seen)).await;
        for value in expected {
            assert_eq!(again.expect("change").await.data["new"]["text"], *value);
        }
    }
}

#[tokio::test]
async fn an_id_of_another_life_or_of_nothing_asks_for_a_new_look() {
    let api = Api::active().await;
    for id in ["00000000000000ab-12", "nonsense", "0", "00000000000000ab-99999999999999999999999"] {
        let mut watch = api.watch("", Some(id)).await;
        let resync = watch.expect("resync").await;
        assert_eq!(resync.data, json!({"reason": "unknown_id"}));
        api.put(ENTRY, id.as_bytes()).await;
        assert_eq!(watch.expect("change").await.data["new"]["text"], id);
        drop(watch);
        let mut again = api.watch("", Some(&resync.id)).await;
        assert_eq!(again.expect("change").await.data["new"]["text"], id);
    }
}

#[tokio::test]
async fn a_client_gets_what_it_asks_for_only() {
    let api = Api::active().await;
    let mut carts = api.watch("?map=carts&prefix=a", None).await;
    let mut owned = api.watch("?events=released,members", None).await;
    carts.expect("start").await;
    owned.expect("start").await;
    api.put("/v1/maps/carts/entries/bob", b"no").await;
    api.put("/v1/maps/other/entries/ann", b"no").await;
    api.put(&format!("{ENTRY}?claim=true"), b"yes").await;
    let change = carts.expect("change").await.data;
    assert_eq!((&change["new"]["text"], &change["new"]["owner"]), (&json!("yes"), &Value::Null), "first it is put");
    let claimed = carts.expect("change").await.data;
    assert_eq!(claimed["new"]["owner"]["mine"], true);
    api.call("POST", &format!("{ENTRY}:release"), &[], b"").await;
    let released = owned.expect("released").await.data;
    assert_eq!((&released["token"], &released["new"]["text"]), (&claimed["new"]["owner"]["token"], &json!("yes")));
    api.engine.list_silent_members(2, true);
    let members = owned.expect("members").await.data;
    assert_eq!(members["members"].as_array().map(Vec::len), Some(2));
    let long = format!("?map=carts&prefix={}", "p".repeat(1025));
    for wrong in ["?prefix=a", &long, "?map=Carts", "?events=all", "?events=", "?evnts=change"] {
        assert_eq!(api.get(&format!("/v1/watch{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn nothing_is_watched_before_the_state_is_there() {
    let api = Api::joining().await;
    api.get("/v1/watch").await.is_error(503, "joining");
}
