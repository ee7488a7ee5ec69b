//! Instruction counts of the core's operations, by `cargo xtask bench core --row instructions`.
//!
//! Each count is of a thousand keys with values of 256 bytes, in a shard of ten thousand (transfers: of a thousand), and
//! of the operation alone: what it works on is made before. Counts say nothing of cache misses; the row `put` of `cargo xtask bench core` does.

#![allow(missing_docs, unreachable_pub, reason = "gungraun's macros make public items without docs")]

use baton_replica::{Condition, Key, Limits, LinkId, MapName, Read, ReplicaId, Roster, Shard, ShardMessage, Value};
use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};

const KEYS: u64 = 10_000;
const BATCH: u64 = 1_000;
const VALUE_BYTES: usize = 256;
const NOW: u64 = 1_700_000_000_000;
const LINK: LinkId = LinkId(1);

/// A shard and what its peer has sent.
type Inbox = (Shard, Vec<ShardMessage>);

// === Operations ===

#[library_benchmark]
#[bench::thousand(filled())]
fn put(mut shard: Shard) -> Shard {
    for number in 0..BATCH {
        write(&mut shard, number, 1);
    }
    shard
}

#[library_benchmark]
#[bench::thousand(filled())]
fn get(shard: Shard) -> (Shard, Vec<Option<Read>>) {
    let read = |number| shard.get(&key(number), NOW).ok().flatten();
    let reads = (0..BATCH).map(read).collect();
    (shard, reads)
}

#[library_benchmark]
#[bench::thousand(changed())]
fn make_range(mut sender: Shard) -> Inbox {
    let messages = drain(&mut sender, 2);
    (sender, messages)
}

#[library_benchmark]
#[bench::thousand(received_range())]
fn join_range(inbox: Inbox) -> Shard {
    take(inbox)
}

#[library_benchmark]
#[bench::thousand(fetched())]
fn make_chunks(mut sender: Shard) -> Inbox {
    let messages = drain(&mut sender, 2);
    (sender, messages)
}

#[library_benchmark]
#[bench::thousand(received_chunks())]
fn join_chunks(inbox: Inbox) -> Shard {
    take(inbox)
}

// === What they work on ===

/// Alone, with all keys.
fn filled() -> Shard {
    holding(KEYS)
}

fn holding(keys: u64) -> Shard {
    let mut shard = Shard::new(0, roster(1, 1), Limits::default());
    shard.start_empty();
    for number in 0..keys {
        write(&mut shard, number, 0);
    }
    shard
}

/// Of a pair in sync: a sender that has just changed a thousand keys.
fn changed() -> Shard {
    pair().0
}

fn received_range() -> Inbox {
    let (mut sender, receiver) = pair();
    (receiver, drain(&mut sender, 2))
}

fn pair() -> (Shard, Shard) {
    let [mut sender, mut receiver] = [1, 2].map(|me| {
        let mut shard = Shard::new(0, roster(me, 2), Limits::default());
        shard.start_empty();
        shard
    });
    link(&mut sender, &mut receiver);
    exchange(&mut sender, &mut receiver);
    for number in 0..KEYS {
        write(&mut sender, number, 0);
    }
    exchange(&mut sender, &mut receiver);
    for number in 0..BATCH {
        write(&mut sender, number, 1);
    }
    (sender, receiver)
}

/// A sender that was asked for everything.
fn fetched() -> Shard {
    joining().0
}

fn received_chunks() -> Inbox {
    let (mut sender, receiver) = joining();
    (receiver, drain(&mut sender, 2))
}

fn joining() -> (Shard, Shard) {
    let mut sender = holding(BATCH);
    sender.set_roster(roster(1, 2));
    let mut receiver = Shard::new(0, roster(2, 2), Limits::default());
    link(&mut sender, &mut receiver);
    let asked = drain(&mut receiver, 1);
    deliver(&mut sender, 2, asked);
    (sender, receiver)
}

// === Helpers ===

fn key(number: u64) -> Key {
    let map = MapName::parse("bench").expect("a name");
    // In no order.
    let name = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Key::new(&map, format!("{name:016x}").as_bytes()).expect("a key")
}

fn write(shard: &mut Shard, number: u64, round: u8) {
    let value = Value { content_type: Box::default(), body: Bytes::copy_from_slice(&[round; VALUE_BYTES]) };
    shard.put(&key(number), value, &Condition::Always, NOW).expect("the shard is live");
}

fn take((mut shard, messages): Inbox) -> Shard {
    deliver(&mut shard, 1, messages);
    shard
}

fn link(sender: &mut Shard, receiver: &mut Shard) {
    sender.link_up(replica(2), LINK);
    receiver.link_up(replica(1), LINK);
}

fn drain(shard: &mut Shard, peer: u64) -> Vec<ShardMessage> {
    std::iter::from_fn(|| shard.poll_transmit(replica(peer), LINK)).collect()
}

fn deliver(shard: &mut Shard, from: u64, messages: Vec<ShardMessage>) {
    for message in messages {
        shard.handle(replica(from), LINK, message, NOW).expect("a good message");
    }
}

fn exchange(one: &mut Shard, two: &mut Shard) {
    loop {
        let (there, back) = (drain(one, 2), drain(two, 1));
        if there.is_empty() && back.is_empty() {
            return;
        }
        deliver(two, 1, there);
        deliver(one, 2, back);
    }
}

fn replica(number: u64) -> ReplicaId {
    ReplicaId::new(number).expect("not zero")
}

fn roster(me: u64, members: u64) -> Roster {
    Roster::of_group(replica(me), (1..=members).map(replica))
}

library_benchmark_group!(name = core, benchmarks = [put, get, make_range, join_range, make_chunks, join_chunks]);
main!(library_benchmark_groups = core);
