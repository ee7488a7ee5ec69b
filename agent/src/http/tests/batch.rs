//! Batches: all or nothing within a shard, and what is said of each request.

use serde_json::{Value, json};

use super::{Answer, Api};
use crate::engine::DefaultLimits;

const ROOMY: DefaultLimits = DefaultLimits { max_value_bytes: 1 << 20, max_bytes: 1 << 24, max_entries: 10_000 };

impl Api {
    async fn batch(&self, body: Value) -> Answer {
        self.call("POST", "/v1/batch", &[], body.to_string().as_bytes()).await
    }
}

fn put(key: &str, text: &str) -> Value {
    json!({"op": "put", "map": "carts", "key": key, "text": text})
}

#[tokio::test]
async fn a_key_and_its_fields_are_written_as_one() {
    let api = Api::active_with(ROOMY).await;
    let field = |field: &str, json: Value| json!({"op": "put", "map": "m", "key": "k", "field": field, "json": json});
    let requests = json!([
        field("name", json!({"first": "Ann"})),
        field("size", json!(7)),
        {"op": "increment", "map": "m", "key": "k", "field": "visits", "by": 3},
        {"op": "put", "map": "m", "key": "k", "base64": "/wA=", "contentType": "image/png", "ttl": "1h"},
        {"op": "claim", "map": "m", "key": "k"},
    ]);
    let done = api.batch(json!({"requests": requests})).await;
    assert_eq!(done.status, 200);
    let results = done.json();
    let status = |at: usize| results["results"][at]["status"].as_u64();
    assert_eq!((0..5).map(status).collect::<Vec<_>>(), [Some(201), Some(201), Some(201), Some(201), Some(200)]);
    assert_eq!(results["results"][2]["value"], 3);
    let got = api.get("/v1/maps/m/entries/k").await;
    assert_eq!((got.body.as_slice(), got.header("content-type")), (b"\xff\0".as_slice(), Some("image/png")));
    assert_eq!(got.header("baton-token"), results["results"][4]["token"].as_str());
    assert!(got.header("baton-expires-at").is_some());
    let fields = api.get("/v1/maps/m/hashes/k?values=plain").await.json();
    assert_eq!(fields["fields"][0]["json"], json!({"first": "Ann"}));

    let stale = json!([
        field("name", json!("Bob")),
        {"op": "delete", "map": "m", "key": "k", "field": "size", "ifMatch": "\"00000000000000ff.1\""},
    ]);
    let refused = api.batch(json!({"requests": stale})).await;
    refused.is_error(412, "condition_failed");
    assert_eq!(refused.json()["at"], 1);
    assert_eq!(api.get("/v1/maps/m/hashes/k?values=plain").await.json()["fields"][0]["json"]["first"], "Ann");
}

#[tokio::test]
async fn a_batch_puts_null_as_a_request_alone_does() {
    let api = Api::active_with(ROOMY).await;
    let put = json!({"op": "put", "map": "m", "key": "k", "json": null, "text": null, "ttl": null});
    let done = api.batch(json!({"requests": [put], "acks": null})).await;
    assert_eq!(done.json()["results"][0]["status"], 201);
    let got = api.get("/v1/maps/m/entries/k").await;
    assert_eq!((got.body.as_slice(), got.header("content-type")), (b"null".as_slice(), Some("application/json")));
}

#[tokio::test]
async fn keys_of_several_shards_are_written_shard_by_shard_or_not_at_all() {
    let api = Api::active_with(ROOMY).await;
    let requests: Vec<Value> = (0..20).map(|number| put(&number.to_string(), "v")).collect();
    api.batch(json!({"requests": requests})).await.is_error(400, "several_shards");
    assert_eq!(api.get("/v1/status").await.json()["keys"], 0);
    let done = api.batch(json!({"requests": requests, "atomic": false})).await.json();
    let results = done["results"].as_array().expect("results");
    assert!(results.len() == 20 && results.iter().all(|result| result["status"] == 201), "{done}");

    let mut again: Vec<Value> = (0..20).map(|number| put(&number.to_string(), "w")).collect();
    again[7]["ifNoneMatch"] = "*".into();
    let mixed = api.batch(json!({"requests": again, "atomic": false})).await.json();
    let status = |at: usize| mixed["results"][at]["status"].as_u64().expect("a status");
    assert_eq!((status(7), mixed["results"][7]["error"]["code"].as_str()), (412, Some("condition_failed")));
    for at in (0..20).filter(|at| *at != 7) {
        let written = api.get(&format!("/v1/maps/carts/entries/{at}")).await.body == b"w";
        assert!(matches!((status(at), written), (200, true) | (424, false)), "{at}: {mixed}");
    }
    assert!((0..20).any(|at| status(at) == 200) && (0..20).any(|at| status(at) == 424), "{mixed}");
}

