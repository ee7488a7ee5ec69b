//! What depends on other members, and conditions of several tags.

use std::time::{Duration, Instant};

use super::{Api, ENTRY};

#[tokio::test]
async fn more_acks_than_members_are_refused_before_anything_is_written() {
    let api = Api::active().await;
    api.engine.list_silent_members(1, true);
    let refused = api.put(&format!("{ENTRY}?acks=2"), b"v").await;
    refused.is_error(503, "too_few_members");
    assert_eq!(refused.header("retry-after"), Some("1"));
    api.get(ENTRY).await.is_error(404, "not_found");
}

#[tokio::test]
async fn a_group_that_rejects_lone_writes_says_so() {
    let api = Api::active().await;
    api.engine.list_silent_members(0, false);
    api.put(ENTRY, b"v").await.is_error(503, "too_few_members");
}

#[tokio::test]
async fn acks_that_do_not_come_leave_the_write_and_its_tag() {
    let api = Api::active().await;
    api.engine.list_silent_members(2, true);
    let began = Instant::now();
    let late = api.put(&format!("{ENTRY}?acks=majority"), b"v").await;
    late.is_error(504, "acks_timeout");
    assert!(began.elapsed() >= Duration::from_secs(5));
    let kept = api.get(ENTRY).await;
    assert_eq!((kept.body.as_slice(), kept.header("etag")), (b"v".as_slice(), late.header("etag")));
    let put = api.put(&format!("{ENTRY}?acks=0"), b"w").await;
    assert_eq!((put.status, put.header("baton-acks")), (200, Some("0")), "nobody is waited for");
}

#[tokio::test]
async fn who_is_told_that_something_is_there_waits_for_its_acks() {
    let api = Api::active().await;
    let member = "/v1/maps/tags/sets/a/red";
    assert_eq!(api.put(member, b"").await.status, 201, "nobody else is there to have it");
    api.engine.list_silent_members(2, true);
    assert_eq!(api.put(&format!("{ENTRY}?acks=0"), b"v").await.status, 201);
    let (init, again) = (format!("{ENTRY}?init=true"), format!("{member}?acks=majority"));
    let (init_late, again_late) = tokio::join!(api.put(&init, b"default"), api.put(&again, b""));
    init_late.is_error(504, "acks_timeout");
    again_late.is_error(504, "acks_timeout");
    let of_batch = br#"{"requests": [{"op": "init", "map": "carts", "key": "ann", "text": "default"}]}"#;
    api.call("POST", "/v1/batch", &[], of_batch).await.is_error(504, "acks_timeout");
    api.put(&format!("{member}?acks=3"), b"").await.is_error(503, "too_few_members");
    let put = api.put(&format!("{init}&acks=0"), b"default").await;
    assert_eq!((put.status, put.header("etag")), (200, init_late.header("etag")));
    let put = api.put(&format!("{member}?acks=0"), b"").await;
    assert_eq!((put.status, put.header("baton-acks")), (200, Some("0")));
}

#[tokio::test]
async fn any_of_several_tags_allows_a_write() {
    let api = Api::active().await;
    let old = api.put(ENTRY, b"1").await.header("etag").expect("a tag").to_owned();
    let now = api.put(ENTRY, b"2").await.header("etag").expect("a tag").to_owned();
    let both = format!("{old}, W/{now}");
    api.call("PUT", ENTRY, &[("if-none-match", &both)], b"3").await.is_error(412, "condition_failed");
    assert_eq!(api.call("PUT", ENTRY, &[("if-match", &both)], b"3").await.status, 200);
    let stale = api.call("PUT", ENTRY, &[("if-match", &both)], b"4").await;
    stale.is_error(412, "condition_failed");
    assert_eq!(api.call("PUT", ENTRY, &[("if-none-match", &both)], b"4").await.status, 200);
    api.call("GET", ENTRY, &[("if-match", &both)], b"").await.is_error(412, "condition_failed");
    assert_eq!(api.call("DELETE", ENTRY, &[("if-match", &both), ("if-none-match", &both)], b"").await.status, 412);
    assert_eq!(api.get(ENTRY).await.body, b"4");
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let api = Api::active().await;
    let answer = api.call("POST", ENTRY, &[], b"").await;
    answer.is_error(405, "method_not_allowed");
    let allowed = answer.header("allow").unwrap_or_default().to_owned();
    assert!(["get", "head", "put", "delete"].iter().all(|method| allowed.contains(method)), "{allowed}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let api = Api::active().await;
    let long = "x".repeat(256);
    api.call("PUT", ENTRY, &[("content-type", &long)], b"v").await.is_error(400, "bad_content_type");
    let torn = format!("PUT {ENTRY} HTTP/1.1\r\nhost: agent\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    api.raw(torn.as_bytes()).await.is_error(400, "bad_body");
    api.get(ENTRY).await.is_error(404, "not_found");
}

#[tokio::test]
async fn a_page_ends_early_when_its_values_are_large() {
    let api = Api::active_with(crate::engine::DefaultLimits {
        max_value_bytes: 4 * 1024 * 1024,
        max_bytes: 64 * 1024 * 1024,
        max_entries: 10,
    })
    .await;
    for key in ["a", "b", "c"] {
        let path = format!("/v1/maps/large/entries/{key}");
        assert_eq!(api.put(&path, &vec![b'x'; 3 * 1024 * 1024]).await.status, 201);
    }
    let page = api.get("/v1/maps/large/entries?values=true").await.json();
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(2));
    let cursor = page["cursor"].as_str().expect("there is more");
    let rest = api.get(&format!("/v1/maps/large/entries?values=true&cursor={cursor}")).await.json();
    assert_eq!((rest["entries"][0]["key"].as_str(), rest["cursor"].is_null()), (Some("c"), true));
    let keys_only = api.get("/v1/maps/large/entries").await.json();
    assert_eq!(keys_only["entries"].as_array().map(Vec::len), Some(3));
}
