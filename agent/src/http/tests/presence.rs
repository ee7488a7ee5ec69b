//! Presence: what a request may say, and what the answers look like.

use serde_json::json;

use super::Api;
use crate::engine::DefaultLimits;

const ANN: &str = "/v1/maps/rooms/presences/lobby/ann";

/// Room for what an agent adds to what an app tells.
const ROOM: DefaultLimits = DefaultLimits { max_value_bytes: 1024, max_bytes: 1 << 16, max_entries: 99 };

#[tokio::test]
async fn who_is_there_is_listed_by_key_and_what_is_told_comes_back_as_it_was() {
    let api = Api::active_with(ROOM).await;
    let first = api.put(&format!("{ANN}?ref=phone"), b"{\"seat\":\n12345678901234567890123}").await;
    assert_eq!((first.status, first.json()["ref"].as_str()), (201, Some("phone")));
    assert_eq!(api.put(&format!("{ANN}?ref=tab-1"), b"").await.status, 201);
    assert_eq!(api.put("/v1/maps/rooms/presences/lobby/ann/of%20the%2Fhill", b"{}").await.status, 201);
    let again = api.put(&format!("{ANN}?ref=phone"), b"{\"seat\": 12345678901234567890123}").await;
    assert_eq!((again.status, &again.json()["phx_ref"]), (200, &first.json()["phx_ref"]));

    let one = api.get(ANN).await;
    let text = String::from_utf8_lossy(&one.body).into_owned();
    assert!(text.contains("\"seat\":12345678901234567890123"), "{text}");
    assert_eq!(one.json()["metas"].as_array().map(Vec::len), Some(2), "those of another key are not theirs");
    let page = api.get("/v1/maps/rooms/presences/lobby?limit=1").await.json();
    assert_eq!(page["presences"]["ann%2Fof%20the%2Fhill"]["metas"][0]["ref"], "default");
    let cursor = page["cursor"].as_str().expect("there is more");
    let rest = api.get(&format!("/v1/maps/rooms/presences/lobby?cursor={cursor}")).await.json();
    assert_eq!((rest["presences"]["ann"]["metas"].as_array().map(Vec::len), rest["cursor"].is_null()), (Some(2), true));
}

#[tokio::test]
async fn what_ends_by_its_deadline_has_no_owner_and_what_ends_with_the_pod_has() {
    let api = Api::active_with(ROOM).await;
    for (query, owned) in [("", true), ("?ttl=1h", false), ("?linger=5s", true)] {
        assert!(api.put(&format!("{ANN}{query}"), b"").await.status < 300);
        let owner = &api.get("/v1/maps/rooms/hashes/lobby").await.json()["fields"][0]["owner"]["mine"];
        assert_eq!(owner.as_bool(), owned.then_some(true), "{query}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_of_a_presence_is_refused() {
    let api = Api::active_with(ROOM).await;
    let put = |query: &str, body: &'static [u8]| {
        let path = format!("{ANN}{query}");
        let api = &api;
        async move { api.put(&path, body).await }
    };
    put("?session=s", b"").await.is_error(409, "no_session");
    put("", b"[]").await.is_error(400, "bad_body");
    put("", b"{\"phx_ref\":\"mine\"}").await.is_error(400, "bad_body");
    for query in ["?session=", "?session=a%20b", "?ref=a%2Fb", "?session=s&ttl=5", "?ttl=5&linger=5"] {
        put(query, b"").await.is_error(400, "bad_query");
    }
    for query in ["?linger=0", "?linger=2h", "?ttl=soon"] {
        put(query, b"").await.is_error(400, "bad_ttl");
    }
    api.get(ANN).await.is_error(404, "not_found");
    api.call("DELETE", ANN, &[], b"").await.is_error(404, "not_found");
    assert_eq!(api.put("/v1/maps/rooms/hashes/lobby/ann%2Fdefault", b"no presence").await.status, 201);
    api.get(ANN).await.is_error(404, "not_found");
    api.call("DELETE", ANN, &[], b"").await.is_error(404, "not_found");
    assert_eq!(api.get("/v1/maps/rooms/presences/lobby").await.json(), json!({"presences": {}, "cursor": null}));
}
