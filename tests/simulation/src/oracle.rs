//! What is true: every write that was accepted, what it had observed, and what its client was told.

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, Entry, Key, ReplicaId, Version, VersionVector};

/// One accepted write.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) shard: usize,
    pub(crate) dot: Dot,
    pub(crate) key: Key,
    /// The version that it made; none if it was a delete.
    pub(crate) made: Option<Version>,
    /// The writes that observed this one, by number.
    pub(crate) superseders: Vec<usize>,
    /// How many acknowledgements its client was told of.
    pub(crate) acks: u32,
    /// How many acknowledgements its client asked for.
    pub(crate) asked: u32,
    /// Who had it when its client was told, or when somebody handed it off: one of them that lives keeps it.
    pub(crate) holders: BTreeSet<ReplicaId>,
    /// What it was asked to do, of the kinds that the truth must tell apart.
    pub(crate) kind: Kind,
    /// The additions, by number, whose sum is in the version that it made.
    pub(crate) additions: BTreeSet<usize>,
    /// What it issues again, by number.
    pub(crate) original: Option<usize>,
    /// The writes that observed what it issues again, or that issue those again: whoever has one may drop it.
    pub(crate) outdated_by: Vec<usize>,
    /// Whether the members have agreed that it went with its process: what they know of it is then no evidence.
    pub(crate) closed: bool,
    /// Whether somebody closed it who held no more of it than a later write of the same replica over it: who claims it need
    /// not have that one.
    pub(crate) buried: bool,
}

/// The kinds of writes that the truth must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It replaces all that it observes.
    Replace,
    /// It adds so much to what it observes.
    Add(i64),
    /// It goes on with what it observes: another deadline.
    Copy,
    /// It was held under a former id, and is issued again.
    Again,
    /// It changes who owns what it finds, and replaces nothing.
    Own,
}

/// What a process has seen of a shard.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) shard: usize,
    pub(crate) clock: VersionVector,
    /// The list that it goes by, which says who is retired; 0 while it has no state.
    pub(crate) list: u64,
    /// Who started empty, of those whose states its own is made of: other states have what others wrote, who are retired.
    pub(crate) founders: Founders,
}

/// Replicas that started empty, of whose states one is made.
pub(crate) type Founders = BTreeSet<ReplicaId>;

/// A replica that the operator has ceased to list.
#[derive(Debug)]
pub(crate) struct Retired {
    /// The first list without it.
    pub(crate) since: u64,
    /// By shard, the founders of the states of those who had settled it: they have all of it, and who has their state.
    pub(crate) settlers: Vec<Vec<Founders>>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) id: ReplicaId,
    /// Everything that it had ever seen, by shard.
    pub(crate) seen: Vec<Seen>,
    /// Whether it said that it had handed everything off.
    pub(crate) handed_off: bool,
}

/// What a shard ought to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Versions that must be there.
    pub(crate) must: BTreeSet<Dot>,
    /// Versions that may be there: they expire, or they or what superseded them went with their process.
    pub(crate) may: BTreeSet<Dot>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) operations: Vec<Operation>,
    by_dot: BTreeMap<(usize, Dot), usize>,
    pub(crate) ended: Vec<Ended>,
    /// Writes of one origin that were made at once: shard, origin, the first and the last.
    pub(crate) batches: Vec<(usize, ReplicaId, u64, u64)>,
    /// The fencing tokens that were given, by write.
    pub(crate) tokens: Vec<(usize, u64)>,
    /// Ids that the operator has ceased to list.
    pub(crate) retired: BTreeMap<ReplicaId, Retired>,
}

// === impl Operation ===

impl Operation {
    /// Whether an entry of its key holds it, or knows that it is superseded.
    pub(crate) fn is_held(&self, entry: &Entry) -> bool {
        let dots = || entry.versions().iter().flat_map(Version::dots);
        entry.context().covers(self.dot) || dots().any(|dot| dot == self.dot)
    }

    /// Whether an entry of its key bears its dot.
    fn is_named(&self, entry: &Entry) -> bool {
        let mut dots = entry.versions().iter().flat_map(Version::dots);
        entry.context().get(self.dot.replica) == self.dot.counter || dots.any(|dot| dot == self.dot)
    }

    /// Whether a clock that covers it is no evidence of it.
    const fn is_doubtful(&self) -> bool {
        self.closed || self.buried
    }
}

// === impl Oracle ===

