//! All keys.

use std::collections::BTreeSet;

use super::{Client, Redis};

async fn scan(client: &mut Client, options: &str) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let reply = client.ask(format!("SCAN {cursor} {options}").trim_end()).await;
        let mut parts = reply.split('|').skip(2);
        parts.next().expect("a cursor").clone_into(&mut cursor);
        found.extend(parts.skip(2).step_by(2).map(str::to_owned));
        if cursor == "0" {
            return found;
        }
    }
}

#[tokio::test]
async fn a_scan_sees_every_key_once() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let mut keys = BTreeSet::new();
    for number in 0..100 {
        for key in [format!("plain-{number}"), format!("carts:{number}"), format!("map-{number}:x")] {
            assert_eq!(client.ask(&format!("SET {key} 1")).await, "+OK");
            keys.insert(key);
        }
    }
    client.talk(&[("SELECT 2", "+OK"), ("SET other 1", "+OK"), ("SELECT 0", "+OK"), ("DBSIZE", ":300")]).await;
    for options in ["", "COUNT 1", "COUNT 1000", "TYPE string"] {
        let found = scan(&mut client, options).await;
        assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (300, keys.clone()), "{options}");
    }
    assert_eq!(scan(&mut client, "MATCH carts:* COUNT 50").await.len(), 100);
    assert_eq!(scan(&mut client, "TYPE hash").await.len(), 0);
    client
        .talk(&[
            ("KEYS carts:7", "*1|$7|carts:7"),
            ("SCAN 0 COUNT 0", "-ERR syntax error"),
            ("SCAN x", "-ERR invalid cursor"),
            ("SCAN 12345678", "-ERR invalid cursor"),
        ])
        .await;
    assert!(client.ask("RANDOMKEY").await.starts_with('$'));
}

#[tokio::test]
async fn a_scan_steps_over_fields_and_over_nothing_else() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    for name in ["h", "i"] {
        redis.give_fields(name, 100);
    }
    client.talk(&[("SET h\0 1", "+OK"), ("SET h\0\0 1", "+OK"), ("SET i1 1", "+OK"), ("DBSIZE", ":5")]).await;
    for options in ["COUNT 1", "COUNT 2", "COUNT 100"] {
        let found: BTreeSet<String> = scan(&mut client, options).await.into_iter().collect();
        assert_eq!(found, ["h", "h\0", "h\0\0", "i", "i1"].map(str::to_owned).into(), "{options}");
    }
    client.talk(&[("FLUSHDB", "+OK"), ("DBSIZE", ":0")]).await;
}

#[tokio::test]
async fn a_database_is_emptied_alone() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("MSET a 1 carts:b 2", "+OK"),
            ("SELECT 1", "+OK"),
            ("SET a 1", "+OK"),
            ("FLUSHDB", "+OK"),
            ("DBSIZE", ":0"),
            ("RANDOMKEY", "$-1"),
            ("SET a 1", "+OK"),
            ("SELECT 0", "+OK"),
            ("DBSIZE", ":2"),
            ("FLUSHDB ASYNC", "+OK"),
            ("DBSIZE", ":0"),
            ("SELECT 1", "+OK"),
            ("DBSIZE", ":1"),
            ("FLUSHALL", "+OK"),
            ("DBSIZE", ":0"),
        ])
        .await;
}
