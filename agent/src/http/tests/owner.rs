//! Ownership as an app sees it: claims, tokens, releases.

use super::{Api, ENTRY};

const NOBODYS: &str = "00000000000000090000000000000001";

fn action(action: &str) -> String {
    format!("{ENTRY}:{action}")
}

#[tokio::test]
async fn a_claim_gives_a_token_that_the_next_claim_makes_stale() {
    let api = Api::active().await;
    api.call("POST", &action("claim"), &[], b"").await.is_error(404, "not_found");
    let put = api.put(ENTRY, b"1").await;
    assert_eq!(api.get(ENTRY).await.header("baton-token"), None);
    let claimed = api.call("POST", &action("claim"), &[], b"").await;
    assert_eq!(claimed.status, 200);
    let first = claimed.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(claimed.json()["etag"].as_str(), put.header("etag"), "the value is the same");
    let got = api.get(ENTRY).await;
    assert_eq!((got.header("baton-token"), got.header("baton-owner")), (Some(&*first), Some("0000000000000007")));

    assert_eq!(api.call("PUT", ENTRY, &[("baton-token", &first)], b"2").await.status, 200);
    let second = api.call("POST", &action("claim"), &[], b"").await.json()["token"].as_str().expect("one").to_owned();
    assert!(second > first, "tokens grow");
    let stale = api.call("PUT", ENTRY, &[("baton-token", &first)], b"3").await;
    stale.is_error(409, "stale_token");
    for (method, path) in [("DELETE", ENTRY.to_owned()), ("POST", action("take")), ("POST", action("release"))] {
        api.call(method, &path, &[("baton-token", &first)], b"").await.is_error(409, "stale_token");
    }
    assert_eq!(api.get(ENTRY).await.body, b"2");
    assert_eq!(api.call("PUT", ENTRY, &[("baton-token", &second)], b"3").await.status, 200);
    api.call("PUT", ENTRY, &[("baton-token", "nonsense")], b"4").await.is_error(400, "bad_token");
    api.call("PUT", "/v1/maps/carts/entries/nobody", &[("baton-token", NOBODYS)], b"4")
        .await
        .is_error(409, "stale_token");
}

#[tokio::test]
async fn a_version_and_a_token_are_asked_for_together() {
    let api = Api::active().await;
    let put = api.put(&format!("{ENTRY}?claim=true"), b"1").await;
    let (tag, token) = (put.header("etag").expect("a tag"), put.header("baton-token").expect("a token"));
    let both = [("if-match", tag), ("baton-token", token)];
    assert_eq!(api.call("PUT", ENTRY, &both, b"2").await.status, 200);
    api.call("PUT", ENTRY, &both, b"3").await.is_error(412, "condition_failed");
    let other = [("if-match", "*"), ("baton-token", NOBODYS)];
    api.call("PUT", ENTRY, &other, b"3").await.is_error(409, "stale_token");
    assert_eq!(api.get(ENTRY).await.body, b"2");
}

#[tokio::test]
async fn a_key_is_put_and_owned_in_one_step_or_not_at_all() {
    let api = Api::active().await;
    let path = format!("{ENTRY}?claim=true");
    let first = api.call("PUT", &path, &[("if-none-match", "*")], b"1").await;
    let token = first.header("baton-token").expect("a token").to_owned();
    assert_eq!(first.status, 201);
    api.call("PUT", &path, &[("if-none-match", "*")], b"2").await.is_error(412, "condition_failed");
    assert_eq!(api.get(ENTRY).await.header("baton-token"), Some(&*token));
    assert_eq!(api.put(ENTRY, b"2").await.status, 200);
    assert_eq!(api.get(ENTRY).await.header("baton-token"), Some(&*token), "a put keeps the owner");
}

#[tokio::test]
async fn what_is_released_can_be_claimed_by_who_asks_for_what_nobody_owns() {
    let api = Api::active().await;
    assert_eq!(api.put(&format!("{ENTRY}?claim=true"), b"1").await.status, 201);
    api.call("POST", &action("claim?unowned=true"), &[], b"").await.is_error(409, "owned");
    assert_eq!(api.call("POST", &action("confirm"), &[], b"").await.status, 204);
    assert_eq!(api.call("POST", &action("release"), &[], b"").await.status, 204);
    assert_eq!(api.get(ENTRY).await.header("baton-token"), None);
    api.call("POST", &action("confirm"), &[], b"").await.is_error(409, "not_owner");
    assert_eq!(api.call("POST", &action("release"), &[], b"").await.status, 204, "nobody owns it as before");
    assert_eq!(api.call("POST", &action("claim?unowned=true"), &[], b"").await.status, 200);
    assert_eq!(api.call("DELETE", ENTRY, &[], b"").await.status, 204);
    api.call("POST", &action("release"), &[], b"").await.is_error(404, "not_found");
}
