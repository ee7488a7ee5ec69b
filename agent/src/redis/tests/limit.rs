//! What is too much is refused, and costs nobody else anything.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
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
async fn one_command_cannot_pass_the_limit_of_a_map() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let keys: Vec<Vec<u8>> = (0..5_001).map(|number: u32| number.to_string().into_bytes()).collect();
    let pairs = keys.iter().flat_map(|key| [key.as_slice(), b""]);
    let words: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain(pairs).collect();
    assert!(client.ask_words(&words).await.starts_with("-OOM "));
    client.talk(&[("DBSIZE", ":5000"), ("SET carts:1 1", "+OK")]).await;
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
