//! Lists by prefix from a cursor, of keys and of fields, against what a sorted map says.

use std::collections::BTreeSet;

use baton_replica::{Cleared, Condition, Key, MAX_BATCH, MapName, Operation, ReplicaId, Value, WriteError};
use proptest::prelude::*;

use crate::harness::{World, key, roomy};

fn map() -> MapName {
    MapName::parse("map").expect("valid")
}

fn put(world: &mut World, at: ReplicaId, key: &Key) {
    let value = Value { content_type: "".into(), body: "v".into() };
    world.write(at, key, Condition::Always, Operation::Put { value, expires_at: None }).expect("live");
}

fn field(name: &str, field: &str) -> Key {
    key(name).with_field(field.as_bytes()).expect("short")
}

/// All pages of a list, each of so many rows.
fn pages<T>(size: usize, cursor: impl Fn(&T) -> Vec<u8>, page: impl Fn(Option<&[u8]>) -> Vec<T>) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(&cursor);
        let rows = page(after.as_deref());
        let full = rows.len() == size;
        all.extend(rows);
        if !full {
            return all;
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!['a', 'b', '\0']), 0..4).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn pages_hold_what_is_there_in_order_and_once(
        writes in prop::collection::vec((word(), prop::option::of(word()), prop::bool::weighted(0.7)), 1..40),
        prefix in word(),
        size in 1..5_usize,
    ) {
        let (mut world, [a]) = World::group(roomy());
        let mut there: BTreeSet<(String, Option<String>)> = BTreeSet::new();
        for (name, under, puts) in writes {
            let name = format!("{name}k");
            let at = under.as_ref().map_or_else(|| key(&name), |under| field(&name, under));
            if puts {
                put(&mut world, a, &at);
                there.insert((name, under));
            } else {
                world.write(a, &at, Condition::Always, Operation::Delete).expect("live");
                there.remove(&(name, under));
            }
        }
        let shard = world.shard(a);
        let matching = || there.iter().filter(|(name, _)| name.starts_with(&prefix));
        let keys = pages(
            size,
            |row: &Key| row.name().to_vec(),
            |after| {
                let rows = shard.list(&map(), prefix.as_bytes(), after, size, 0).expect("live");
                rows.into_iter().map(|row| row.key).collect()
            },
        );
        let expected = matching().filter(|(_, under)| under.is_none()).map(|(name, _)| key(name));
        prop_assert_eq!(keys, expected.collect::<Vec<_>>());
        let mut back = pages(
            size,
            |row: &Key| row.name().to_vec(),
            |before| {
                let rows = shard.list_back(&map(), prefix.as_bytes(), before, size, 0).expect("live");
                rows.into_iter().map(|row| row.key).collect()
            },
        );
        back.reverse();
        prop_assert_eq!(back, pages(1_000, |row: &Key| row.name().to_vec(), |after| {
            let rows = shard.list(&map(), prefix.as_bytes(), after, 1_000, 0).expect("live");
            rows.into_iter().map(|row| row.key).collect()
        }));
        let names = pages(
            size,
            |row: &Key| row.name().to_vec(),
            |after| shard.names(&map(), prefix.as_bytes(), after, size, 0).expect("live"),
        );
        let mut expected: Vec<Key> = matching().map(|(name, _)| key(name)).collect();
        expected.dedup();
        prop_assert_eq!(names, expected);
        for name in there.iter().map(|(name, _)| name).collect::<BTreeSet<_>>() {
            let fields = pages(
                size,
                |row: &Key| row.field().expect("a field").to_vec(),
                |after| {
                    let rows = shard.fields(&key(name), prefix.as_bytes(), after, size, 0).expect("live");
                    rows.into_iter().map(|row| row.key).collect()
                },
            );
            let under = there.iter().filter(|(other, _)| other == name).filter_map(|(_, under)| under.as_ref());
            let expected = under.filter(|under| under.starts_with(&prefix)).map(|under| field(name, under));
            prop_assert_eq!(fields, expected.collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_list_goes_on_where_it_was_while_keys_come_and_go() {
    let (mut world, [a]) = World::group(roomy());
    for name in ["b", "d", "f"] {
        put(&mut world, a, &key(name));
    }
    let page = |world: &World, after: Option<&[u8]>| {
        let rows = world.shard(a).list(&map(), b"", after, 1, world.now).expect("live");
        rows.first().map(|row| String::from_utf8_lossy(row.key.name()).into_owned())
    };
    assert_eq!(page(&world, None).as_deref(), Some("b"));
    world.write(a, &key("b"), Condition::Always, Operation::Delete).expect("live");
    put(&mut world, a, &key("a"));
    put(&mut world, a, &key("c"));
    assert_eq!(page(&world, Some(b"b")).as_deref(), Some("c"));
    assert_eq!(page(&world, Some(b"c")).as_deref(), Some("d"));
}

#[test]
fn a_list_from_the_end_stays_within_its_map_and_prefix() {
    let (mut world, [a]) = World::group(roomy());
    for (name, keys) in [("map", &[&b"a\xff"[..], b"a\xff\xff\xff", b"b"][..]), ("map-2", &[b"a"]), ("ma", &[b"z"])] {
        let map = MapName::parse(name).expect("valid");
        for key in keys {
            put(&mut world, a, &Key::new(&map, key).expect("valid"));
        }
    }
    let back = |prefix: &[u8], before: Option<&[u8]>| -> Vec<Vec<u8>> {
        let rows = world.shard(a).list_back(&map(), prefix, before, 10, 0).expect("live");
        rows.iter().map(|row| row.key.name().to_vec()).collect()
    };
    assert_eq!(back(b"", None), [&b"b"[..], b"a\xff\xff\xff", b"a\xff"]);
    assert_eq!(back(b"a\xff", None), [&b"a\xff\xff\xff"[..], b"a\xff"]);
    assert_eq!(back(b"a", Some(b"a\xff\xff\xff")), [b"a\xff"]);
    assert_eq!(back(b"a", Some(b"z")), [&b"a\xff\xff\xff"[..], b"a\xff"]);
    assert_eq!(back(b"\xff", None), [b""; 0]);
}

#[test]
fn a_key_goes_with_all_its_fields_at_once() {
    let (mut world, [a, b]) = World::group(crate::harness::tight(64));
    let keys = [key("hash"), field("hash", ""), field("hash", "x"), field("hash", "y")];
    for key in keys.iter().chain([&field("hash2", "x"), &key("hasg")]) {
        put(&mut world, a, key);
    }
    world.settle();
    let refused = world.node(b).shard.delete_with_fields(&key("hash"), &Condition::Absent, 0);
    assert!(matches!(refused, Err(WriteError::Condition { current: Some(_) })));
    let cleared = world.node(b).shard.delete_with_fields(&key("hash"), &Condition::Always, 0).expect("live");
    assert_eq!((cleared.deleted, cleared.more), (4, false));
    world.node(b).wake_all();
    let there = |world: &World| keys.iter().filter(|key| world.shard(a).get(key, 0).expect("live").is_some()).count();
    let mut seen = vec![there(&world)];
    while world.pump(b, a, 1) | world.deliver(b, a) | world.pump(a, b, 1) | world.deliver(a, b) {
        seen.push(there(&world));
    }
    seen.dedup();
    assert_eq!(seen, [4, 0]);
    let names = world.shard(a).names(&map(), b"", None, 10, 0).expect("live");
    assert_eq!(names, [key("hasg"), key("hash2")]);
    let nothing = world.node(b).shard.delete_with_fields(&key("hash"), &Condition::Always, 0).expect("live");
    assert_eq!(nothing, Cleared::default());
}

#[test]
fn more_fields_than_a_batch_holds_are_deleted_batch_by_batch() {
    let (mut world, [a]) = World::group(roomy());
    for number in 0..MAX_BATCH {
        put(&mut world, a, &field("hash", &number.to_string()));
    }
    let mut clear = || world.node(a).shard.delete_with_fields(&key("hash"), &Condition::Always, 0).expect("live");
    let first = clear();
    assert_eq!((first.deleted, first.more), (MAX_BATCH - 1, true));
    let second = clear();
    assert_eq!((second.deleted, second.more), (1, false));
}
