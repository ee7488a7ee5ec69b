//! Counters.

use super::Redis;

#[tokio::test]
async fn a_counter_is_a_value_to_which_is_added() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("INCR a", ":1"),
            ("INCRBY a 41", ":42"),
            ("DECR a", ":41"),
            ("DECRBY a 1", ":40"),
            ("GET a", "$2|40"),
            ("SET a 7", "+OK"),
            ("INCR a", ":8"),
            ("SET a x", "+OK"),
            ("INCR a", "-ERR value is not an integer or out of range"),
            ("INCRBY a x", "-ERR value is not an integer or out of range"),
            ("SET a 9223372036854775807", "+OK"),
            ("INCR a", "-ERR increment or decrement would overflow"),
            ("DECRBY a -9223372036854775808", "-ERR decrement would overflow"),
        ])
        .await;
}

#[tokio::test]
async fn a_float_is_read_added_to_and_put() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SET a 10.50 EX 100", "+OK"),
            ("INCRBYFLOAT a 0.1", "$4|10.6"),
            ("INCRBYFLOAT a -5", "$3|5.6"),
            ("TTL a", ":100"),
            ("INCRBYFLOAT b 3.0e3", "$4|3000"),
            // Redis, which has more digits than it shows, says 0.3.
            ("SET c 0.1", "+OK"),
            ("INCRBYFLOAT c 0.2", "$19|0.30000000000000004"),
            ("HSET h f 0.1", ":1"),
            ("HINCRBYFLOAT h f 0.2", "$19|0.30000000000000004"),
            ("INCRBYFLOAT a x", "-ERR value is not a valid float"),
            ("INCRBYFLOAT a inf", "-ERR increment would produce NaN or Infinity"),
        ])
        .await;
}
