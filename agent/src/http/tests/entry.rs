//! What entries take besides puts and deletes: deadlines, defaults, and being taken.

use std::time::Duration;

use super::{Api, ENTRY};
use crate::engine::wall_millis;

#[tokio::test]
async fn a_value_with_a_ttl_ends_and_says_when() {
    let api = Api::active().await;
    let before = wall_millis();
    assert_eq!(api.put(&format!("{ENTRY}?ttl=1h"), b"v").await.status, 201);
    let got = api.get(ENTRY).await;
    let end: u64 = got.header("baton-expires-at").expect("a deadline").parse().expect("a number");
    let hour = 3_600_000;
    assert!((before + hour..=wall_millis() + hour).contains(&end) && got.status == 200, "{end} {before}");
    assert_eq!(api.put(&format!("{ENTRY}?ttl=1ms"), b"v").await.status, 200);
    tokio::time::sleep(Duration::from_millis(20)).await;
    api.get(ENTRY).await.is_error(404, "not_found");
    assert_eq!(api.put(ENTRY, b"v").await.status, 201, "it is not there any more");
    assert_eq!(api.get(ENTRY).await.header("baton-expires-at"), None);
}

#[tokio::test]
async fn a_deadline_can_be_moved_and_removed() {
    let api = Api::active().await;
    let touch = |query: &str| format!("{ENTRY}:touch{query}");
    api.call("POST", &touch("?ttl=1h"), &[], b"").await.is_error(404, "not_found");
    let put = api.put(&format!("{ENTRY}?ttl=1h"), b"v").await;
    let moved = api.call("POST", &touch("?ttl=2h"), &[], b"").await;
    assert_eq!(moved.status, 204);
    assert_ne!(moved.header("etag"), put.header("etag"));
    let got = api.get(ENTRY).await;
    assert_eq!((got.header("etag"), got.body.as_slice()), (moved.header("etag"), b"v".as_slice()));
    let end: u64 = got.header("baton-expires-at").expect("a deadline").parse().expect("a number");
    assert!(end > wall_millis() + 3_600_000);
    assert_eq!(api.call("POST", &touch(""), &[], b"").await.status, 204);
    assert_eq!(api.get(ENTRY).await.header("baton-expires-at"), None);
    for wrong in ["", "0", "-1", "1.5", "1y", "99999999999999999999"] {
        api.put(&format!("{ENTRY}?ttl={wrong}"), b"w").await.is_error(400, "bad_ttl");
    }
    assert_eq!(api.get(ENTRY).await.body, b"v");
}

#[tokio::test]
async fn a_default_loses_to_what_is_there() {
    let api = Api::active().await;
    let init = format!("{ENTRY}?init=true");
    let first = api.put(&init, b"default").await;
    assert_eq!(first.status, 201);
    let again = api.put(&init, b"other").await;
    assert_eq!((again.status, again.header("etag")), (200, first.header("etag")));
    assert_eq!(api.get(ENTRY).await.body, b"default");
    assert_eq!(api.put(ENTRY, b"real").await.status, 200);
    assert_eq!(api.put(&init, b"default").await.status, 200);
    assert_eq!(api.get(ENTRY).await.body, b"real");
}

#[tokio::test]
async fn what_is_taken_is_given_once() {
    let api = Api::active().await;
    let take = format!("{ENTRY}:take");
    let put = api.call("PUT", ENTRY, &[("content-type", "text/plain")], b"stash").await;
    let tag = put.header("etag").expect("a tag").to_owned();
    let wrong = [("if-match", "\"00000000000000ff.9\"")];
    api.call("POST", &take, &wrong, b"").await.is_error(412, "condition_failed");
    let taken = api.call("POST", &take, &[("if-match", &tag)], b"").await;
    assert_eq!((taken.status, taken.body.as_slice()), (200, b"stash".as_slice()));
    assert_eq!((taken.header("content-type"), taken.header("baton-acks")), (Some("text/plain"), Some("0")));
    api.call("POST", &take, &[], b"").await.is_error(404, "not_found");
    api.get(ENTRY).await.is_error(404, "not_found");
}

#[tokio::test]
async fn an_action_that_is_not_known_names_the_methods() {
    let api = Api::active().await;
    for path in [ENTRY.to_owned(), format!("{ENTRY}:steal"), format!("{ENTRY}:")] {
        let refused = api.call("POST", &path, &[], b"").await;
        refused.is_error(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some("get,head,put,delete"));
    }
    api.call("POST", &format!("{ENTRY}:take?ttl=1s"), &[], b"").await.is_error(400, "bad_query");
}

#[tokio::test]
async fn what_a_path_allows_is_what_it_takes() {
    let api = Api::active().await;
    for path in ["/v1/maps/m/entries/k", "/v1/maps/m/hashes/k/f", "/v1/maps/m/entries/k:x"] {
        let refused = api.call("OPTIONS", path, &[], b"").await;
        refused.is_error(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some("get,head,put,delete"), "{path}");
    }
    let refused = api.call("OPTIONS", "/v1/maps/m/entries/k:claim", &[], b"").await;
    assert_eq!(refused.header("allow"), Some("get,head,put,delete,post"));
}