impl Oracle {
    /// Notes a write; returns its number.
    pub(crate) fn record(
        &mut self,
        shard: usize,
        dot: Dot,
        key: Key,
        kind: Kind,
        made: Option<Version>,
        observed: &[Version],
    ) -> Result<usize, String> {
        let number = self.operations.len();
        let mut additions = BTreeSet::new();
        let mut sum = 0;
        for version in observed {
            let (seen, earlier) = (version.dot, self.number(shard, version.dot));
            let earlier = earlier.ok_or_else(|| format!("{seen} was never written"))?;
            self.operations[earlier].superseders.push(number);
            if matches!(kind, Kind::Add(_) | Kind::Copy) {
                additions.extend(self.operations[earlier].additions.iter().copied());
                sum += version.added;
            }
        }
        // Two that touch a counter whose additions cancel out both copy it, and neither counts anything.
        if kind == Kind::Copy && sum == 0 {
            additions.clear();
        }
        if let Kind::Add(by) = kind {
            additions.insert(number);
            sum += by;
        }
        let summed = made.as_ref().filter(|_| kind != Kind::Again);
        if let Some(version) = summed.filter(|version| version.added != sum) {
            return Err(format!("{dot} holds a sum of {}, and ought to hold {sum}", version.added));
        }
        if self.by_dot.insert((shard, dot), number).is_some() {
            return Err(format!("{dot} names two writes"));
        }
        let (superseders, asked, acks, closed, buried) = (Vec::new(), 0, 0, false, false);
        let holders = BTreeSet::from([dot.replica]);
        self.operations.push(Operation {
            shard,
            dot,
            key,
            made,
            kind,
            additions,
            original: None,
            outdated_by: Vec::new(),
            superseders,
            asked,
            acks,
            holders,
            closed,
            buried,
        });
        Ok(number)
    }

    /// Notes a write that issues again what a process held under a former id, which superseded so much: with the time and
    /// the content that it had, and whatever it was the sum of.
    pub(crate) fn record_again(
        &mut self,
        (shard, dot, key): (usize, Dot, Key),
        former: &VersionVector,
        after: &Entry,
    ) -> Result<usize, String> {
        let same_key = |operation: &Operation| operation.shard == shard && operation.key == key;
        let made = after.versions().iter().find(|version| version.dot == dot).cloned();
        let is_original = |operation: &Operation| match (&operation.made, &made) {
            (Some(old), Some(new)) => {
                let content = |version: &Version| (version.hlc, version.writer, version.added, version.expires_at);
                same_key(operation) && content(old) == content(new) && old.value == new.value
            }
            _ => false,
        };
        let original = self.operations.iter().rposition(is_original);
        if made.is_some() && original.is_none() {
            return Err(format!("{dot} issues {made:?} again, which was never written"));
        }
        let alive = |dot: Dot| after.versions().iter().any(|version| version.dot == dot);
        // Whatever else is gone now was not to be buried.
        let supersedes = |number: usize, old: &Operation| {
            Some(number) == original || (same_key(old) && !alive(old.dot) && former.covers(old.dot))
        };
        let superseded = self.operations.iter().enumerate().filter(|(number, old)| supersedes(*number, old));
        let superseded: Vec<usize> = superseded.map(|(number, _)| number).collect();
        let number = self.record(shard, dot, key, Kind::Again, made, &[])?;
        for old in superseded {
            self.operations[old].superseders.push(number);
        }
        if let Some(original) = original {
            self.operations[number].additions = self.operations[original].additions.clone();
            self.operations[number].original = Some(original);
            self.operations[number].outdated_by = self.after(original, number);
            for outdated in self.again_before(original, number) {
                self.operations[outdated].outdated_by.push(number);
            }
        }
        Ok(number)
    }

    /// The writes that observed one, and those that observed them; without what issues any of these again.
    fn after(&self, one: usize, again: usize) -> Vec<usize> {
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let mut open = vec![one];
        while let Some(number) = open.pop() {
            let operation = &self.operations[number];
            let later = operation.superseders.iter().chain(&operation.outdated_by).copied();
            let is_other = |later: &usize| *later != again && self.operations[*later].original != Some(number);
            open.extend(later.filter(is_other).filter(|later| found.insert(*later)));
        }
        found.into_iter().collect()
    }

    /// What issues again something that one write superseded, or what that had superseded.
    fn again_before(&self, one: usize, again: usize) -> Vec<usize> {
        let mut before = BTreeSet::from([one]);
        // Who observes something is later, but for what issues it again.
        while let Some(more) = (0..self.operations.len()).find(|number| {
            let is_before = |later: &usize| before.contains(later);
            !before.contains(number) && self.operations[*number].superseders.iter().any(is_before)
        }) {
            before.insert(more);
        }
        before.remove(&one);
        let is_outdated = |number: &usize| {
            *number != again && self.operations[*number].original.is_some_and(|original| before.contains(&original))
        };
        (0..self.operations.len()).filter(is_outdated).collect()
    }

