//! Values, and that every front sees them.

use super::Redis;

#[tokio::test]
async fn a_value_is_the_same_on_every_front() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.talk(&[("SET carts:42 apple", "+OK"), ("GET carts:42", "$5|apple"), ("get nothing", "$-1")]).await;
    assert_eq!(redis.seen("carts", "42").as_deref(), Some("apple"));
    client.talk(&[("SET plain 1", "+OK"), ("SET redis:x 2", "+OK"), ("SELECT 3", "+OK"), ("SET plain 3", "+OK")]).await;
    let seen = |map, name| redis.seen(map, name);
    assert_eq!((seen("redis", "plain"), seen("redis", "redis:x")), (Some("1".into()), Some("2".into())));
    assert_eq!(seen("redis.3", "plain").as_deref(), Some("3"));
}

#[tokio::test]
async fn set_writes_only_as_its_options_allow() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SET a 1 XX", "$-1"),
            ("SET a 1 NX", "+OK"),
            ("SET a 2 NX", "$-1"),
            ("SET a 2 XX GET", "$1|1"),
            ("SET b 1 GET", "$-1"),
            ("SET a 3 NX GET", "$1|2"),
            ("GET a", "$1|2"),
            ("SETNX a 4", ":0"),
            ("SETNX c 4", ":1"),
            ("SET a 1 NX XX", "-ERR syntax error"),
            ("SET a 1 EX", "-ERR syntax error"),
            ("SET a 1 EX 10 PX 10", "-ERR syntax error"),
            ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command"),
            ("SET a 1 EX x", "-ERR value is not an integer or out of range"),
            ("SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
            ("GETSET a 5", "$1|2"),
            ("GETDEL a", "$1|5"),
            ("GETDEL a", "$-1"),
        ])
        .await;
}

#[tokio::test]
async fn several_values_are_set_and_read_at_once() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("MSET a 1 b 2 carts:c 3", "+OK"),
            ("MGET a b carts:c d", "*4|$1|1|$1|2|$1|3|$-1"),
            ("MSETNX d 1 a 2", ":0"),
            ("EXISTS d", ":0"),
            ("MSETNX d 1 e 2", ":1"),
            ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ])
        .await;
}

#[tokio::test]
async fn parts_of_values_are_read_and_changed() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("APPEND a Hello", ":5"),
            ("APPEND a World", ":10"),
            ("STRLEN a", ":10"),
            ("GETRANGE a 5 -1", "$5|World"),
            ("SETRANGE a 5 Redis", ":10"),
            ("GET a", "$10|HelloRedis"),
            ("SETRANGE b 2 x", ":3"),
            ("GET b", "$3|\0\0x"),
            ("SETRANGE a -1 x", "-ERR offset is out of range"),
            ("SETRANGE a 999999999999 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("STRLEN nothing", ":0"),
        ])
        .await;
}
