//! The API over real connections.

use std::sync::Arc;
use std::time::Duration;

use baton_api as api;
use baton_api::event::What;
use baton_api::state_client::StateClient;
use baton_api::write_request::Operation;
use baton_replica::ReplicaId;
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::engine::{DefaultLimits, Engine, Identity};

const LIMITS: DefaultLimits = DefaultLimits { max_value_bytes: 1 << 20, max_bytes: 1 << 24, max_entries: 5_000 };
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent that serves.
async fn active() -> (StateClient<Channel>, Arc<Engine>) {
    let (client, engine) = joining().await;
    engine.start_empty();
    (client, engine)
}

async fn joining() -> (StateClient<Channel>, Arc<Engine>) {
    let identity = Identity { group: "default/test".into(), pod_name: "a".into(), pod_uid: String::new() };
    let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 4, LIMITS);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(crate::engine::tell_watchers(engine.clone()));
    let serving = engine.clone();
    tokio::spawn(async move { super::serve(serving, listener).await.expect("it serves") });
    (StateClient::connect(format!("http://{address}")).await.expect("connects"), engine)
}

fn key(key: &str) -> Option<api::Key> {
    Some(api::Key { map: "carts".into(), key: key.to_owned().into(), field: None })
}

fn field(name: &str, field: &str) -> Option<api::Key> {
    key(name).map(|key| api::Key { field: Some(field.to_owned().into()), ..key })
}

fn put(at: Option<api::Key>, body: &str) -> api::WriteRequest {
    let value = Some(api::Value { body: body.to_owned().into(), content_type: "text/plain".into() });
    write(at, Operation::Put(api::Put { value, ..api::Put::default() }))
}

fn write(key: Option<api::Key>, operation: Operation) -> api::WriteRequest {
    api::WriteRequest { key, operation: Some(operation), ..api::WriteRequest::default() }
}

fn is(refused: Result<impl std::fmt::Debug, Status>, code: Code, word: &str) {
    let status = refused.expect_err(word);
    let said = status.metadata().get("baton-code").and_then(|code| code.to_str().ok());
    assert_eq!((status.code(), said), (code, Some(word)), "{status}");
    assert!(status.metadata().get("baton-hint").is_some());
}

#[tokio::test]
async fn what_is_written_is_read_and_conditions_hold() {
    let (mut client, _) = active().await;
    let get = api::GetRequest { key: key("ann") };
    is(client.get(get.clone()).await, Code::NotFound, "not_found");
    let first = client.write(put(key("ann"), "1")).await.expect("done").into_inner();
    assert!(first.written && !first.existed);
    let read = client.get(get).await.expect("there").into_inner();
    assert_eq!((read.version.as_str(), read.count, read.siblings), (&*first.version, Some(1), 1));
    assert_eq!(read.value.map(|value| (value.body, value.content_type)), Some(("1".into(), "text/plain".into())));

    let condition = |is: &str| Some(api::Condition { is: Some(is.to_owned()), ..api::Condition::default() });
    let second = api::WriteRequest { condition: condition(&first.version), ..put(key("ann"), "2") };
    assert!(client.write(second.clone()).await.is_ok());
    let stale = client.write(second).await;
    let version = stale.as_ref().err().and_then(|status| status.metadata().get("baton-version").cloned());
    assert!(version.is_some(), "the client learns what is there");
    is(stale, Code::Aborted, "condition_failed");

    let claim = client.write(write(key("ann"), Operation::Claim(api::Claim {}))).await.expect("done").into_inner();
    let token = claim.token.expect("a token");
    let with = |token: &str| Some(api::Condition { token: Some(token.to_owned()), ..api::Condition::default() });
    assert!(client.write(write(key("ann"), Operation::Claim(api::Claim {}))).await.is_ok());
    let stale = api::WriteRequest { condition: with(&token), ..put(key("ann"), "3") };
    is(client.write(stale).await, Code::FailedPrecondition, "stale_token");
    let owned = client.owned(api::OwnedRequest::default()).await.expect("listed").into_inner();
    assert!(owned.entries.len() == 1 && owned.entries[0].owner.as_ref().is_some_and(|owner| owner.mine));
    let taken = client.write(write(key("ann"), Operation::Take(api::Take {}))).await.expect("done").into_inner();
    assert_eq!(taken.taken.and_then(|entry| entry.value).map(|value| value.body), Some("2".into()));
}

