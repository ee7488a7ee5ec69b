//! What is too much is refused, and costs nobody else anything.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Redis, request};

#[tokio::test]
async fn what_is_no_request_ends_its_connection_with_the_reason() {
    let redis = Redis::active().await;
    for (bytes, reason) in [
        (&b"*1\r\n$-5\r\n"[..], "invalid bulk length"),
        (b"*1\r\n$99999999999\r\n", "invalid bulk length"),
        (b"*99999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n\x00\xff", "expected '$', got '\\x00'"),
        (b"SET 'a\r\n", "unbalanced quotes in request"),
    ] {
        let mut client = redis.client().await;
        client.send(&[b"PING\r\n", bytes, b"PING\r\n"].concat()).await;
        let rest = timeout(Duration::from_secs(5), client.rest()).await.expect("it is closed");
        assert_eq!(rest, format!("+PONG\r\n-ERR Protocol error: {reason}\r\n"));
    }
    let mut endless = redis.client().await;
    let _ = endless.stream.write_all(&vec![b'a'; 1 << 20]).await;
    let rest = timeout(Duration::from_secs(5), endless.rest()).await.expect("it is closed");
    assert_eq!(rest, "-ERR Protocol error: too big inline request\r\n");
    assert_eq!(redis.client().await.ask("PING").await, "+PONG");
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let (large, larger) = (vec![b'x'; 2 << 20], vec![b'x'; (2 << 20) + 1]);
    assert_eq!(client.ask_words(&[b"SET", b"a", &large]).await, "+OK");
    assert!(client.ask_words(&[b"SET", b"a", &larger]).await.starts_with("-OOM "));
    assert_eq!(client.ask("STRLEN a").await, ":2097152");
    assert!(client.ask("APPEND a x").await.starts_with("-OOM "));
    assert!(client.ask("SETRANGE b 3000000 x").await.starts_with("-OOM "));
}

#[tokio::test]
async fn a_command_that_passes_the_limit_of_a_map_writes_nothing() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let keys: Vec<Vec<u8>> = (0..5_001).map(|number: u32| number.to_string().into_bytes()).collect();
    let pairs = keys.iter().flat_map(|key| [key.as_slice(), b""]);
    let words: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain(pairs).collect();
    assert!(client.ask_words(&words).await.starts_with("-OOM "));
    assert!(client.ask_words(&[&[&b"MSETNX"[..]], &words[1..]].concat()).await.starts_with("-OOM "));
    let large = vec![b'x'; (2 << 20) + 1];
    assert!(client.ask_words(&[b"MSET", b"a", b"1", b"b", b"2", b"c", &large]).await.starts_with("-OOM "));
    client.talk(&[("DBSIZE", ":0"), ("MSET carts:1 1 a 1 b 2", "+OK"), ("DBSIZE", ":3")]).await;
}

