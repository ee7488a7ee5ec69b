use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::ApiServer;
use crate::fixture::Requests;
use crate::metrics::Metrics;

fn record(holder: Option<&str>, renewed: i64) -> Record {
    let renewed = k8s_openapi::jiff::Timestamp::from_second(renewed).ok();
    Record { holder: holder.map(str::to_owned), duration: DURATION, renewed, ..Record::default() }
}

fn seen(record: Record, now: Instant) -> Sighting {
    let mut sighting = Sighting::default();
    sighting.see(Some(record), now);
    sighting
}

#[test]
fn a_lease_that_nobody_holds_is_taken_and_an_own_one_renewed() {
    let now = Instant::now();
    assert_eq!(Sighting::default().step("a", now), Step::Take);
    assert_eq!(seen(record(None, 0), now).step("a", now), Step::Take);
    assert_eq!(seen(record(Some("a"), 0), now).step("a", now), Step::Renew);
    assert_eq!(seen(record(Some("b"), 0), now).step("a", now), Step::Wait(LOOK));
}

#[test]
fn a_lease_lapses_by_what_this_process_has_seen_and_not_by_the_holders_clock() {
    let now = Instant::now();
    for clock in [0, 2_000_000_000, 4_000_000_000] {
        let mut sighting = seen(record(Some("b"), clock), now);
        sighting.see(Some(record(Some("b"), clock)), now + DURATION - Duration::from_secs(1));
        assert_eq!(
            sighting.step("a", now + DURATION - Duration::from_millis(300)),
            Step::Wait(Duration::from_millis(300))
        );
        assert_eq!(sighting.step("a", now + DURATION), Step::Take);
        sighting.see(Some(record(Some("b"), clock - 7)), now + DURATION);
        assert_eq!(sighting.step("a", now + DURATION), Step::Wait(LOOK), "a clock that was set back is a sign of life");
    }
}

#[test]
fn what_others_write_into_the_object_is_no_sign_of_life() {
    let now = Instant::now();
    let mut sighting = seen(record(Some("b"), 0), now);
    let labelled = Record { resource_version: "9".into(), address: Some("x".into()), ..record(Some("b"), 0) };
    sighting.see(Some(labelled), now + DURATION / 2);
    assert_eq!(sighting.step("a", now + DURATION), Step::Take);
}

#[test]
fn a_new_process_waits_for_the_whole_duration_of_a_lease_that_it_finds() {
    let now = Instant::now();
    assert_eq!(seen(record(Some("b"), -9_000_000), now).step("a", now), Step::Wait(LOOK));
}

#[test]
fn a_spoilt_object_keeps_nobody_out_for_ever() {
    let spoilt = json!({"spec": {"holderIdentity": "b", "leaseDurationSeconds": 2_000_000_000}});
    let record = Record::of(serde_json::from_value::<Lease>(spoilt).expect("a Lease"));
    assert!(record.duration <= Duration::from_secs(300));
    let negative = json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": -1}});
    let record = Record::of(serde_json::from_value::<Lease>(negative).expect("a Lease"));
    assert_eq!((record.duration, record.holder), (DURATION, None));
}

#[test]
fn no_write_begins_that_could_end_after_another_has_the_lease() {
    let (fence, now) = (Fence::default(), Instant::now());
    assert_eq!(fence.pass(now), None);
    fence.open(now);
    let last = now + DEADLINE - Duration::from_millis(1);
    let pass = fence.pass(last).expect("leave");
    assert!(last + pass.limit < now + DURATION, "{pass:?}");
    assert_eq!(fence.pass(now + DEADLINE), None);
    fence.open(now + DEADLINE);
    assert!(fence.pass(now + DEADLINE).is_some());
    fence.close();
    assert_eq!(fence.pass(now + DEADLINE), None);
}

