//! Sorted sets.

use super::*;

#[tokio::test]
async fn a_board_is_in_the_order_of_its_scores() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("ZADD board 30 ann 10 bob 20 cy", ":3"),
            ("ZADD board 30 ann 11 bob", ":0"),
            ("ZADD board CH 12 bob", ":1"),
            ("ZINCRBY board 25 bob", "$2|37"),
            ("ZRANGE board 0 -1 WITHSCORES", "*6|$2|cy|$2|20|$3|ann|$2|30|$3|bob|$2|37"),
            ("ZREVRANGE board 0 0", "*1|$3|bob"),
            ("ZREVRANK board ann", ":1"),
            ("ZRANK board nobody", "$-1"),
            ("ZRANGEBYSCORE board (20 +inf LIMIT 1 5", "*1|$3|bob"),
            ("ZCOUNT board 20 30", ":2"),
            ("ZSCORE board cy", "$2|20"),
            ("ZMSCORE board cy nobody", "*2|$2|20|$-1"),
            ("ZREMRANGEBYRANK board 0 0", ":1"),
            ("ZPOPMAX board", "*2|$3|bob|$2|37"),
            ("TYPE board", "+zset"),
            ("ZREM board ann", ":1"),
            ("EXISTS board", ":0"),
        ])
        .await;
}

#[tokio::test]
async fn scores_are_numbers_of_resp3_and_pairs_arrays_of_their_own() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.ask("HELLO 3").await;
    client
        .talk(&[
            ("ZADD z 1.5 a -inf b", ":2"),
            ("ZSCORE z a", ",1.5"),
            ("ZSCORE z c", "_"),
            ("ZRANGE z 0 -1 WITHSCORES", "*2|*2|$1|b|,-inf|*2|$1|a|,1.5"),
            ("ZPOPMIN z", "*2|$1|b|,-inf"),
            ("ZPOPMIN z 1", "*1|*2|$1|a|,1.5"),
        ])
        .await;
}

#[tokio::test]
async fn a_fraction_can_be_set_and_not_added() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.talk(&[("ZADD z 1.5 a 2 b", ":2")]).await;
    for command in ["ZINCRBY z 1 a", "ZINCRBY z 0.5 b", "ZINCRBY z 0.5 new", "ZADD z INCR 0.5 b"] {
        let refused = client.ask(command).await;
        assert!(refused.starts_with("-ERR only whole numbers can be added to scores"), "{command}: {refused}");
    }
    client
        .talk(&[
            ("ZINCRBY z 3 b", "$1|5"),
            ("ZRANGE z 0 -1 WITHSCORES", "*4|$1|a|$3|1.5|$1|b|$1|5"),
            ("ZADD z XX INCR 1 nobody", "$-1"),
            ("ZADD z GT INCR -1 b", "$-1"),
        ])
        .await;
}

#[tokio::test]
async fn errors_are_those_of_redis() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("ZADD z x a", "-ERR value is not a valid float"),
            ("ZADD z nan a", "-ERR value is not a valid float"),
            ("ZADD z 1 a 2", "-ERR syntax error"),
            ("ZADD z NX", "-ERR wrong number of arguments for 'zadd' command"),
            ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible"),
            ("ZADD z GT LT 1 a", "-ERR GT, LT, and/or NX options at the same time are not compatible"),
            ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair"),
            ("ZRANGE z a 1", "-ERR value is not an integer or out of range"),
            (
                "ZRANGE z 0 1 LIMIT 0 1",
                "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ),
            ("ZRANGEBYSCORE z a 1", "-ERR min or max is not a float"),
            ("ZRANGEBYLEX z a +", "-ERR min or max not valid string range item"),
            ("SADD s a", ":1"),
            ("ZADD s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ZCARD s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ])
        .await;
}