#[tokio::test]
async fn a_stream_of_writes_answers_each_in_order_and_goes_on_after_a_bad_one() {
    let (mut client, _) = active().await;
    let increment = |_| write(key("n"), Operation::Increment(api::Increment { by: 1 }));
    let mut requests: Vec<api::WriteRequest> = (0..1_000).map(increment).collect();
    requests[500] = api::WriteRequest::default();
    let results = client.writes(futures_util::stream::iter(requests)).await.expect("open").into_inner();
    let results: Vec<api::WriteResult> = results.map(|result| result.expect("a result")).collect().await;
    let counts: Vec<i64> = results.iter().filter_map(|result| result.count).collect();
    assert_eq!(counts, (1..=999).collect::<Vec<_>>());
    assert_eq!(results[500].problem.as_ref().map(|problem| problem.code.as_str()), Some("bad_operation"));
}

#[tokio::test]
async fn a_batch_is_made_as_a_whole_or_by_shard() {
    let (mut client, _) = active().await;
    let requests = vec![put(field("ann", "a"), "1"), put(field("ann", "b"), "2")];
    let batch = |requests, by_shard| api::BatchRequest { requests, acks: None, by_shard };
    let done = client.batch(batch(requests, false)).await.expect("done").into_inner();
    assert_eq!(done.results.len(), 2);
    let many: Vec<_> = (0..20).map(|number| put(key(&number.to_string()), "v")).collect();
    is(client.batch(batch(many.clone(), false)).await, Code::InvalidArgument, "several_shards");
    let done = client.batch(batch(many, true)).await.expect("done").into_inner();
    assert!(done.results.len() == 20 && done.results.iter().all(|result| result.written));
    let huge = client.batch(batch(vec![api::WriteRequest::default(); 5_000], false)).await;
    assert_eq!(huge.expect_err("too many").code(), Code::ResourceExhausted);

    let list = |request: api::ListRequest| api::ListRequest { map: "carts".into(), ..request };
    let fields = list(api::ListRequest { fields_of: "ann".into(), ..api::ListRequest::default() });
    assert_eq!(client.list(fields).await.expect("listed").into_inner().entries.len(), 2);
    let page = |cursor| list(api::ListRequest { limit: 15, descending: true, cursor, ..api::ListRequest::default() });
    let first = client.list(page(bytes::Bytes::new())).await.expect("listed").into_inner();
    let rest = client.list(page(first.cursor)).await.expect("listed").into_inner();
    assert_eq!((first.entries.len(), rest.entries.len(), rest.cursor.is_empty()), (15, 5, true));
    let keys = list(api::ListRequest { keys_only: true, ..api::ListRequest::default() });
    assert_eq!(client.list(keys).await.expect("listed").into_inner().entries.len(), 21);
    let cleared = client.clear(api::ClearRequest { key: key("ann"), acks: None }).await.expect("done").into_inner();
    assert_eq!(cleared.deleted, 2);
}