    pub(crate) fn number(&self, shard: usize, dot: Dot) -> Option<usize> {
        self.by_dot.get(&(shard, dot)).copied()
    }

    pub(crate) fn operation(&self, shard: usize, dot: Dot) -> Option<&Operation> {
        self.number(shard, dot).map(|number| &self.operations[number])
    }

    /// The writes that have observed this one and that are no lost ones.
    pub(crate) fn superseders<'a>(&'a self, operation: &'a Operation) -> impl Iterator<Item = &'a Operation> {
        operation.superseders.iter().map(|number| &self.operations[*number]).filter(|later| !later.is_doubtful())
    }

    /// Whether a process has seen a write: its clock says so, or its list, by not naming the writer any more.
    pub(crate) fn covers(&self, seen: &Seen, dot: Dot) -> bool {
        let has_all = |retired: &Retired| {
            retired.since <= seen.list && retired.settlers[seen.shard].iter().any(|one| one.is_subset(&seen.founders))
        };
        seen.clock.covers(dot) || self.retired.get(&dot.replica).is_some_and(has_all)
    }

    /// Whether a process has seen everything up to a clock.
    pub(crate) fn covers_all(&self, seen: &Seen, clock: &VersionVector) -> bool {
        clock.iter().all(|(replica, counter)| self.covers(seen, Dot { replica, counter }))
    }

    /// A member closes writes `(from, through]` of a replica that is gone: those that it holds nothing of are lost.
    pub(crate) fn close(
        &mut self,
        shard: usize,
        origin: ReplicaId,
        (from, through): (u64, u64),
        held: &[(Key, Entry)],
    ) {
        let range =
            (shard, Dot { replica: origin, counter: from + 1 })..=(shard, Dot { replica: origin, counter: through });
        if from >= through {
            return;
        }
        for number in self.by_dot.range(range).map(|(_, number)| *number) {
            let operation = &mut self.operations[number];
            let mut entries = held.iter().filter(|(key, _)| *key == operation.key).map(|(_, entry)| entry);
            operation.closed |= !entries.clone().any(|entry| operation.is_held(entry));
            operation.buried |= !entries.any(|entry| operation.is_named(entry));
        }
    }

    /// Holders that the closing member does not list are not there when a gap is closed.
    pub(crate) fn forget_gap(
        &mut self,
        shard: usize,
        origin: ReplicaId,
        (from, through): (u64, u64),
        absent: impl Fn(ReplicaId) -> bool,
    ) {
        let gap = |operation: &&mut Operation| {
            let Dot { replica, counter } = operation.dot;
            operation.shard == shard && replica == origin && counter > from && counter <= through
        };
        for operation in self.operations.iter_mut().filter(gap).filter(|operation| operation.closed) {
            operation.holders.retain(|holder| !absent(*holder));
        }
    }

    /// A group starts anew, without anybody who has state: all that was is lost.
    pub(crate) fn start_anew(&mut self) {
        // What was deleted is gone all the same.
        let put = self.operations.iter_mut().filter(|operation| operation.made.is_some());
        put.for_each(|operation| operation.closed = true);
    }

    /// The operator forgets a replica: what it wrote above what was settled is lost.
    pub(crate) fn retire(&mut self, origin: ReplicaId, retired: Retired, settled: &[u64]) {
        self.retired.insert(origin, retired);
        for operation in self.operations.iter_mut().filter(|operation| operation.dot.replica == origin) {
            operation.closed |= operation.dot.counter > settled[operation.shard];
        }
    }

    /// What a replica that has seen exactly this must show of a shard: the puts in it that no write in it observed.
    pub(crate) fn truth(&self, shard: usize, seen: &Seen) -> Truth {
        let mut truth = Truth::default();
        for operation in self.operations.iter().filter(|operation| operation.shard == shard) {
            let Some(version) = &operation.made else { continue };
            if !self.covers(seen, operation.dot)
                || self.superseders(operation).any(|later| self.covers(seen, later.dot))
            {
                continue;
            }
            let known = |later: &Operation| self.covers(seen, later.dot);
            let doubted = operation.superseders.iter().map(|number| &self.operations[*number]);
            let outdated = operation.outdated_by.iter().map(|number| &self.operations[*number]);
            let doubted = doubted.filter(|later| later.is_doubtful()).chain(outdated).any(known);
            if operation.is_doubtful() || doubted || version.expires_at.is_some() {
                truth.may.insert(operation.dot);
            } else {
                truth.must.insert(operation.dot);
            }
        }
        truth
    }
}
