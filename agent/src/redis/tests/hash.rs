//! Hashes, beside what other fronts and other commands do to the same keys.

use super::*;

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[tokio::test]
async fn fields_are_those_of_the_other_fronts() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("HSET carts:ann apples 2 pears 1", ":2"),
            ("HSET carts:ann apples 3", ":0"),
            ("HGETALL carts:ann", "*4|$6|apples|$1|3|$5|pears|$1|1"),
            ("HINCRBY carts:ann apples 4", ":7"),
            ("TYPE carts:ann", "+hash"),
            ("HELLO 3", "%7|$6|server|$5|redis|$7|version|$5|7.4.0|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0"),
            ("HGETALL carts:ann", "%2|$6|apples|$1|7|$5|pears|$1|1"),
        ])
        .await;
    let field = Key::of_parts(b"carts", b"ann").and_then(|key| key.with_field(b"apples")).expect("a field");
    let read = redis.engine.get(&field).expect("live").expect("there");
    assert_eq!((&read.value.body[..], read.counter), (&b"7"[..], Some(7)));
}

#[tokio::test]
async fn a_new_field_ends_with_the_others_and_one_that_is_written_again_as_it_would_have() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("HSET h a 1", ":1"),
            ("EXPIRE h 1000", ":1"),
            ("HSET h a 2 b 3", ":1"),
            ("HINCRBY h n 1", ":1"),
            ("HINCRBYFLOAT h x 1.5", "$3|1.5"),
            ("HDEL h a", ":1"),
            ("TTL h", ":1000"),
            ("HDEL h b n", ":2"),
            ("TTL h", ":1000"),
        ])
        .await;
}

#[tokio::test]
async fn errors_are_those_of_redis() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SET s v", "+OK"),
            ("HSET s f v", WRONG),
            ("HGET s f", WRONG),
            ("HDEL s f", WRONG),
            ("HSCAN s 0", WRONG),
            ("HSET h f", "-ERR wrong number of arguments for 'hset' command"),
            ("HSET h f v g", "-ERR wrong number of arguments for 'hset' command"),
            ("HSET h f v", ":1"),
            ("SADD h f", WRONG),
            ("GET h", WRONG),
            ("HINCRBY h f 1", "-ERR hash value is not an integer"),
            ("HINCRBY h n x", "-ERR value is not an integer or out of range"),
            ("HINCRBY h n 9223372036854775807", ":9223372036854775807"),
            ("HINCRBY h n 1", "-ERR increment or decrement would overflow"),
            ("HINCRBYFLOAT h f 1", "-ERR hash value is not a float"),
            // A counter is not taken for a score.
            ("ZINCRBY h 1 n", WRONG),
            ("ZSCORE h n", WRONG),
        ])
        .await;
    let long = "f".repeat(1_025);
    assert_eq!(client.ask(&format!("HSET h {long} v")).await, "-ERR a field has at most 1024 bytes, not 1025");
}

#[tokio::test]
async fn all_fields_of_one_command_are_set_or_none() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let large = "v".repeat(2 << 20);
    let fits = client.ask(&format!("HSET h a {large}")).await;
    let too_large = client.ask(&format!("HSET h b 1 c {large}x d 2")).await;
    assert!(fits == ":1" && too_large.starts_with("-OOM "), "{too_large}");
    client.talk(&[("HLEN h", ":1"), ("HEXISTS h b", ":0")]).await;
}

#[tokio::test]
async fn a_scan_goes_through_all_fields_page_by_page_and_an_old_cursor_is_refused() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    for number in 0..25 {
        client.ask(&format!("HSET h f{number:02} v")).await;
    }
    let first = client.ask("HSCAN h 0 COUNT 20").await;
    assert!(first.starts_with("*2|$1|1|*40|$3|f00|"), "{first}");
    // The same page again, and from another connection.
    let mut other = redis.client().await;
    let last = other.ask("HSCAN h 1 COUNT 20").await;
    assert!(last.starts_with("*2|$1|0|*10|$3|f20|") && client.ask("HSCAN h 1 COUNT 20").await == last, "{last}");
    client
        .talk(&[
            ("HSCAN other 1", "-ERR this cursor is not known any more; begin the scan again with 0"),
            ("HSCAN h 99", "-ERR this cursor is not known any more; begin the scan again with 0"),
            ("HSCAN h x", "-ERR invalid cursor"),
            ("HSCAN h 0 MATCH f2[34] COUNT 100", "*2|$1|0|*4|$3|f23|$1|v|$3|f24|$1|v"),
        ])
        .await;
}
