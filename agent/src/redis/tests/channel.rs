//! Channels and keyspace notifications on one agent.

use super::*;

#[tokio::test]
async fn who_listens_gets_messages_between_the_replies_of_resp3_and_may_do_all_else() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.ask("HELLO 3").await;
    client
        .talk(&[
            ("SUBSCRIBE a", ">3|$9|subscribe|$1|a|:1"),
            ("PSUBSCRIBE a*", ">3|$10|psubscribe|$2|a*|:2"),
            ("SET k v", "+OK"),
            ("PUBSUB NUMSUB a b", "*4|$1|a|:1|$1|b|:0"),
            ("PUBSUB CHANNELS", "*1|$1|a"),
            ("PUBSUB NUMPAT", ":1"),
            ("PUBLISH a hello", ":2"),
        ])
        .await;
    assert_eq!(client.reply().await, ">3|$7|message|$1|a|$5|hello");
    assert_eq!(client.reply().await, ">4|$8|pmessage|$2|a*|$1|a|$5|hello");
    client
        .talk(&[
            ("UNSUBSCRIBE", ">3|$11|unsubscribe|$1|a|:1"),
            ("UNSUBSCRIBE", ">3|$11|unsubscribe|_|:1"),
            ("PUNSUBSCRIBE a*", ">3|$12|punsubscribe|$2|a*|:0"),
            ("PUBLISH a gone", ":0"),
        ])
        .await;
}

#[tokio::test]
async fn in_resp2_a_client_that_listens_does_nothing_else_until_it_resets() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let only = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    client
        .talk(&[
            ("UNSUBSCRIBE", "*3|$11|unsubscribe|$-1|:0"),
            ("SUBSCRIBE a b", "*3|$9|subscribe|$1|a|:1"),
            ("PING", "*3|$9|subscribe|$1|b|:2"),
        ])
        .await;
    assert_eq!(client.reply().await, "*2|$4|pong|$0");
    assert_eq!(client.ask("GET k").await, format!("-ERR Can't execute 'get': {only}"));
    client.talk(&[("RESET", "+RESET"), ("GET k", "$-1")]).await;
    assert_eq!(redis.engine.channels().subscriptions(), 0);
}

#[tokio::test]
async fn a_subscription_ends_with_its_connection() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.ask("SUBSCRIBE a").await;
    assert_eq!(redis.engine.channels().subscriptions(), 1);
    drop(client);
    while redis.engine.channels().subscriptions() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn changes_are_told_once_somebody_asks_for_them() {
    let redis = Redis::active().await;
    tokio::spawn(crate::engine::tell_watchers(redis.engine.clone()));
    let (mut client, mut listener) = (redis.client().await, redis.client().await);
    client
        .talk(&[
            ("CONFIG SET notify-keyspace-events Kq", "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtd'."),
            ("CONFIG SET notify-keyspace-events EA", "+OK"),
            ("CONFIG GET notify-keyspace-events", "*2|$22|notify-keyspace-events|$2|AE"),
            ("CONFIG SET maxmemory 1", "-ERR only CONFIG GET, and CONFIG SET notify-keyspace-events, are supported: an agent is configured by its flags"),
        ])
        .await;
    listener.ask("PSUBSCRIBE __key*").await;
    // Whoever was told before the watch began is not told again.
    while redis.engine.watchers() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    client.talk(&[("SET carts:ann v", "+OK"), ("SELECT 2", "+OK"), ("SADD s x y", ":2"), ("DEL s", ":1")]).await;
    for (database, event, key) in [
        (0, "set", "carts:ann"),
        (2, "sadd", "s"),
        (2, "sadd", "s"),
        (2, "srem", "s"),
        (2, "del", "s"),
        (2, "srem", "s"),
    ] {
        let channel = format!("__keyevent@{database}__:{event}");
        let told = format!("*4|$8|pmessage|$6|__key*|${}|{channel}|${}|{key}", channel.len(), key.len());
        assert_eq!(listener.reply().await, told);
    }
}
