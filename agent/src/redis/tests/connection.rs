//! What a connection says of itself, and both protocols.

use super::{Redis, request};

#[tokio::test]
async fn a_connection_begins_in_resp2_and_may_go_on_in_resp3() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    assert_eq!(client.ask("GET a").await, "$-1");
    let hello = client.ask("HELLO 3 AUTH default secret SETNAME me").await;
    assert!(hello.starts_with("%7|$6|server|$5|redis|") && hello.contains("|$5|proto|:3|"), "{hello}");
    client
        .talk(&[
            ("GET a", "_"),
            ("CLIENT GETNAME", "$2|me"),
            ("HELLO 4", "-NOPROTO unsupported protocol version"),
            ("RESET", "+RESET"),
            ("GET a", "$-1"),
            ("CLIENT GETNAME", "$-1"),
        ])
        .await;
}

#[tokio::test]
async fn clients_say_who_they_are_and_ask_what_there_is() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("PING", "+PONG"),
            ("PING hi", "$2|hi"),
            ("ECHO hi", "$2|hi"),
            ("CLIENT SETINFO LIB-NAME redis-rs", "+OK"),
            ("CLIENT SETNAME worker", "+OK"),
            ("AUTH default x", "+OK"),
            ("AUTH me x", "-WRONGPASS invalid username-password pair or user is disabled."),
            ("SELECT 16", "-ERR DB index is out of range"),
            ("CONFIG GET save", "*2|$4|save|$0"),
            ("CONFIG GET app*", "*2|$10|appendonly|$2|no"),
            ("ROLE", "*3|$6|master|:0|*0"),
            ("COMMAND INFO get", "*1|*10|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|*0|*0|*0|*0"),
            ("COMMAND GETKEYS MSET a 1 b 2", "*2|$1|a|$1|b"),
        ])
        .await;
    let info = client.ask("CLIENT INFO").await;
    assert!(info.contains("name=worker") && info.contains("lib-name=redis-rs"), "{info}");
    let info = client.ask("INFO server").await;
    assert!(info.contains("|redis_version:7.") && !info.contains("# Clients"), "{info}");
}

#[tokio::test]
async fn what_there_is_not_is_refused_with_the_reason() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("NOTHING a b", "-ERR unknown command 'NOTHING', with args beginning with: 'a' 'b'"),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
        ])
        .await;
    assert!(client.ask("LPUSH a 1").await.starts_with("-ERR LPUSH is not supported: a list has one order"));
    assert!(client.ask("SET  1").await.starts_with("-ERR a key has 1 to 1024 bytes"));
}

#[tokio::test]
async fn an_agent_without_the_state_is_loading() {
    let redis = Redis::joining().await;
    let mut client = redis.client().await;
    assert_eq!(client.ask("PING").await, "+PONG");
    for command in ["GET a", "SET a 1", "INCR a", "DEL a", "EXISTS a", "KEYS *", "TTL a"] {
        assert!(client.ask(command).await.starts_with("-LOADING "), "{command}");
    }
    redis.engine.start_empty();
    assert_eq!(client.ask("SET a 1").await, "+OK");
    redis.engine.seal();
    assert!(client.ask("SET a 1").await.starts_with("-READONLY "));
    assert_eq!(client.ask("GET a").await, "$1|1");
}

#[tokio::test]
async fn replies_come_in_the_order_of_the_requests() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let mut bytes = Vec::new();
    for number in 0..2000 {
        let number = number.to_string();
        bytes.extend(request(&[b"SET", b"a", number.as_bytes()]));
        bytes.extend(request(&[b"GET", b"a"]));
    }
    bytes.extend(b"PING\r\nECHO \"a b\"\r\n");
    client.send(&bytes).await;
    for number in 0..2000 {
        let value = number.to_string();
        assert_eq!(client.reply().await, "+OK");
        assert_eq!(client.reply().await, format!("${}|{value}", value.len()));
    }
    assert_eq!((client.reply().await, client.reply().await), ("+PONG".into(), "$3|a b".into()));
}

#[tokio::test]
async fn a_client_may_want_no_replies() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .send(b"CLIENT REPLY OFF\r\nSET a 1\r\nPING\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nPING\r\nGET a\r\n")
        .await;
    assert_eq!((client.reply().await, client.reply().await), ("+OK".into(), "$1|1".into()));
}

#[tokio::test]
async fn a_wait_of_a_client_that_wants_no_replies_is_not_answered() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let silent = "CLIENT REPLY OFF\r\nWAIT 0 0\r\nWAIT 1 10\r\nCLIENT REPLY ON\r\n";
    client.send(format!("{silent}CLIENT REPLY SKIP\r\nWAIT 0 0\r\nWAIT 0 0\r\nPING\r\n").as_bytes()).await;
    assert_eq!([client.reply().await, client.reply().await, client.reply().await], ["+OK", ":0", "+PONG"]);
}

#[tokio::test]
async fn a_client_that_quits_gets_its_replies() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.send(b"PING\r\nQUIT\r\nPING\r\n").await;
    assert_eq!(client.rest().await, "+PONG\r\n+OK\r\n");
}

#[tokio::test]
async fn a_wait_counts_the_members_that_have_what_was_written() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client
        .talk(&[
            ("WAIT 0 0", ":0"),
            ("SET a 1", "+OK"),
            ("WAIT 0 0", ":0"),
            ("WAIT 1 20", ":0"),
            ("WAIT 1 -1", "-ERR timeout is negative"),
            ("WAIT x 1", "-ERR value is not an integer or out of range"),
        ])
        .await;
}
