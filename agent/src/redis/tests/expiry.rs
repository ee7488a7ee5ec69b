//! When keys end.

use std::time::Duration;

use super::Redis;

#[tokio::test]
async fn a_deadline_is_given_told_and_taken() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SET a 1", "+OK"),
            ("TTL a", ":-1"),
            ("TTL b", ":-2"),
            ("EXPIRE a 100", ":1"),
            ("TTL a", ":100"),
            ("EXPIRE a 50 GT", ":0"),
            ("EXPIRE a 50 LT", ":1"),
            ("EXPIRE a 50 NX", ":0"),
            ("EXPIRE b 50", ":0"),
            ("PERSIST a", ":1"),
            ("PERSIST a", ":0"),
            ("TTL a", ":-1"),
            ("EXPIREAT a 4102444800", ":1"),
            ("EXPIRETIME a", ":4102444800"),
            ("PEXPIRETIME a", ":4102444800000"),
            ("SET a 2 KEEPTTL", "+OK"),
            ("EXPIRETIME a", ":4102444800"),
            ("SET a 2", "+OK"),
            ("TTL a", ":-1"),
            ("SETEX a 100 3", "+OK"),
            ("TTL a", ":100"),
            ("PSETEX a 0 3", "-ERR invalid expire time in 'psetex' command"),
            ("APPEND a 4", ":2"),
            ("TTL a", ":100"),
            ("GETEX a PERSIST", "$2|34"),
            ("TTL a", ":-1"),
            ("GETEX a EX 100", "$2|34"),
            ("TTL a", ":100"),
            ("EXPIRE a 50 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
        ])
        .await;
}

#[tokio::test]
async fn a_key_whose_time_is_over_is_gone() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.talk(&[("SET a 1 PX 30", "+OK"), ("SET b 1", "+OK"), ("EXPIRE b -1", ":1"), ("EXISTS b", ":0")]).await;
    tokio::time::sleep(Duration::from_millis(40)).await;
    client.talk(&[("GET a", "$-1"), ("TTL a", ":-2"), ("INCR a", ":1")]).await;
}

#[tokio::test]
async fn what_has_expired_is_dropped_by_a_command_that_has_nothing_to_write() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.talk(&[("SET a 1 PX 20", "+OK")]).await;
    assert_eq!(redis.engine.status().keys, 1);
    tokio::time::sleep(Duration::from_millis(30)).await;
    client.talk(&[("DEL a", ":0")]).await;
    assert_eq!(redis.engine.status().keys, 0, "it is not counted any more");
}

#[tokio::test]
async fn a_key_with_fields_ends_with_them() {
    let redis = Redis::active().await;
    redis.give_fields("h", 2);
    let mut client = redis.client().await;
    client
        .talk(&[("TYPE h", "+hash"), ("TTL h", ":-1"), ("EXPIRE h 100", ":1"), ("TTL h", ":100"), ("PERSIST h", ":1")])
        .await;
    client
        .talk(&[
            ("GET h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("INCR h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("MGET h", "*1|$-1"),
            ("SET h 1 GET", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("RENAME h g", "+OK"),
            ("EXISTS h g", ":1"),
            ("PEXPIRE g 0", ":1"),
            ("EXISTS g", ":0"),
        ])
        .await;
}