#[tokio::test]
async fn a_watch_goes_on_after_the_event_that_was_seen() {
    let (mut client, _) = active().await;
    let watch = |after: &str| api::WatchRequest { map: "carts".into(), after: after.to_owned(), ..Default::default() };
    let mut events = client.watch(watch("")).await.expect("open").into_inner();
    let start = timeout(PATIENCE, events.message()).await.expect("in time").expect("open").expect("an event");
    assert_eq!(start.what, Some(What::Start(api::Start {})));
    for body in ["1", "2"] {
        client.write(put(key("ann"), body)).await.expect("done");
    }
    let mut again = client.watch(watch(&start.id)).await.expect("open").into_inner();
    for body in ["1", "2"] {
        for events in [&mut events, &mut again] {
            let event = timeout(PATIENCE, events.message()).await.expect("in time").expect("open").expect("an event");
            let Some(What::Change(change)) = event.what else { panic!("{event:?}") };
            assert_eq!(
                change.after.and_then(|entry| entry.value).map(|value| value.body),
                Some(body.to_owned().into())
            );
        }
    }
    let mut lost = client.watch(watch("nonsense")).await.expect("open").into_inner();
    let resync = lost.message().await.expect("open").expect("an event");
    assert!(matches!(resync.what, Some(What::Resync(_))), "{resync:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_words_of_the_http_api() {
    let (mut client, _) = active().await;
    is(client.write(put(None, "v")).await, Code::InvalidArgument, "bad_key");
    is(client.write(put(key(""), "v")).await, Code::InvalidArgument, "bad_key");
    is(client.write(put(field("k", &"f".repeat(1025)), "v")).await, Code::InvalidArgument, "bad_field");
    is(
        client.write(api::WriteRequest { key: key("k"), ..Default::default() }).await,
        Code::InvalidArgument,
        "bad_operation",
    );
    is(client.write(put(key("k"), &"x".repeat(1 << 21))).await, Code::ResourceExhausted, "value_too_large");
    let condition = Some(api::Condition { token: Some("x".into()), ..api::Condition::default() });
    is(client.write(api::WriteRequest { condition, ..put(key("k"), "v") }).await, Code::InvalidArgument, "bad_token");
    let ttl = Operation::Touch(api::Touch { ttl_millis: Some(0) });
    is(client.write(write(key("k"), ttl)).await, Code::InvalidArgument, "bad_ttl");
    is(client.list(api::ListRequest::default()).await, Code::InvalidArgument, "bad_map");
    is(client.owned(api::OwnedRequest { cursor: "x".into(), limit: 0 }).await, Code::InvalidArgument, "bad_cursor");
    let (mut waiting, _) = joining().await;
    is(waiting.get(api::GetRequest { key: key("k") }).await, Code::Unavailable, "joining");
    let members = waiting.members(api::MembersRequest {}).await.expect("said").into_inner();
    assert_eq!(members.me.map(|me| me.phase), Some("Joining".to_owned()));
}

#[tokio::test]
async fn health_and_the_contract_are_served_too() {
    let (_, engine) = active().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { super::serve(engine, listener).await.expect("it serves") });
    let channel = Channel::from_shared(address).expect("a URL").connect().await.expect("connects");
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let request = tonic_health::pb::HealthCheckRequest { service: "baton.v1.State".into() };
    let answer = health.check(request).await.expect("answered").into_inner();
    assert_eq!(answer.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    let mut reflection = tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(channel);
    let asked = tonic_reflection::pb::v1::ServerReflectionRequest {
        message_request: Some(
            tonic_reflection::pb::v1::server_reflection_request::MessageRequest::FileContainingSymbol(
                "baton.v1.State".into(),
            ),
        ),
        ..Default::default()
    };
    let mut answers =
        reflection.server_reflection_info(futures_util::stream::iter([asked])).await.expect("open").into_inner();
    let answer = answers.message().await.expect("open").expect("an answer").message_response;
    let found = tonic_reflection::pb::v1::server_reflection_response::MessageResponse::FileDescriptorResponse;
    assert!(
        matches!(answer, Some(answer) if std::mem::discriminant(&answer) == std::mem::discriminant(&found(Default::default())))
    );
}

#[tokio::test]
async fn who_comes_and_goes_is_told_and_listed() {
    let (mut client, _) = active().await;
    let watch = api::WatchRequest { presence: true, session: "app".into(), ..api::WatchRequest::default() };
    let mut watch = client.watch(watch).await.expect("open").into_inner();
    let mut next =
        async || timeout(PATIENCE, watch.next()).await.expect("in time").expect("open").expect("an event").what;
    assert!(matches!(next().await, Some(What::Start(_))));
    let seat = api::Seat { map: "rooms".into(), topic: "lobby".into(), key: "ann".into(), r#ref: String::new() };
    let track = |session: &str, meta: &str| api::TrackRequest {
        seat: Some(seat.clone()),
        session: session.into(),
        meta: meta.into(),
        ..api::TrackRequest::default()
    };
    is(client.track(track("other", "")).await, Code::FailedPrecondition, "no_session");
    is(client.track(track("app", "[]")).await, Code::InvalidArgument, "bad_body");
    let tracked = client.track(track("app", r#"{"n":1}"#)).await.expect("done").into_inner();
    let present = tracked.present.expect("there");
    assert_eq!((&*present.r#ref, &*present.meta), ("app", r#"{"n":1}"#));
    let Some(What::Presence(diff)) = next().await else { panic!("it is not told") };
    assert_eq!((diff.joined.as_ref(), diff.left), (Some(&present), None));
    let asked = api::PresencesRequest { map: "rooms".into(), topic: "lobby".into(), ..Default::default() };
    let listed = client.presences(asked).await.expect("listed").into_inner();
    assert_eq!(listed.presences.as_slice(), std::slice::from_ref(&present));
    let untrack = |session: &str| api::UntrackRequest {
        seat: Some(api::Seat { r#ref: "app".into(), ..seat.clone() }),
        session: session.into(),
        ..api::UntrackRequest::default()
    };
    is(client.untrack(untrack("other")).await, Code::NotFound, "not_found");
    assert!(client.untrack(untrack("app")).await.is_ok());
    let Some(What::Presence(diff)) = next().await else { panic!("it is not told") };
    assert_eq!((diff.joined, diff.left), (None, Some(present)));
}
