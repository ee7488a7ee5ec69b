//! What a command cannot do to all that it is about, it does to none of it.

use baton_replica::{
    AckLevel, Dot, Effects, Entry, Hlc, LinkId, MapName, Range, RangeItem, Settings, ShardMessage, Version,
    VersionVector,
};

use super::*;

impl Redis {
    /// Another member has added to a field of a key of map `redis`.
    fn another_adds_to(&self, name: &str, field: &str) {
        let key =
            Key::of_parts(b"redis", name.as_bytes()).expect("a key").with_field(field.as_bytes()).expect("a field");
        let (peer, link) = (ReplicaId::new(8).expect("not zero"), LinkId(1));
        let dot = Dot { replica: peer, counter: 1 };
        let (hlc, writer, added) = (Hlc::from_bits(1), peer, 5);
        let version = Version { dot, hlc, writer, value: None, added, owner: None, expires_at: None };
        let entry = Entry::new(vec![version], VersionVector::new());
        let index = (key.hash() % 4) as usize;
        let items = vec![RangeItem { key, slots: vec![1], entry }];
        let range = Range { origin: peer, from: 0, to: 1, items, continued: Vec::new(), token: 0, level: 0 };
        self.engine.with_shard(index, None, |shard| shard.link_up(peer, link));
        self.engine.handle(index, peer, link, ShardMessage::Range(range)).expect("a sound range");
        self.engine.with_shard(index, None, |_| Effects::default());
    }
}

#[tokio::test]
async fn a_deadline_that_one_field_cannot_have_is_given_to_none() {
    let redis = Redis::active().await;
    redis.give_fields("h", 2_000);
    let mut client = redis.client().await;
    client.talk(&[("HINCRBY h last 1", ":1"), ("EXPIREAT h 4102444800", ":1")]).await;
    redis.engine.list_silent(1, Settings { write_acks: AckLevel::Count(0), ..Settings::default() });
    redis.another_adds_to("h", "last");
    for command in ["EXPIRE h 50", "PERSIST h"] {
        let refused = client.ask(command).await;
        assert!(refused.starts_with("-ERR other members have added to this counter"), "{command}: {refused}");
        client.talk(&[("EXPIRETIME h", ":4102444800"), ("HGET h last", "$1|6")]).await;
    }
    // What ends now needs no deadline.
    client.talk(&[("EXPIRE h 0", ":1"), ("EXISTS h", ":0")]).await;
}

#[tokio::test]
async fn a_command_on_keys_of_several_maps_is_refused_as_a_whole() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    client.talk(&[("SADD strict:a x", ":1"), ("MSET strict:b 1 loose:b 2", "+OK")]).await;
    let map_acks = vec![(MapName::parse("strict").expect("a name"), AckLevel::Count(2))];
    redis.engine.list_silent(1, Settings { write_acks: AckLevel::Count(0), map_acks, ..Settings::default() });
    for command in
        ["SMOVE strict:a loose:a x", "DEL loose:b strict:b", "MSET loose:b 3 strict:b 3", "RENAME strict:b loose:b"]
    {
        let refused = client.ask(command).await;
        assert!(refused.starts_with("-NOREPLICAS "), "{command}: {refused}");
    }
    client
        .talk(&[("SMEMBERS strict:a", "*1|$1|x"), ("EXISTS loose:a", ":0"), ("MGET loose:b strict:b", "*2|$1|2|$1|1")])
        .await;
}

#[tokio::test]
async fn a_hash_of_counters_keeps_the_deadline_that_it_began_with() {
    let redis = Redis::active().await;
    let mut client = redis.client().await;
    let begins = [("HSETNX cart  ", ":1"), ("EXPIREAT cart 4102444800 NX", ":1"), ("HINCRBY cart apple 1", ":1")];
    client.talk(&begins).await;
    redis.engine.list_silent(1, Settings { write_acks: AckLevel::Count(0), ..Settings::default() });
    redis.another_adds_to("cart", "apple");
    client
        .talk(&[
            ("HSETNX cart  ", ":0"),
            ("EXPIREAT cart 4102444800 NX", ":0"),
            ("HINCRBY cart apple 1", ":7"),
            ("HINCRBY cart pear 1", ":1"),
            ("EXPIRETIME cart", ":4102444800"),
        ])
        .await;
    let ends = |read: baton_replica::Read| read.expires_at().is_some();
    let cart = Key::of_parts(b"redis", b"cart").expect("a key");
    for item in ["apple", "pear"] {
        let field = cart.with_field(item.as_bytes()).expect("a field");
        assert!(redis.engine.get(&field).expect("live").is_some_and(ends), "{item}");
    }
}
