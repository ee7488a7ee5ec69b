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

#[tokio::test]
async fn an_app_that_starts_again_finds_what_it_owns_with_the_tokens() {
    let api =
        Api::active_with(crate::engine::DefaultLimits { max_value_bytes: 64, max_bytes: 4096, max_entries: 9 }).await;
    assert_eq!(api.get("/v1/owned").await.json()["owned"], serde_json::json!([]));
    let mut tokens = Vec::new();
    for path in ["/v1/maps/games/entries/a%2Fb", "/v1/maps/games/hashes/room/seat%201", "/v1/maps/carts/entries/ann"] {
        assert_eq!(api.call("PUT", path, &[("content-type", "application/json")], b"{\"n\":1}").await.status, 201);
        let claimed = api.call("POST", &format!("{path}:claim"), &[], b"").await;
        tokens.push(claimed.header("baton-token").expect("a token").to_owned());
    }
    assert_eq!(api.put("/v1/maps/carts/entries/bob", b"nobody's").await.status, 201);
    let first = api.get("/v1/owned?limit=2&values=plain").await.json();
    let rows = first["owned"].as_array().expect("rows");
    let cursor = first["cursor"].as_str().expect("there is more");
    assert_eq!((rows[0]["map"].as_str(), rows[0]["key"].as_str()), (Some("carts"), Some("ann")));
    assert_eq!((rows[1]["map"].as_str(), rows[1]["key"].as_str()), (Some("games"), Some("a%2Fb")));
    assert_eq!(rows[1]["owner"]["token"].as_str(), Some(&*tokens[0]));
    assert_eq!((&rows[1]["owner"]["mine"], &rows[1]["owner"]["confirmed"]), (&true.into(), &true.into()));
    assert_eq!(rows[1]["json"]["n"], 1);
    let rest = api.get(&format!("/v1/owned?limit=2&cursor={cursor}")).await.json();
    assert_eq!((rest["owned"][0]["field"].as_str(), rest["cursor"].is_null()), (Some("seat%201"), true));
    api.get("/v1/owned?cursor=AAAA").await.is_error(400, "bad_cursor");
}
