//! Messages of channels reach whoever listens, on whichever agent.

use bytes::Bytes;

use super::*;
use crate::channel::{Delivery, Message, Subscriber};

impl Agent {
    fn publish(&self, channel: &str, payload: impl Into<Bytes>) -> usize {
        let message = Message { channel: channel.to_owned().into(), payload: payload.into() };
        self.engine.publish(message).expect("it is small")
    }

    fn listen(&self, channel: &'static str) -> Subscriber {
        let mut subscriber = Subscriber::new(self.engine.clone());
        subscriber.subscribe(channel.into()).expect("there is room");
        subscriber
    }
}

async fn next(subscriber: &Subscriber) -> Delivery {
    tokio::time::timeout(PATIENCE, subscriber.next()).await.expect("in time").expect("it reads")
}

#[tokio::test]
async fn a_message_reaches_those_who_listen_on_every_agent_once_and_in_order() {
    let town = Town::of(3).await;
    let listeners = [town[0].listen("news"), town[1].listen("news"), town[2].listen("news")];
    let mut pattern = Subscriber::new(town[2].engine.clone());
    pattern.subscribe_pattern("n?w*".into()).expect("there is room");
    for number in 0..1_000 {
        assert_eq!(town[1].publish("news", number.to_string()), 1, "those here are counted");
    }
    town[1].publish("weather", "rain");
    for subscriber in listeners.iter().chain([&pattern]) {
        for number in 0..1_000 {
            assert_eq!(next(subscriber).await.message.payload, number.to_string());
        }
        assert_eq!(subscriber.try_next(), Ok(None));
    }
    let last = town[0].publish("news", "last");
    assert_eq!((last, next(&pattern).await.pattern), (1, Some("n?w*".into())));
}

#[tokio::test]
async fn a_large_message_passes_and_one_that_is_too_large_is_refused() {
    let town = Town::of(2).await;
    let there = town[1].listen("blob");
    town[0].publish("blob", vec![7; 4 * 1024 * 1024]);
    assert_eq!(next(&there).await.message.payload.len(), 4 * 1024 * 1024);
    let too_large = Message { channel: "blob".into(), payload: vec![7; 4 * 1024 * 1024 + 1].into() };
    assert!(town[0].engine.publish(too_large).is_err());
}

#[tokio::test]
async fn a_peer_whose_link_is_full_misses_messages_which_are_counted_and_the_state_goes_on() {
    let town = Town::of(2).await;
    let there = town[1].listen("flood");
    // Nothing is sent between these, since nothing is waited for.
    for _ in 0..20 {
        town[0].publish("flood", vec![0; 1024 * 1024]);
    }
    let dropped = town[0].engine.channels().dropped();
    assert!((8..20).contains(&dropped), "{dropped}");
    for _ in 0..20 - dropped {
        next(&there).await;
    }
    town[0].put("k").await;
    wait("the state goes on", || town[1].holds("k")).await;
}