#[tokio::test]
async fn a_batch_that_would_pass_a_limit_writes_nothing() {
    let api = Api::active_with(DefaultLimits { max_value_bytes: 64, max_bytes: 1 << 20, max_entries: 3 }).await;
    let fields = |count: u32| -> Vec<Value> {
        let field = |number| json!({"op": "put", "map": "m", "key": "k", "field": format!("f{number}"), "text": "v"});
        (0..count).map(field).collect()
    };
    let full = api.batch(json!({"requests": fields(4)})).await;
    full.is_error(507, "map_full");
    assert_eq!((full.json()["at"].as_u64(), api.get("/v1/status").await.json()["keys"].as_u64()), (Some(3), Some(0)));
    assert_eq!(api.batch(json!({"requests": fields(3)})).await.status, 200);
    let large = json!([{"op": "put", "map": "m", "key": "k", "field": "f0", "text": "x".repeat(65)}]);
    api.batch(json!({"requests": large})).await.is_error(413, "value_too_large");
}

#[tokio::test]
async fn what_is_taken_and_what_is_not_there_is_said() {
    let api = Api::active_with(ROOMY).await;
    assert_eq!(api.batch(json!({"requests": [put("ann", "apple")]})).await.status, 200);
    let take = json!({"op": "take", "map": "carts", "key": "ann"});
    let taken = api.batch(json!({"requests": [take]})).await.json();
    assert_eq!((&taken["results"][0]["status"], &taken["results"][0]["taken"]["text"]), (&200.into(), &"apple".into()));
    let again = api.batch(json!({"requests": [take, {"op": "delete", "map": "carts", "key": "ann"}]})).await.json();
    assert_eq!((&again["results"][0]["status"], &again["results"][1]["status"]), (&404.into(), &404.into()));
    assert_eq!(api.batch(json!({"requests": []})).await.json(), json!({"results": []}));
}

#[tokio::test]
async fn a_malformed_batch_says_which_request_is_wrong() {
    let api = Api::active_with(ROOMY).await;
    let wrong = [
        (json!({"op": "steal", "map": "m", "key": "k"}), "bad_batch"),
        (json!({"op": "put", "map": "m", "key": "k"}), "bad_batch"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "json": 1}), "bad_batch"),
        (json!({"op": "put", "map": "m", "key": "k", "base64": "%"}), "bad_batch"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "by": 1}), "bad_batch"),
        (json!({"op": "delete", "map": "m", "key": "k", "text": "a"}), "bad_batch"),
        (json!({"op": "claim", "map": "m", "key": "k", "ttl": 5}), "bad_batch"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "tll": 5}), "bad_batch"),
        (json!({"op": "put", "map": "M", "key": "k", "text": "a"}), "bad_map"),
        (json!({"op": "put", "map": "m", "key": "", "text": "a"}), "bad_key"),
        (json!({"op": "put", "map": "m", "key": "%f", "text": "a"}), "bad_key"),
        (json!({"op": "put", "map": "m", "key": "k", "field": "f".repeat(1025), "text": "a"}), "bad_field"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "ttl": "soon"}), "bad_ttl"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "ifMatch": "x"}), "bad_etag"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "token": "x"}), "bad_token"),
        (json!({"op": "put", "map": "m", "key": "k", "text": "a", "contentType": "a\nb"}), "bad_content_type"),
    ];
    for (request, code) in wrong {
        api.batch(json!({"requests": [put("good", "v"), request]})).await.is_error(400, code);
    }
    for body in ["", "[]", "{}", "{\"requests\": 1}", "{\"requests\": [], \"acks\": \"most\"}", &"[".repeat(100_000)] {
        let answer = api.call("POST", "/v1/batch", &[], body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{}", &body[..body.len().min(50)]);
    }
    let many: Vec<Value> = (0..1_025).map(|_| put("k", "v")).collect();
    api.batch(json!({"requests": many})).await.is_error(400, "bad_batch");
    assert_eq!(api.get("/v1/status").await.json()["keys"], 0);
}
