//! Counters, hashes, sets, and lists of them.

use serde_json::{Value, json};

use super::Api;
use crate::engine::DefaultLimits;

const ROOMY: DefaultLimits = DefaultLimits { max_value_bytes: 64, max_bytes: 1 << 20, max_entries: 1_000 };

#[tokio::test]
async fn a_counter_counts_up_and_down_and_refuses_what_is_no_number() {
    let api = Api::active().await;
    let visits = "/v1/maps/site/counters/visits/today";
    api.get(visits).await.is_error(404, "not_found");
    let first = api.call("POST", visits, &[], b"").await;
    assert_eq!((first.status, first.json()), (201, json!({"value": 1})));
    let second = api.call("POST", &format!("{visits}?by=-11"), &[], b"").await;
    assert_eq!((second.status, second.json()), (200, json!({"value": -10})));
    let got = api.get(visits).await;
    assert_eq!((got.json(), got.header("etag")), (json!({"value": -10}), second.header("etag")));
    assert_eq!(api.get("/v1/maps/site/entries/visits/today").await.body, b"-10");
    assert_eq!(api.put("/v1/maps/site/entries/visits/today", b"5").await.status, 200);
    assert_eq!(api.call("POST", visits, &[], b"").await.json()["value"], 6);

    let top = "/v1/maps/site/entries/top";
    assert_eq!(api.put(top, i64::MAX.to_string().as_bytes()).await.status, 201);
    api.call("POST", &format!("{top}:increment"), &[], b"").await.is_error(400, "overflow");
    assert_eq!(api.put(top, b"many").await.status, 200);
    api.call("POST", &format!("{top}:increment"), &[], b"").await.is_error(400, "not_an_integer");
    api.get("/v1/maps/site/counters/top").await.is_error(400, "not_an_integer");
    for wrong in ["", "1.5", "%2B1", "9223372036854775808", "x"] {
        api.call("POST", &format!("{visits}?by={wrong}"), &[], b"").await.is_error(400, "bad_query");
    }
}

#[tokio::test]
async fn fields_are_entries_of_their_own() {
    let api = Api::active_with(ROOMY).await;
    let hash = "/v1/maps/carts/hashes/a%2Fb";
    for (field, value) in [("apple", "1"), ("pear/green", "2"), ("%FF", "3"), ("", "4")] {
        assert_eq!(api.put(&format!("{hash}/{field}"), value.as_bytes()).await.status, 201);
    }
    let got = api.get(&format!("{hash}/pear%2Fgreen")).await;
    assert_eq!(got.body, b"2");
    let tag = got.header("etag").expect("a tag");
    assert_eq!(api.call("PUT", &format!("{hash}/pear/green"), &[("if-match", tag)], b"3").await.status, 200);
    assert_eq!(api.call("POST", &format!("{hash}/apple:increment?by=4"), &[], b"").await.json()["value"], 5);
    let fields = |page: &Value| -> Vec<String> {
        let rows = page["fields"].as_array().expect("rows");
        rows.iter().map(|row| row["field"].as_str().expect("a field").to_owned()).collect()
    };
    let first = api.get(&format!("{hash}?limit=3&values=plain")).await.json();
    assert_eq!(
        (fields(&first), &first["fields"][1]["text"]),
        (vec!["".into(), "apple".into(), "pear%2Fgreen".into()], &json!("5"))
    );
    let cursor = first["cursor"].as_str().expect("there is more");
    let rest = api.get(&format!("{hash}?cursor={cursor}")).await.json();
    assert_eq!((fields(&rest), rest["cursor"].is_null()), (vec!["%FF".into()], true));
    assert_eq!(fields(&api.get(&format!("{hash}?prefix=p")).await.json()), ["pear%2Fgreen"]);

    assert_eq!(api.get("/v1/maps/carts/entries").await.json()["entries"], json!([]));
    assert_eq!(api.get("/v1/maps/carts/keys").await.json(), json!({"keys": ["a%2Fb"], "cursor": null}));
    assert_eq!(api.call("DELETE", &format!("{hash}/apple"), &[], b"").await.status, 204);
    assert_eq!(api.call("DELETE", hash, &[], b"").await.json(), json!({"deleted": 3}));
    api.call("DELETE", hash, &[], b"").await.is_error(404, "not_found");
    assert_eq!(api.get("/v1/maps/carts/keys").await.json()["keys"], json!([]));
    api.call("POST", hash, &[], b"").await.is_error(405, "method_not_allowed");
    api.put(&format!("{hash}/{}", "f".repeat(1025)), b"").await.is_error(400, "bad_field");
}

#[tokio::test]
async fn a_set_holds_each_member_once() {
    let api = Api::active_with(ROOMY).await;
    let set = "/v1/maps/rooms/sets/lobby";
    let ann = api.put(&format!("{set}/ann"), b"").await;
    assert_eq!(ann.status, 201);
    let again = api.put(&format!("{set}/ann"), b"").await;
    assert_eq!((again.status, again.header("etag")), (200, ann.header("etag")), "it is not written again");
    assert_eq!(api.put(&format!("{set}/bob%20b?ttl=1h"), b"").await.status, 201);
    assert_eq!(api.put(&format!("{set}/bob%20b?ttl=2h"), b"").await.status, 200);
    assert_eq!(api.get(set).await.json(), json!({"members": ["ann", "bob%20b"], "cursor": null}));
    assert_eq!(api.call("HEAD", &format!("{set}/ann"), &[], b"").await.status, 200);
    assert_eq!(api.call("DELETE", &format!("{set}/ann"), &[], b"").await.status, 204);
    api.call("DELETE", &format!("{set}/ann"), &[], b"").await.is_error(404, "not_found");
    assert_eq!(api.get(&format!("{set}?prefix=b")).await.json()["members"], json!(["bob%20b"]));
    assert_eq!(api.call("DELETE", set, &[], b"").await.json()["deleted"], 1);
    assert_eq!(api.get(set).await.json()["members"], json!([]));
}

#[tokio::test]
async fn a_list_has_the_order_and_the_form_that_is_asked_for() {
    let api = Api::active_with(ROOMY).await;
    for (key, kind, body) in [("a", "application/json", "{\"n\": 1}"), ("b", "", "text"), ("c", "text/plain", "x")] {
        let path = format!("/v1/maps/events/entries/{key}");
        assert_eq!(api.call("PUT", &path, &[("content-type", kind)], body.as_bytes()).await.status, 201);
    }
    let keys = |page: &Value| -> Vec<String> {
        let rows = page["entries"].as_array().expect("rows");
        rows.iter().map(|row| row["key"].as_str().expect("a key").to_owned()).collect()
    };
    let first = api.get("/v1/maps/events/entries?order=desc&limit=2").await.json();
    assert_eq!(keys(&first), ["c", "b"]);
    let cursor = first["cursor"].as_str().expect("there is more");
    let rest =
        api.get(&format!("/v1/maps/events/entries?order=desc&limit=2&cursor={cursor}&values=plain")).await.json();
    assert_eq!(
        (keys(&rest), &rest["entries"][0]["json"], &rest["cursor"]),
        (vec!["a".into()], &json!({"n": 1}), &Value::Null)
    );
    for wrong in ["order=up", "values=yes", "limit=1001", "cursor=%21", &format!("prefix={}", "p".repeat(1025))] {
        assert_eq!(api.get(&format!("/v1/maps/events/entries?{wrong}")).await.status, 400, "{wrong}");
    }
}