#[tokio::test]
async fn a_key_that_is_to_become_a_larger_one_stays_if_there_is_no_room() {
    let redis = Redis::active().await;
    redis.give_fields("large", 3_000);
    redis.give_fields("small", 10);
    let mut client = redis.client().await;
    assert!(client.ask("COPY large small REPLACE").await.starts_with("-OOM "));
    assert!(client.ask("COPY large new").await.starts_with("-OOM "));
    client
        .talk(&[
            ("HLEN small", ":10"),
            ("EXISTS new", ":0"),
            // What is no more needs no room.
            ("RENAME large small", "+OK"),
            ("HLEN small", ":3000"),
            ("EXISTS large", ":0"),
            ("RENAME small other", "+OK"),
            ("HLEN other", ":3000"),
            ("SET text v", "+OK"),
            ("RENAME text other", "+OK"),
            ("GET other", "$1|v"),
            ("HLEN other", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ])
        .await;
    assert_eq!(redis.engine.status().keys, 1);
}

#[tokio::test]
async fn what_a_transaction_could_not_write_takes_no_room_of_what_it_can() {
    let redis = Redis::active().await;
    redis.give_fields("h", 4_000);
    let mut client = redis.client().await;
    let keys: Vec<Vec<u8>> = (0..1_001).map(|number: u32| number.to_string().into_bytes()).collect();
    let pairs = keys.iter().flat_map(|key| [key.as_slice(), b""]);
    let words: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain(pairs).collect();
    assert_eq!(client.ask("MULTI").await, "+OK");
    assert_eq!(client.ask_words(&words).await, "+QUEUED");
    assert_eq!(client.ask_words(&words[..2_001]).await, "+QUEUED");
    let done = client.ask("EXEC").await;
    assert!(done.starts_with("*2|-OOM ") && done.ends_with("|+OK"), "{done}");
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let large = vec![b'x'; 2 << 20];
    assert_eq!(client.ask_words(&[b"SET", b"a", &large]).await, "+OK");
    let keys = vec![&b"a"[..]; 20];
    let reply = client.ask_words(&[&[&b"MGET"[..]], &keys[..]].concat()).await;
    assert!(reply.starts_with("-ERR the reply would be too large"), "{}", reply.len());
    assert_eq!(client.ask("PING").await, "+PONG");
}

#[tokio::test]
async fn replies_that_wait_for_acknowledgements_have_a_bound_together() {
    let redis = Redis::active().await;
    let value = vec![b'x'; 2 << 20];
    assert_eq!(redis.client().await.ask_words(&[b"SET", b"a", &value]).await, "+OK");
    redis.engine.list_silent_members(1, true);
    let reads = request(&[&[&b"MGET"[..]], &[&b"a"[..]; 15][..]].concat());
    let clients = join_all(["1", "2", "3"].map(async |key| {
        let mut client = redis.client().await;
        client.send(&[request(&[b"SET", key.as_bytes(), b"v"]), reads.clone()].concat()).await;
        client.stream.read_buf(&mut client.received).await.expect("receives") > 0
    }));
    let answered = clients.await.into_iter().filter(|answered| *answered).count();
    assert_eq!(answered, 2, "there is room for two of 30 MiB");
    assert_eq!(redis.client().await.ask("PING").await, "+PONG");
}

#[tokio::test]
async fn a_set_that_is_named_often_is_looked_at_once() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let members: Vec<String> = (0..4_000).map(|number: u32| number.to_string()).collect();
    let add: Vec<&[u8]> = [&b"SADD"[..], b"s"].into_iter().chain(members.iter().map(String::as_bytes)).collect();
    assert_eq!(client.ask_words(&add).await, ":4000");
    for command in ["SUNION", "SINTER"] {
        // A transaction would not look at so many rows.
        let words = [&[command.as_bytes()], &[&b"s"[..]; 300][..]].concat();
        client.talk(&[("MULTI", "+OK")]).await;
        assert_eq!(client.ask_words(&words).await, "+QUEUED");
        assert!(client.ask("EXEC").await.starts_with("*1|*4000|"), "{command}");
    }
    client.talk(&[("SDIFF s s", "*0"), ("SDIFF none s", "*0"), ("SINTER s none", "*0")]).await;
    assert!(client.ask("SDIFF s none none").await.starts_with("*4000|"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let value = vec![b'x'; 1 << 20];
    assert_eq!(client.ask_words(&[b"SET", b"a", &value]).await, "+OK");
    let gets = request(&[b"GET", b"a"]).repeat(100_000);
    let sent = timeout(Duration::from_secs(1), client.stream.write_all(&gets)).await;
    assert!(sent.is_ok() || client.stream.try_write(b"").is_ok());
    assert_eq!(redis.client().await.ask("PING").await, "+PONG");
    // It is served again when it reads.
    for _ in 0..20 {
        assert_eq!(client.reply().await.len(), "$1048576|".len() + (1 << 20));
    }
}
