//! What a departure costs does not depend on the number of keys: not what is said, nor what is written.

mod pair;

use baton_replica::{Condition, Entry, Key, MapName, Shard, ShardMessage, Value};
use bytes::Bytes;

use pair::{LINK, NOW, exchange, exchange_seen, id, link, list, shard, take};

/// What two members say of a third that is gone, until it is retired.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    messages: usize,
    entries: usize,
}

#[test]
fn a_departure_says_as_much_with_ten_thousand_keys_as_with_a_hundred_and_rewrites_none() {
    assert_eq!(departure(10_000), departure(100));
}

/// A replica that has written this many keys is gone, and then retired.
fn departure(keys: usize) -> Said {
    use baton_replica::MemberPhase::{Active, Gone};
    let all = list(1, &[(1, Active), (2, Active), (3, Active)]);
    let [mut a, mut b, mut x] = [1, 2, 3].map(|me| shard(me, &all));
    x.start_empty();
    for number in 0..keys {
        put(&mut x, number);
    }
    for other in [&mut a, &mut b] {
        link(other, &mut x);
        exchange(other, &mut x);
    }
    link(&mut a, &mut b);
    for _ in 0..2 {
        exchange(&mut a, &mut b);
        exchange(&mut a, &mut x);
        exchange(&mut b, &mut x);
    }
    let before = held(&a);
    assert_eq!((before.len(), &before), (keys, &held(&b)));
    for shard in [&mut a, &mut b] {
        shard.link_down(id(3), LINK);
        let _ = shard.take_changes();
    }
    let mut said = Said::default();
    for list in [list(2, &[(1, Active), (2, Active), (3, Gone)]), list(3, &[(1, Active), (2, Active)])] {
        take(&mut a, &list);
        take(&mut b, &list);
        exchange_seen(&mut a, &mut b, |message| {
            said = Said { messages: said.messages + 1, entries: said.entries + entries(message) };
        });
        assert!(!a.roster().lists(id(3)) || (a.settled(id(3)).is_some() && b.settled(id(3)).is_some()));
    }
    for shard in [&mut a, &mut b] {
        assert_eq!(held(shard), before, "versions keep the dots of who is retired");
        assert_eq!((shard.take_changes(), shard.clock().is_empty(), shard.log_slots()), (Vec::new(), true, 0));
    }
    said
}

fn held(shard: &Shard) -> Vec<(Key, Entry)> {
    shard.entries().collect()
}

fn put(shard: &mut Shard, number: usize) {
    let map = MapName::parse("default").expect("a name");
    let key = Key::new(&map, number.to_string().as_bytes()).expect("a key");
    let value = Value { content_type: "".into(), body: Bytes::from_static(b"v") };
    shard.put(&key, value, &Condition::Always, NOW).expect("live");
}

fn entries(message: &ShardMessage) -> usize {
    match message {
        ShardMessage::Range(range) => range.items.len(),
        ShardMessage::Chunk(chunk) => chunk.keys as usize,
        ShardMessage::Settle(settle) => settle.items.len(),
        _ => 0,
    }
}
