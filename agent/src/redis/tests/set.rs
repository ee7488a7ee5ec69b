//! Sets, beside what other fronts do to the same keys.

use super::*;
use crate::collection::is_member;

#[tokio::test]
async fn members_are_those_of_the_other_fronts() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SADD tags:a red green red", ":2"),
            ("SADD tags:a red", ":0"),
            ("SMEMBERS tags:a", "*2|$5|green|$3|red"),
            ("SMISMEMBER tags:a red blue", "*2|:1|:0"),
            ("TYPE tags:a", "+set"),
            ("SREM tags:a green blue", ":1"),
            ("SCARD tags:a", ":1"),
        ])
        .await;
    let field = Key::of_parts(b"tags", b"a").and_then(|key| key.with_field(b"red")).expect("a field");
    assert!(is_member(&redis.engine.get(&field).expect("live").expect("there").value));
}

#[tokio::test]
async fn several_sets_are_looked_at_in_one_step_whatever_shards_they_are_in() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SADD a 1 2 3", ":3"),
            ("SADD b 2 3 4", ":3"),
            ("SADD c 3", ":1"),
            ("SUNION a b none", "*4|$1|1|$1|2|$1|3|$1|4"),
            ("SINTER a b c", "*1|$1|3"),
            ("SDIFF a b", "*1|$1|1"),
            ("SMOVE a b 1", ":1"),
            ("SMOVE a b 1", ":0"),
            ("SMOVE a a 2", ":1"),
            ("SMEMBERS b", "*4|$1|1|$1|2|$1|3|$1|4"),
            ("SET s v", "+OK"),
            ("SUNION a s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("SMOVE a s 2", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("SCARD a", ":2"),
        ])
        .await;
}

#[tokio::test]
async fn what_is_popped_is_gone() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.ask("SADD s a b c d e").await;
    let popped = client.ask("SPOP s").await;
    assert!(popped.starts_with("$1|"), "{popped}");
    let drawn = client.ask("SRANDMEMBER s -9").await;
    assert!(drawn.starts_with("*9|") && !drawn.contains(&popped[3..]), "{popped} {drawn}");
    let rest = client.ask("SPOP s 100").await;
    assert!(rest.starts_with("*4|"), "{rest}");
    client
        .talk(&[
            ("SPOP s", "$-1"),
            ("SPOP s 2", "*0"),
            ("EXISTS s", ":0"),
            ("SPOP s -1", "-ERR value is out of range, must be positive"),
        ])
        .await;
}
