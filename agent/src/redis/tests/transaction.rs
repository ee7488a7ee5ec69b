//! MULTI and WATCH.

use super::*;

#[tokio::test]
async fn commands_wait_for_exec_and_see_what_those_before_them_did() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let mut other = redis.client().await;
    client
        .talk(&[
            ("MULTI", "+OK"),
            ("SET a 1", "+QUEUED"),
            ("INCRBY a 5", "+QUEUED"),
            ("HSET h f v", "+QUEUED"),
            ("SADD a x", "+QUEUED"),
            ("HGETALL h", "+QUEUED"),
            ("SELECT 3", "+QUEUED"),
            ("SET b there", "+QUEUED"),
            ("DBSIZE", "+QUEUED"),
        ])
        .await;
    assert_eq!(other.ask("EXISTS a h").await, ":0");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let done = format!("*8|+OK|:6|:1|{wrong}|*2|$1|f|$1|v|+OK|+OK|:1");
    assert_eq!(client.ask("EXEC").await, done);
    client.talk(&[("GET b", "$5|there"), ("EXEC", "-ERR EXEC without MULTI")]).await;
    other.talk(&[("GET a", "$1|6"), ("GET b", "$-1")]).await;
}

#[tokio::test]
async fn a_command_that_is_refused_ends_the_transaction() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    for refused in ["GET", "NOPE", "WAIT 1 0", "SUBSCRIBE a", "INFO"] {
        client.talk(&[("MULTI", "+OK"), ("SET a 1", "+QUEUED")]).await;
        let error = client.ask(refused).await;
        assert!(error.starts_with("-ERR "), "{refused}: {error}");
        client.talk(&[("EXEC", aborted), ("GET a", "$-1")]).await;
    }
    client
        .talk(&[
            ("MULTI", "+OK"),
            ("MULTI", "-ERR MULTI calls can not be nested"),
            ("WATCH a", "-ERR WATCH inside MULTI is not allowed"),
            ("SET a 1", "+QUEUED"),
            ("DISCARD", "+OK"),
            ("DISCARD", "-ERR DISCARD without MULTI"),
            ("GET a", "$-1"),
        ])
        .await;
}

#[tokio::test]
async fn a_watched_key_that_was_written_ends_the_transaction_and_another_does_not() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let mut other = redis.client().await;
    for (write, ends) in [("SET k v", true), ("HSET h f v", true), ("SADD h2 x", false), ("DEL none", false)] {
        client.talk(&[("WATCH k h none", "+OK"), ("MULTI", "+OK"), ("PING", "+QUEUED")]).await;
        other.ask(write).await;
        assert_eq!(client.ask("EXEC").await, if ends { "*-1" } else { "*1|+PONG" }, "{write}");
    }
    client.talk(&[("WATCH k", "+OK"), ("SET k w", "+OK"), ("UNWATCH", "+OK"), ("MULTI", "+OK"), ("EXEC", "*0")]).await;
}

#[tokio::test]
async fn a_transaction_has_a_bound() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.ask("MULTI").await;
    client.send(&request(&[b"PING"]).repeat(10_001)).await;
    for _ in 0..10_000 {
        assert_eq!(client.reply().await, "+QUEUED");
    }
    assert_eq!(client.reply().await, "-ERR the transaction is too large; make several of it");
    assert!(client.ask("EXEC").await.starts_with("-EXECABORT"));
}
