//! What is true: every write that was ever made, and what it had observed.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, Key, Shard, Value, VersionVector};

/// One put or delete.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) key: Key,
    /// What was put; `None` for a delete.
    pub(crate) value: Option<Value>,
    /// The writes that did not survive it.
    pub(crate) observed: Vec<Dot>,
}

/// All writes.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    operations: BTreeMap<Dot, Operation>,
    superseded_by: BTreeMap<Dot, Vec<Dot>>,
}

// === impl Oracle ===

impl Oracle {
    /// Notes a write.
    pub(crate) fn record(&mut self, dot: Dot, operation: Operation) {
        for observed in &operation.observed {
            self.superseded_by.entry(*observed).or_default().push(dot);
        }
        let earlier = self.operations.insert(dot, operation);
        assert!(earlier.is_none(), "{dot} names two writes");
    }

    pub(crate) fn operation(&self, dot: Dot) -> &Operation {
        self.operations.get(&dot).unwrap_or_else(|| panic!("{dot} was never written"))
    }

    /// The writes that a clock covers.
    pub(crate) fn within<'a>(&'a self, clock: &'a VersionVector) -> impl Iterator<Item = (Dot, &'a Operation)> {
        self.operations.iter().filter(|(dot, _)| clock.covers(**dot)).map(|(dot, operation)| (*dot, operation))
    }

    /// The writes that observed this one.
    pub(crate) fn superseders(&self, dot: Dot) -> impl Iterator<Item = Dot> + '_ {
        self.superseded_by.get(&dot).into_iter().flatten().copied()
    }

    /// What a replica that has seen exactly a clock must hold: the puts in it that no write in it observed.
    pub(crate) fn live(&self, clock: &VersionVector) -> BTreeMap<Key, BTreeSet<Dot>> {
        let mut live: BTreeMap<Key, BTreeSet<Dot>> = BTreeMap::new();
        for (dot, operation) in self.within(clock).filter(|(_, operation)| operation.value.is_some()) {
            if !self.superseders(dot).any(|later| clock.covers(later)) {
                live.entry(operation.key.clone()).or_default().insert(dot);
            }
        }
        live
    }

    /// Everything that a shard's clock claims is in its entries, or superseded by a write that is.
    pub(crate) fn assert_claims_are_held(&self, shard: &Shard) {
        let entries: BTreeMap<_, _> = shard.entries().collect();
        for (dot, operation) in self.within(shard.clock()) {
            let entry = entries.get(&operation.key);
            let held = |dot: Dot| {
                entry.is_some_and(|entry| {
                    entry.versions().iter().any(|version| version.dot == dot) || entry.context().covers(dot)
                })
            };
            let known = |later: Dot| shard.clock().covers(later) || held(later);
            assert!(
                held(dot) || self.superseders(dot).any(known),
                "{} claims {dot} of {:?} and holds nothing of it",
                shard.me(),
                operation.key
            );
        }
    }

    /// Every live version is a put that was made, unchanged, and that no write the replica has seen had observed.
    pub(crate) fn assert_nothing_is_undead(&self, shard: &Shard) {
        for (key, entry) in shard.entries() {
            for version in entry.versions() {
                let dot = version.dot;
                let operation = self.operation(dot);
                assert_eq!((&operation.key, operation.value.as_ref()), (key, Some(&version.value)), "{dot} changed");
                assert!(!entry.context().covers(dot), "{} holds {dot} alive and superseded", shard.me());
                let killer = self.superseders(dot).find(|later| shard.clock().covers(*later));
                assert_eq!(killer, None, "{} holds {dot} of {key:?}, which it has seen superseded", shard.me());
            }
        }
    }
}

/// The live dots of a shard, by key.
pub(crate) fn live_state(shard: &Shard) -> BTreeMap<Key, BTreeSet<Dot>> {
    let alive = shard.entries().filter(|(_, entry)| !entry.versions().is_empty());
    alive.map(|(key, entry)| (key.clone(), entry.versions().iter().map(|version| version.dot).collect())).collect()
}
