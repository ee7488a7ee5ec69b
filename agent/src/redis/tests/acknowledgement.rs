//! What is answered has its acknowledgements, whoever made the write that it tells of.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn who_is_told_that_something_is_there_waits_for_its_acknowledgements() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("SADD tags:a red", ":1"),
            ("SADD tags:b red", ":1"),
            ("ZADD board 5 ann", ":1"),
            ("SET k v", "+OK"),
            ("HSET h f v", ":1"),
        ])
        .await;
    // What was stable when nobody else was there has no acknowledgement of those who come.
    redis.engine.list_silent_members(2, true);
    let told = [
        "SADD tags:a red",
        "SMOVE tags:a tags:a red",
        "ZADD board 5 ann",
        "ZADD board GT 4 ann",
        "ZADD board NX 6 ann",
        "ZINCRBY board 0 ann",
        "SETNX k w",
        "SET k w NX",
        "SET k w NX GET",
        "HSETNX h f w",
        "RENAME k k",
    ];
    let replies = join_all(told.map(async |command| (command, redis.client().await.ask(command).await)));
    for (command, reply) in replies.await {
        assert!(reply.starts_with("-UNACKED "), "{command}: {reply}");
    }
    client.talk(&[("SREM tags:a blue", ":0"), ("EXISTS k", ":1")]).await;
}
