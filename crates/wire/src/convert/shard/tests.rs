//! What is left out on the wire is what the receiver puts back.

use baton_replica::{ChunkItem, Dot, Entry, Hlc, Owner, Value, Version};
use prost::Message;

use super::*;

const ORIGIN: u64 = 7;
const OTHER: u64 = 9;
const NOW: u64 = 1_700_000_000_000 << 16;

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn key(name: &str) -> Key {
    let map = baton_replica::MapName::parse("m").expect("a name");
    Key::new(&map, name.as_bytes()).expect("a key")
}

fn version(replica: u64, counter: u64, hlc: u64) -> Version {
    Version {
        dot: Dot { replica: id(replica), counter },
        hlc: Hlc::from_bits(hlc),
        writer: id(replica),
        value: Some(Value { content_type: "text/plain".into(), body: Bytes::from_static(b"value") }),
        added: 0,
        owner: None,
        expires_at: None,
    }
}

fn context(dots: &[(u64, u64)]) -> VersionVector {
    dots.iter().map(|(replica, counter)| (id(*replica), *counter)).collect()
}

/// The origin's own and others' versions, siblings, a default of long ago, and contexts of each kind.
fn entries() -> Vec<Entry> {
    let adopted = Version { writer: id(OTHER), ..version(ORIGIN, 5, NOW - 70_000) };
    let [since, dot] = [7, 8].map(|counter| Dot { replica: id(OTHER), counter });
    let owner = Owner { replica: None, token: NOW, since, dot, confirmed: true };
    let owned = Version { owner: Some(Box::new(owner)), expires_at: Some(1), ..version(OTHER, 5, NOW) };
    vec![
        Entry::new(vec![version(ORIGIN, 2, NOW)], VersionVector::new()),
        Entry::new(vec![version(ORIGIN, 3, NOW + 1)], context(&[(ORIGIN, 1)])),
        Entry::new(vec![version(ORIGIN, 1, 0)], context(&[(OTHER, 1)])),
        Entry::new(vec![adopted, owned], context(&[(ORIGIN, 4), (OTHER, 4)])),
        Entry::new(vec![version(OTHER, u64::MAX, u64::MAX)], VersionVector::new()),
        Entry::new(Vec::new(), context(&[(ORIGIN, u64::MAX)])),
    ]
}

/// Through bytes and back.
fn carried(message: ShardMessage) -> ShardMessage {
    let frame = wire::ShardFrame { shard: 0, body: Some(shard_message_to_wire(message)) };
    let frame = wire::ShardFrame::decode(frame.encode_to_vec().as_slice()).expect("what was encoded");
    shard_message_from_wire(frame.body.expect("a body")).expect("a good message")
}

fn ranged() -> Range {
    let item =
        |(at, entry)| RangeItem { key: key(&format!("k{at}")), slots: vec![at as u64 + 1, at as u64 + 2], entry };
    let items = entries().into_iter().enumerate().map(item).collect();
    Range { origin: id(ORIGIN), from: 0, to: 9, items, continued: vec![2], token: 6, level: 2 }
}

#[test]
fn a_range_arrives_as_it_was_sent() {
    let message = ShardMessage::Range(ranged());
    assert_eq!(carried(message.clone()), message);
}

#[test]
fn a_chunk_arrives_as_it_was_sent() {
    for from in 0..entries().len() {
        let items = entries().into_iter().enumerate().skip(from);
        let items = items.map(|(at, entry)| ChunkItem { key: key(&format!("k{at}")), entry }).collect();
        let (clock, listed) = (context(&[(ORIGIN, 3)]), vec![id(ORIGIN)]);
        let message = ShardMessage::Chunk(Chunk {
            transfer: 1,
            index: 2,
            clock,
            listed,
            founders: vec![id(ORIGIN)],
            token: 3,
            level: 1,
            keys: 4,
            after: Some(key("a")),
            through: None,
            items,
        });
        assert_eq!(carried(message.clone()), message);
    }
}

#[test]
fn what_is_settled_arrives_as_it_was_sent() {
    let items = entries().into_iter().enumerate();
    let items = items.map(|(at, entry)| ChunkItem { key: key(&format!("k{at}")), entry }).collect();
    let message = ShardMessage::Settle(Settle { origin: id(OTHER), round: 1, seen: 2, last: true, items, token: 3 });
    assert_eq!(carried(message.clone()), message);
}

