//! What is true: every write that was ever made, and what it had observed.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, Entry, Key, ReplicaId, Shard, Value, VersionVector};

use super::exceptions;

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
    /// Writes of processes that have ended, of which nobody was left who holds anything.
    lost: BTreeSet<Dot>,
    /// Ids that the operator has ceased to list.
    retired: BTreeSet<ReplicaId>,
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

    /// The operator lists an id no more.
    pub(crate) fn note_retired(&mut self, replica: ReplicaId) {
        self.retired.insert(replica);
    }

    pub(crate) fn is_retired(&self, replica: ReplicaId) -> bool {
        self.retired.contains(&replica)
    }

    /// Remembers only these writes: a quiet group holds nothing of the others any more.
    pub(crate) fn keep(&mut self, dots: &BTreeSet<Dot>) {
        self.operations.retain(|dot, _| dots.contains(dot));
        self.superseded_by.clear();
        self.lost.clear();
    }

    /// The writes that a shard has seen and that somebody held when it came to that.
    fn within<'a>(&'a self, shard: &'a Shard) -> impl Iterator<Item = (Dot, &'a Operation)> {
        let seen = |dot: &Dot| self.has_seen(shard, *dot) && !self.lost.contains(dot);
        self.operations.iter().filter(move |(dot, _)| seen(dot)).map(|(dot, operation)| (*dot, operation))
    }

    /// Whether a shard has what became of a write.
    pub(crate) fn keeps(&self, shard: &Shard, dot: Dot) -> bool {
        self.has_seen(shard, dot) && !self.lost.contains(&dot)
    }

    /// The writes that a clock covers, all of them.
    pub(crate) fn made<'a>(&'a self, clock: &'a VersionVector) -> impl Iterator<Item = Dot> + 'a {
        self.operations.keys().copied().filter(|dot| clock.covers(*dot))
    }

    /// Retired replicas' writes are settled, so whoever has state, and a list without them, has seen them.
    fn has_seen(&self, shard: &Shard, dot: Dot) -> bool {
        let retired = self.retired.contains(&dot.replica) && !shard.roster().lists(dot.replica);
        shard.clock().covers(dot) || (!shard.is_joining() && retired)
    }

    /// The writes that observed this one and were not lost.
    pub(crate) fn superseders(&self, dot: Dot) -> impl Iterator<Item = Dot> + '_ {
        self.superseded_by.get(&dot).into_iter().flatten().copied().filter(|later| !self.lost.contains(later))
    }

    /// A process has ended: what nobody of the others holds of the ended is lost, unless a message brings it yet.
    pub(crate) fn note_losses<'a>(
        &mut self,
        alive: impl Fn(ReplicaId) -> bool,
        shards: impl Iterator<Item = &'a Shard>,
    ) {
        let held: Vec<(VersionVector, BTreeSet<Dot>)> =
            shards.map(|shard| (shard.clock().clone(), exceptions(shard).into_iter().collect())).collect();
        let here = |dot: &Dot| held.iter().any(|(clock, above)| clock.covers(*dot) || above.contains(dot));
        // Of who is retired, everything that anybody held is everywhere.
        let open = |dot: &&Dot| !alive(dot.replica) && !self.retired.contains(&dot.replica);
        let ended = self.operations.keys().filter(open).filter(|dot| !here(dot)).copied();
        let ended: Vec<Dot> = ended.collect();
        self.lost.extend(ended);
    }

    /// A message has brought what seemed lost.
    pub(crate) fn note_finds(&mut self, shard: &Shard) {
        if !self.lost.is_empty() {
            let entries: BTreeMap<_, _> = shard.entries().collect();
            let operations = &self.operations;
            self.lost.retain(|dot| !entries.get(&operations[dot].key).is_some_and(|entry| holds(entry, *dot)));
        }
    }

    /// What a shard must hold: the puts that it has seen and that no write that it has seen observed.
    pub(crate) fn live(&self, shard: &Shard) -> BTreeMap<Key, BTreeSet<Dot>> {
        let mut live: BTreeMap<Key, BTreeSet<Dot>> = BTreeMap::new();
        for (dot, operation) in self.within(shard).filter(|(_, operation)| operation.value.is_some()) {
            if !self.superseders(dot).any(|later| self.has_seen(shard, later)) {
                live.entry(operation.key.clone()).or_default().insert(dot);
            }
        }
        live
    }

    /// Everything that a shard's clock claims is in its entries, or superseded by a write that is.
    pub(crate) fn assert_claims_are_held(&self, shard: &Shard) {
        let entries: BTreeMap<_, _> = shard.entries().collect();
        for (dot, operation) in self.within(shard) {
            let entry = entries.get(&operation.key);
            let held = |dot: Dot| entry.is_some_and(|entry| holds(entry, dot));
            let known = |later: Dot| self.has_seen(shard, later) || held(later);
            let alive = |dot: &Dot| entry.is_some_and(|entry| entry.versions().iter().any(|one| one.dot == *dot));
            // A tombstone that everybody has seen is forgotten; what it buried is gone.
            let done = operation.value.is_none() && !operation.observed.iter().any(alive);
            assert!(
                held(dot) || done || self.superseders(dot).any(known),
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
                assert_eq!(operation.key, key, "{dot} changed");
                // What only adds to a counter has no value of its own.
                let same = version.value.is_none() || operation.value == version.value;
                assert!(same, "{dot} changed: {:?}, not {:?}", version.value, operation.value);
                assert!(!entry.context().covers(dot), "{} holds {dot} alive and superseded", shard.me());
                let killer = self.superseders(dot).find(|later| self.has_seen(shard, *later));
                assert_eq!(killer, None, "{} holds {dot} of {key:?}, which it has seen superseded", shard.me());
            }
        }
    }
}

fn holds(entry: &Entry, dot: Dot) -> bool {
    entry.versions().iter().any(|version| version.dot == dot) || entry.context().covers(dot)
}

/// The live dots of a shard, by key.
pub(crate) fn live_state(shard: &Shard) -> BTreeMap<Key, BTreeSet<Dot>> {
    let alive = shard.entries().filter(|(_, entry)| !entry.versions().is_empty());
    alive.map(|(key, entry)| (key.clone(), entry.versions().iter().map(|version| version.dot).collect())).collect()
}
