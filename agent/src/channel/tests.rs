use baton_replica::ReplicaId;

use super::*;
use crate::engine::{DefaultLimits, Engine, Identity};

fn engine() -> Arc<Engine> {
    let identity = Identity { group: "shop/web".into(), pod_name: "a".into(), pod_uid: String::new() };
    let limits = DefaultLimits { max_value_bytes: 64, max_bytes: 256, max_entries: 3 };
    Engine::new(ReplicaId::new(7).expect("not zero"), identity, 1, limits)
}

fn publish(engine: &Engine, channel: &'static str, payload: Vec<u8>) -> usize {
    engine.publish(Message { channel: channel.into(), payload: payload.into() }).expect("it is small")
}

#[test]
fn who_listens_to_a_channel_in_two_ways_gets_its_messages_twice() {
    let engine = engine();
    let mut subscriber = Subscriber::new(engine.clone());
    subscriber.subscribe("a.b".into()).expect("room");
    subscriber.subscribe("a.b".into()).expect("room");
    subscriber.subscribe_pattern("a.*".into()).expect("room");
    assert_eq!((subscriber.count(), engine.channels().subscriptions()), (2, 2));
    assert_eq!(
        (publish(&engine, "a.b", vec![1]), publish(&engine, "a.c", vec![2]), publish(&engine, "b", vec![3])),
        (2, 1, 0)
    );
    let next = || subscriber.try_next().expect("it reads").map(|next| (next.pattern, next.message.payload[0]));
    assert_eq!(next(), Some((None, 1)));
    assert_eq!(next(), Some((Some("a.*".into()), 1)));
    assert_eq!((next(), next()), (Some((Some("a.*".into()), 2)), None));
}

#[test]
fn nothing_is_left_of_a_subscriber_that_has_gone() {
    let engine = engine();
    let mut subscriber = Subscriber::new(engine.clone());
    subscriber.subscribe("a".into()).expect("room");
    subscriber.subscribe("b".into()).expect("room");
    subscriber.subscribe_pattern("*".into()).expect("room");
    subscriber.unsubscribe(&"b".into());
    subscriber.unsubscribe(&"b".into());
    let channels = engine.channels();
    assert_eq!(
        (channels.names(None), channels.names(Some(b"b*")).len(), channels.patterns()),
        (vec!["a".into()], 0, 1)
    );
    assert_eq!((channels.listeners_of(b"a"), channels.listeners_of(b"b")), (1, 0));
    drop(subscriber);
    let listeners = channels.listeners.read();
    assert!(listeners.by_channel.is_empty() && listeners.by_pattern.is_empty() && listeners.subscriptions == 0);
}

#[test]
fn who_does_not_read_is_cut_off_and_the_others_are_not() {
    let engine = engine();
    let (mut slow, mut quick) = (Subscriber::new(engine.clone()), Subscriber::new(engine.clone()));
    slow.subscribe("a".into()).expect("room");
    quick.subscribe("a".into()).expect("room");
    for _ in 0..10 {
        publish(&engine, "a", vec![0; 1024 * 1024]);
        assert!(quick.try_next().expect("it reads").is_some());
    }
    assert_eq!((slow.try_next(), engine.channels().cut_off()), (Err(CutOff), 1));
}

#[test]
fn there_are_so_many_subscriptions_and_no_more() {
    let engine = engine();
    let mut subscriber = Subscriber::new(engine.clone());
    for number in 0..MAX_SUBSCRIPTIONS {
        subscriber.subscribe(number.to_string().into()).expect("room");
    }
    assert_eq!(subscriber.subscribe("one more".into()), Err(TooManySubscriptions));
    subscriber.unsubscribe(&"7".into());
    assert_eq!(subscriber.subscribe("one more".into()), Ok(()));
}