/// An API server with one Lease: writes over another state than the present are conflicts.
fn election() -> (ApiServer, Arc<Mutex<Option<Value>>>) {
    let lease = Arc::new(Mutex::new(None::<Value>));
    let kept = lease.clone();
    let refuse = |code: u16, reason: &str| {
        (code, json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}))
    };
    let (api, _) = Requests::keep(move |method, _, body| {
        let mut kept = kept.lock();
        match (method, kept.as_mut()) {
            ("GET", None) | ("PATCH", None) => refuse(404, "NotFound"),
            ("GET", Some(found)) => (200, found.clone()),
            ("POST", Some(_)) => refuse(409, "AlreadyExists"),
            ("PATCH", Some(found)) if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"] => {
                refuse(409, "Conflict")
            }
            (_, found) => {
                let version = found.map_or(0, |found| {
                    found["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
                });
                let mut new = body.clone();
                new["metadata"]["resourceVersion"] = json!((version + 1).to_string());
                if let Some(annotations) = new["metadata"]["annotations"].as_object_mut() {
                    annotations.retain(|_, value| !value.is_null());
                }
                *kept = Some(new.clone());
                (200, new)
            }
        }
    });
    (api, lease)
}

fn candidate(api: &ApiServer, name: &str) -> (Candidate, Fence) {
    let fence = Fence::default();
    let address = Some(format!("{name}:7080"));
    let metrics = Metrics::default();
    (Candidate::new(api.clone(), "baton-system", "baton-operator", name.into(), address, fence.clone(), metrics), fence)
}

#[tokio::test]
async fn one_of_two_holds_the_lease_and_the_other_knows_where_it_is() {
    let (api, _) = election();
    let ((mut a, a_fence), (mut b, b_fence)) = (candidate(&api, "a"), candidate(&api, "b"));
    for _ in 0..3 {
        a.turn().await;
        b.turn().await;
    }
    assert_eq!((a.office().term(), b.office().term()), (Some(Term(1)), None));
    assert_eq!(b.office().other().as_deref(), Some("a:7080"));
    assert!(a_fence.pass(Instant::now()).is_some() && b_fence.pass(Instant::now()).is_none());
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_free_at_once() {
    let (api, lease) = election();
    let ((mut a, fence), (mut b, _)) = (candidate(&api, "a"), candidate(&api, "b"));
    a.turn().await;
    b.turn().await;
    let stop = CancellationToken::new();
    let (running, _) = (tokio::spawn(a.run(stop.clone())), tokio::task::yield_now().await);
    stop.cancel();
    running.await.expect("an end");
    assert!(fence.pass(Instant::now()).is_none());
    b.turn().await;
    assert_eq!(b.office().term(), Some(Term(1)));
    let held = lease.lock().clone().expect("a Lease");
    assert_eq!((&held["spec"]["holderIdentity"], &held["spec"]["leaseTransitions"]), (&json!("b"), &json!(1)));
}

#[tokio::test]
async fn who_finds_that_another_has_taken_the_lease_writes_no_more() {
    let (api, lease) = election();
    let ((mut a, fence), (mut b, _)) = (candidate(&api, "a"), candidate(&api, "b"));
    a.turn().await;
    // As if `a` had been frozen for longer than the lease lasts.
    if let Some(lease) = lease.lock().as_mut() {
        lease["spec"]["holderIdentity"] = json!("");
        lease["metadata"]["resourceVersion"] = json!("7");
    }
    b.turn().await;
    a.turn().await;
    assert!(fence.pass(Instant::now()).is_none() && a.office().term().is_none());
    a.turn().await;
    assert_eq!(a.office().other().as_deref(), Some("b:7080"));
}

#[tokio::test]
async fn a_time_in_office_that_was_interrupted_is_another_one() {
    let (api, _) = election();
    let (mut a, fence) = candidate(&api, "a");
    a.turn().await;
    fence.close();
    a.turn().await;
    assert_eq!(a.office().term(), Some(Term(2)));
}

#[tokio::test]
async fn a_lease_that_somebody_deletes_is_made_again() {
    let (api, lease) = election();
    let (mut a, _) = candidate(&api, "a");
    a.turn().await;
    *lease.lock() = None;
    a.turn().await;
    a.turn().await;
    assert!(a.office().term().is_some() && lease.lock().is_some());
}

#[tokio::test]
async fn a_write_without_the_lease_is_not_made() {
    let (api, requests) = Requests::answer(|_, _| (200, json!({})));
    let fence = Fence::default();
    let api = api.behind(fence.clone());
    let pods = kube::Api::<k8s_openapi::api::core::v1::Pod>::namespaced(api.client(), "shop");
    let refused = api.write(pods.get("a")).await.expect_err("a refusal");
    assert!(!refused.is_news() && requests.take().is_empty(), "{refused}");
    fence.open(Instant::now());
    api.write(pods.get("a")).await.expect("an answer");
    assert_eq!(requests.take().len(), 1);
}
