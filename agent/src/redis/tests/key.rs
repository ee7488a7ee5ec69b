//! Keys.

use super::Redis;

#[tokio::test]
async fn keys_are_counted_deleted_and_told_apart() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("MSET a 1 b 2 c 3", "+OK"),
            ("EXISTS a a b x", ":3"),
            ("TOUCH a x", ":1"),
            ("TYPE a", "+string"),
            ("TYPE x", "+none"),
            ("DEL a x", ":1"),
            ("UNLINK b c", ":2"),
            ("DBSIZE", ":0"),
            ("OBJECT ENCODING a", "-ERR no such key"),
            ("SET a 12", "+OK"),
            ("OBJECT ENCODING a", "$3|int"),
            ("OBJECT REFCOUNT a", ":1"),
            ("MEMORY USAGE a", ":3"),
            ("MEMORY USAGE x", "$-1"),
        ])
        .await;
}

#[tokio::test]
async fn a_key_becomes_another_with_its_deadline() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("RENAME a b", "-ERR no such key"),
            ("SET a 1 EX 100", "+OK"),
            ("SET carts:b 2", "+OK"),
            ("RENAME a carts:b", "+OK"),
            ("MGET a carts:b", "*2|$-1|$1|1"),
            ("TTL carts:b", ":100"),
            ("SET c 3", "+OK"),
            ("RENAMENX c carts:b", ":0"),
            ("RENAMENX c d", ":1"),
            ("COPY d e", ":1"),
            ("COPY d carts:b", ":0"),
            ("COPY d carts:b REPLACE", ":1"),
            ("MGET d e carts:b", "*3|$1|3|$1|3|$1|3"),
            ("COPY d d", "-ERR source and destination objects are the same"),
            ("COPY d d DB 4", ":1"),
            ("SELECT 4", "+OK"),
            ("GET d", "$1|3"),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_keys_are_looked_at_in_one_step_whatever_shards_they_are_in() {
    let redis = Redis::active().await;
    let (mut writer, mut reader) = (redis.client().await, redis.client().await);
    writer.talk(&[("MSET a 0 b 0 c 0 d 0", "+OK")]).await;
    let writes = tokio::spawn(async move {
        for round in 1..2_000 {
            writer.talk(&[(&format!("MSET a {round} b {round} c {round} d {round}"), "+OK")]).await;
            writer.talk(&[("DEL a b c d", ":4")]).await;
        }
    });
    while !writes.is_finished() {
        let read = reader.ask("MGET a b c d").await;
        let values: Vec<&str> =
            read.split('|').skip(1).filter(|part| !part.starts_with('$') || *part == "$-1").collect();
        assert!(values.len() == 4 && values.iter().all(|value| *value == values[0]), "{read}");
        let found = reader.ask("EXISTS a b c d").await;
        assert!([":0", ":4"].contains(&found.as_str()), "{found}");
    }
    writes.await.expect("they are made");
}
