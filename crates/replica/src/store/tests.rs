//! The store against a plain map of entries.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::{Dot, Hlc, Owner, Value, Version};

/// One step: which key, what becomes of it, and how many log slots it gets or loses.
#[derive(Clone, Debug)]
enum Step {
    Change { key: Key, slots: u32, entry: Entry },
    Same { key: Key, slots: u32 },
    Replace { key: Key, slots: u32, version: Version },
    Release { key: Key },
    Purge { key: Key },
}

fn config(cases: u32) -> ProptestConfig {
    let (failure_persistence, rng_seed) = (None, RngSeed::Fixed(1));
    ProptestConfig { cases, failure_persistence, rng_seed, ..ProptestConfig::default() }
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    prop_oneof![20 => 1..5_u64, 1 => 1..=u64::MAX].prop_map(|bits| ReplicaId::new(bits).expect("not zero"))
}

fn dot() -> impl Strategy<Value = Dot> {
    let counter = prop_oneof![5 => 1..300_u64, 1 => Just(u64::MAX), 1 => 1..=u64::MAX];
    (replica(), counter).prop_map(|(replica, counter)| Dot { replica, counter })
}

fn value() -> impl Strategy<Value = Value> {
    let len = prop_oneof![8 => 0..64_usize, 2 => 0..1_200_usize, 1 => Just(5_000)];
    let content_type = prop_oneof![4 => Just(String::new()), 1 => Just("text/plain".into()), 1 => "x{250,300}"];
    (len, any::<u8>(), content_type).prop_map(|(len, byte, content_type)| Value {
        content_type: content_type.into(),
        body: Bytes::from(vec![byte; len]),
    })
}

fn owner() -> impl Strategy<Value = Owner> {
    (proptest::option::of(replica()), any::<u64>(), dot(), proptest::option::of(dot()), any::<bool>()).prop_map(
        |(replica, token, dot, since, confirmed)| Owner { replica, token, since: since.unwrap_or(dot), dot, confirmed },
    )
}