/// As section 11 of docs/protocol.md draws them, byte by byte.
#[test]
fn the_example_in_the_docs_is_what_is_sent() {
    let (writer, put) = (0x1122_3344_5566_7788, 1_763_712_000_001 << 16);
    let value = |body| Some(Value { content_type: Box::default(), body: Bytes::from_static(body) });
    let version = |counter, hlc, body| Version { value: value(body), ..version(writer, counter, hlc) };
    let item = |name, slots, entry| RangeItem { key: carts(name), slots, entry };
    let items = vec![
        item("ann", vec![1, 3], Entry::new(vec![version(3, put, b"3")], context(&[(writer, 1)]))),
        item("bob", vec![2], Entry::new(vec![version(2, put - 65_535, b"2")], VersionVector::new())),
    ];
    let range = Range { origin: id(writer), from: 0, to: 3, items, continued: Vec::new(), token: 0, level: 0 };
    let parts: [&[u8]; 10] = [
        b"\x08\x07\x32\x4b\x08\x03\x1a\x47\x09\x88\x77\x66\x55\x44\x33\x22\x11\x18\x03\x22\x3a",
        b"\x31\x00\x0b\x05\x00\x03cartsann\x02\x02\x04",
        b"\x01\x00\x88\x77\x66\x55\x44\x33\x22\x11\x01",
        b"\x02\x00\x06",
        b"\x80\x80\x88\x80\xac\xdb\xd2\x9a\x03",
        b"\x013",
        b"\x11\x08\x03bob\x01\x01",
        b"\x02\x00\x01",
        b"\xfd\xff\x07",
        b"\x012",
    ];
    assert_eq!(framed(ShardMessage::Range(range)), parts.concat());

    let applied = Applied {
        clock: context(&[(writer, 3)]),
        full: false,
        answers_range: true,
        heard_leaving: 0,
        leaving: 0,
        founders: Vec::new(),
    };
    let answer =
        b"\x08\x07\x32\x15\x08\x03\x12\x11\x0a\x0d\x0a\x08\x88\x77\x66\x55\x44\x33\x22\x11\x12\x01\x03\x18\x01";
    assert_eq!(framed(ShardMessage::Applied(applied)), answer);
}

/// Also of section 11.
#[test]
fn the_hello_and_the_heartbeat_in_the_docs_are_what_is_sent() {
    let frame = |body| wire::Frame { membership: 7, body: Some(body) }.encode_to_vec();
    let hello = wire::Hello {
        protocol: 2,
        group: "games/arena".into(),
        replica: 0x1122_3344_5566_7788,
        phase: crate::directory::Phase::Active.into(),
        shards: 16,
        membership: Some(crate::directory::Version { uid: "5f0c".into(), number: 7 }),
        pod_name: "game-1".into(),
    };
    let parts: [&[u8]; 5] = [
        b"\x08\x07\x12\x2e\x08\x02\x12\x0bgames/arena",
        b"\x19\x88\x77\x66\x55\x44\x33\x22\x11",
        b"\x20\x02\x28\x10",
        b"\x32\x08\x0a\x045f0c\x10\x07",
        b"\x3a\x06game-1",
    ];
    assert_eq!(frame(wire::frame::Body::Hello(hello)), parts.concat());
    let heartbeat = wire::Heartbeat { seen: 0x0102_0304_0506_0708, sum: 0x1112_1314_1516_1718, shard: 0 };
    let said = b"\x08\x07\x2a\x12\x09\x08\x07\x06\x05\x04\x03\x02\x01\x11\x18\x17\x16\x15\x14\x13\x12\x11";
    assert_eq!(frame(wire::frame::Body::Heartbeat(heartbeat)), said);
    let of_one = [&said[..3], b"\x14", &said[4..], b"\x18\x10"].concat();
    assert_eq!(frame(wire::frame::Body::Heartbeat(wire::Heartbeat { shard: 16, ..heartbeat })), of_one);
}

fn framed(message: ShardMessage) -> Vec<u8> {
    let frame = wire::ShardFrame { shard: 3, body: Some(shard_message_to_wire(message)) };
    wire::Frame { membership: 7, body: Some(wire::frame::Body::Shard(frame)) }.encode_to_vec()
}

fn carts(name: &str) -> Key {
    let map = baton_replica::MapName::parse("carts").expect("a name");
    Key::new(&map, name.as_bytes()).expect("a key")
}