fn version() -> impl Strategy<Value = Version> {
    let rare = |chance| proptest::bool::weighted(chance);
    let numbers = (any::<u64>(), any::<i64>(), any::<u64>(), replica());
    let asked = (rare(0.9), rare(0.1), rare(0.2), rare(0.1), rare(0.2));
    (dot(), value(), owner(), numbers, asked).prop_map(|(dot, value, owner, (hlc, added, end, writer), asked)| {
        Version {
            dot,
            hlc: Hlc::from_bits(hlc),
            writer: if asked.3 { writer } else { dot.replica },
            value: asked.0.then_some(value),
            added: if asked.1 { added } else { 0 },
            owner: asked.2.then_some(Box::new(owner)),
            expires_at: asked.4.then_some(end),
        }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let versions = prop_oneof![1 => 0..1_usize, 6 => 1..2_usize, 1 => 2..4_usize, 1 => 10..20_usize];
    let versions = versions.prop_flat_map(|len| proptest::collection::vec(version(), len));
    let context = prop_oneof![4 => 0..3_usize, 1 => 0..30_usize];
    let context = context.prop_flat_map(|len| proptest::collection::vec(dot(), len));
    (versions, context).prop_map(|(versions, context)| {
        Entry::new(versions, context.into_iter().map(|dot| (dot.replica, dot.counter)).collect())
    })
}

/// Few names, so that keys are met again; zeros, common beginnings and fields, so that their order is not a matter of
/// course.
fn key() -> impl Strategy<Value = Key> {
    let byte = prop_oneof![Just(0_u8), Just(1), Just(255), Just(b'a')];
    let name = prop_oneof![
        3 => proptest::collection::vec(byte.clone(), 1..4),
        3 => (0..2_000_u32).prop_map(|number| format!("user:{number:08}").into_bytes()),
        1 => Just(vec![b'n'; 1_024]),
    ];
    let field = proptest::option::of(proptest::collection::vec(byte, 0..3));
    (prop_oneof![Just("m"), Just("m-1")], name, field).prop_map(|(map, name, field)| {
        let key = Key::new(&MapName::parse(map).expect("valid"), &name).expect("valid");
        field.map_or(key.clone(), |field| key.with_field(&field).expect("short"))
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), 0..2_u32, entry()).prop_map(|(key, slots, entry)| Step::Change { key, slots, entry }),
        1 => (key(), 0..2_u32).prop_map(|(key, slots)| Step::Same { key, slots }),
        3 => (key(), 0..2_u32, version()).prop_map(|(key, slots, version)| Step::Replace { key, slots, version }),
        2 => key().prop_map(|key| Step::Release { key }),
        2 => key().prop_map(|key| Step::Purge { key }),
    ]
}

/// What the store must be: entries, and how many log slots name each.
#[derive(Default)]
struct Model {
    records: BTreeMap<Key, (Entry, u32)>,
    usage: BTreeMap<String, Usage>,
    /// Whether the clock covers all dots.
    all_seen: bool,
}

impl Model {
    fn step(&mut self, store: &mut Store, step: Step) {
        let all_seen = self.all_seen;
        let seen = |_| all_seen;
        match step {
            Step::Change { key, slots, entry } => {
                let (id, ()) = store.change(&key, slots, seen, |mine| *mine = entry.clone());
                let record = self.records.entry(key.clone()).or_default();
                *record = (entry, record.1 + slots);
                self.forget_void(&key);
                assert_eq!(id.is_some(), self.records.contains_key(&key));
            }
            Step::Same { key, slots } => {
                store.change(&key, slots, seen, |_| ());
                self.records.entry(key.clone()).or_default().1 += slots;
                self.forget_void(&key);
            }
            Step::Replace { key, slots, version } => {
                let record = self.records.get_mut(&key);
                let plain = record.filter(|(entry, _)| {
                    let [old] = entry.versions() else { return false };
                    all_seen && old.is_plain() && version.is_plain() && !entry.context().covers(version.dot)
                });
                let covers = |old: Dot| Some(VersionVector::from_iter([(old.replica, old.counter)]));
                let keep = Keep::Superseded { slots };
                let replaced = store.replace(&key, keep, seen, version.clone(), covers);
                // Odd entries are replaced otherwise.
                if let (Some(record), Ok(_)) = (plain, replaced) {
                    record.0.put(version);
                    record.1 += slots;
                }
            }
            Step::Release { key } => {
                let Some(record) = self.records.get_mut(&key) else { return };
                record.1 = record.1.saturating_sub(1);
                let id = store.find(&key).expect("there");
                assert_eq!(store.release(id), record.1 == 0);
                self.forget_void(&key);
            }
            Step::Purge { key } => {
                let Some(record) = self.records.get_mut(&key) else { return };
                record.0.context = VersionVector::new();
                store.purge(store.find(&key).expect("there"));
                self.forget_void(&key);
            }
        }
    }

    fn forget_void(&mut self, key: &Key) {
        if self.records.get(key).is_some_and(|(entry, slots)| entry.is_void() && *slots == 0) {
            self.records.remove(key);
        }
    }

    fn check(&mut self, store: &mut Store) {
        assert_eq!(store.len(), self.records.len());
        let rows: Vec<(Key, Entry)> = store.after(None).map(|(key, entry)| (key, entry.into_owned())).collect();
        assert!(rows.iter().map(|(key, entry)| (key, entry)).eq(self.records.iter().map(|(key, row)| (key, &row.0))));
        let mut sum = Sum::default();
        let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
        for (key, (entry, slots)) in &self.records {
            let id = store.find(key).expect("there");
            assert_eq!((store.key(id), store.slots(id)), (key.clone(), *slots));
            assert_eq!(store.entry(id).as_deref(), Some(entry));
            assert_eq!(store.get(key).as_deref(), Some(entry));
            sum.replace(key, &Entry::default(), entry);
            let mut one = UsageChanges::default();
            one.replace(key, &Entry::default(), entry);
            add(&mut usage, one.take());
        }
        assert_eq!(store.sum(), sum);
        add(&mut self.usage, store.take_usage_changes());
        self.usage.retain(|_, usage| *usage != Usage::default());
        assert_eq!(self.usage, usage);
        let droppable = self.records.values().filter_map(|(entry, _)| droppable(entry.versions())).min();
        assert_eq!(store.next_deadline(), droppable);
        let exceptions = !self.all_seen && self.records.values().any(|(entry, _)| entry.dots().next().is_some());
        assert_eq!(store.has_exceptions(), exceptions);
        let seen = |dot: Dot| dot.counter < 100;
        let unseen = self.records.values().filter(|(entry, _)| !entry.dots().all(seen)).count();
        assert_eq!(store.unseen(seen), unseen as u64);
    }

    fn check_from(&self, store: &Store, key: &Key) {
        let after: Vec<Key> = store.after(Some(key)).map(|(key, _)| key).collect();
        assert!(after.iter().eq(self.records.keys().filter(|other| *other > key)));
        assert_eq!(store.keys_in(Some(key), after.get(3)), after[..after.len().min(4)]);
        let map = MapName::parse(key.map()).expect("valid");
        let prefix = &key.name()[..key.name().len() / 2];
        let listed: Vec<Key> = store.list(&map, prefix, None).map(|(key, _)| key).collect();
        let inside = |other: &&Key| other.map() == key.map() && other.name().starts_with(prefix);
        assert!(listed.iter().eq(self.records.keys().filter(inside)));
    }
}

/// When the first version can be dropped: not before those of its replica that its dot would cover.
fn droppable(versions: &[Version]) -> Option<u64> {
    let covers = |one: Dot, other: Dot| one.replica == other.replica && one.counter > other.counter;
    let end = |version: &Version| {
        let with = versions.iter().filter(|other| std::ptr::eq(*other, version) || covers(version.dot, other.dot));
        let ends: Option<Vec<u64>> = with.map(|other| other.expires_at).collect();
        ends?.into_iter().max()
    };
    versions.iter().filter_map(end).min()
}

fn add(usage: &mut BTreeMap<String, Usage>, changes: BTreeMap<String, Usage>) {
    for (map, change) in changes {
        let total = usage.entry(map).or_default();
        total.entries += change.entries;
        total.bytes += change.bytes;
    }
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn the_store_holds_what_a_map_would(
        steps in proptest::collection::vec(step(), 1..200),
        looked in proptest::collection::vec(key(), 4),
        all_seen in any::<bool>(),
    ) {
        let mut store = Store::new(ReplicaId::new(7).expect("not zero"));
        let mut model = Model { all_seen, ..Model::default() };
        for step in steps {
            model.step(&mut store, step);
        }
        model.check(&mut store);
        for key in &looked {
            assert_eq!(store.get(key).is_some(), model.records.contains_key(key));
            model.check_from(&store, key);
        }
    }
}

/// Many keys, in an order that is not theirs: leaves split and are joined again, blocks are used again.
#[test]
fn a_store_that_grew_and_shrank_holds_what_is_left() {
    let mut store = Store::new(ReplicaId::new(7).expect("not zero"));
    let mut model = Model::default();
    let map = MapName::parse("m").expect("valid");
    let key = |number: u32| Key::new(&map, format!("k{}", number.wrapping_mul(2_654_435_761)).as_bytes());
    let entry = |number: u32, len: u32| {
        let dot = Dot { replica: ReplicaId::new(3).expect("not zero"), counter: u64::from(number + 1) };
        let body = Bytes::from(vec![number as u8; (len % 600) as usize]);
        let value = Some(Value { content_type: "".into(), body });
        let (hlc, writer) = (Hlc::from_bits(9), dot.replica);
        Entry::new(
            vec![Version { dot, hlc, writer, value, added: 0, owner: None, expires_at: None }],
            VersionVector::new(),
        )
    };
    for round in 0..2 {
        for number in 0..4_000 {
            let key = key(number).expect("valid");
            model.step(&mut store, Step::Change { key, slots: 0, entry: entry(number, number * (round + 7)) });
        }
        model.check(&mut store);
        for number in (0..4_000).filter(|number| number % 11 != 0) {
            let key = key(number).expect("valid");
            model.step(&mut store, Step::Change { key, slots: 0, entry: Entry::default() });
        }
        model.check(&mut store);
        model.check_from(&store, &key(0).expect("valid"));
    }
}

/// More replicas and maps than there are numbers for them.
#[test]
fn names_without_a_number_are_kept_as_they_are() {
    let mut store = Store::new(ReplicaId::new(7).expect("not zero"));
    let mut model = Model::default();
    let key = |number: u64| {
        let map = MapName::parse(&format!("m{number}")).expect("valid");
        Key::new(&map, b"k").expect("valid")
    };
    for number in 1..8_300 {
        let dot = Dot { replica: ReplicaId::new(number).expect("not zero"), counter: number };
        let value = Value { content_type: "".into(), body: Bytes::from_static(b"v") };
        let entry = Entry::new(vec![Version::put(dot, Hlc::from_bits(1), value, None)], VersionVector::new());
        model.step(&mut store, Step::Change { key: key(number), slots: 0, entry });
    }
    model.check(&mut store);
    for number in (1..8_300).step_by(2) {
        model.step(&mut store, Step::Change { key: key(number), slots: 0, entry: Entry::default() });
    }
    model.check(&mut store);
}

/// What is dead is won back: sizes that never fit what was there before do not make a store grow.
#[test]
fn a_store_whose_values_change_their_sizes_stays_as_large_as_they_are() {
    let mut store = Store::new(ReplicaId::new(7).expect("not zero"));
    let map = MapName::parse("m").expect("valid");
    let (keys, mut live, mut counter) = (1_000_u32, 0, 0);
    for round in 0..20_u32 {
        live = 0;
        for number in 0..keys {
            counter += 1;
            let dot = Dot { replica: ReplicaId::new(3).expect("not zero"), counter };
            let len = (number.wrapping_mul(2_654_435_761).rotate_left(round) % 1_000) as usize;
            live += len + 100;
            let value = Value { content_type: "".into(), body: Bytes::from(vec![1; len]) };
            let key = Key::new(&map, &number.to_be_bytes()).expect("valid");
            let version = Version::put(dot, Hlc::from_bits(1), value, None);
            store.change(&key, 0, |_| true, |entry| *entry = Entry::new(vec![version], VersionVector::new()));
        }
    }
    // An eighth of it may be dead, as much again lies between, and a shard has some spans whatever is in it.
    let most = live + live / 4 + 8 * region::SPAN_BYTES;
    assert!(store.memory() <= most, "{} bytes for {live}", store.memory());
}
