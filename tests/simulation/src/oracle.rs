//! What is true: every write that was accepted, what it had observed, and what its client was told.

mod ownership;

use std::collections::{BTreeMap, BTreeSet};

use baton_replica::{Dot, Entry, Key, ReplicaId, Version, VersionVector};
pub(crate) use ownership::{Adopted, Saying, Takeover, height};

/// One accepted write.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) shard: usize,
    pub(crate) dot: Dot,
    pub(crate) key: Key,
    /// The version that it made; none if it was a delete.
    pub(crate) made: Option<Version>,
    /// Whether it has left nothing of the key where it was made.
    pub(crate) ends: bool,
    /// What its author had seen; none if that is not known.
    pub(crate) knew: Option<Seen>,
    /// The writes that observed this one, by number.
    pub(crate) superseders: Vec<usize>,
    /// How many acknowledgements its client was told of.
    pub(crate) acks: u32,
    /// How many acknowledgements its client asked for.
    pub(crate) asked: u32,
    /// Who had it when its client was told, or when somebody handed it off: one of them that lives keeps it.
    pub(crate) holders: BTreeSet<ReplicaId>,
    /// Who of them goes on under this new id, and only knows that it is over: a group that starts anew knows nothing of it.
    pub(crate) known: BTreeSet<ReplicaId>,
    /// What it was asked to do, of the kinds that the truth must tell apart.
    pub(crate) kind: Kind,
    /// The additions, by number, whose sum is in the version that it made.
    pub(crate) additions: BTreeSet<usize>,
    /// A delete of which nobody was left who could tell: what it deleted may be back.
    pub(crate) excused: bool,
    /// Whether it went with its process, as nobody had anything of it when that was retired: what the members know of it
    /// is then no evidence.
    pub(crate) lost: bool,
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
    /// It was held under a former id in a state from elsewhere, whose replicas are retired here, and has a new name.
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
    /// When it had begun to leave, in events, if it had.
    pub(crate) left: Option<u64>,
    /// When it ended, in events.
    pub(crate) at: u64,
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
    /// What was ever said of owners, in the order of the writes.
    pub(crate) sayings: Vec<Saying>,
    /// Who has taken over what from whom.
    pub(crate) takeovers: Vec<Takeover>,
    /// What apps were told of that.
    pub(crate) told: BTreeSet<Adopted>,
    /// Ids that the operator has ceased to list.
    pub(crate) retired: BTreeMap<ReplicaId, Retired>,
    /// Who last started without state while nobody had any.
    founder: Option<ReplicaId>,
}

// === impl Operation ===

impl Operation {
    /// Whether an entry of its key holds it, as what it is.
    pub(crate) fn is_there(&self, entry: &Entry) -> bool {
        match self.made {
            Some(_) => entry.versions().iter().any(|version| version.dot == self.dot),
            None => self.is_held(entry),
        }
    }

    /// Whether an entry of its key holds it, or knows that it is superseded.
    pub(crate) fn is_held(&self, entry: &Entry) -> bool {
        let dots = || entry.versions().iter().flat_map(Version::dots);
        entry.context().covers(self.dot) || dots().any(|dot| dot == self.dot)
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
            // A touch copies what counts: a contribution that cancels out stays with whom it is of.
            if matches!(kind, Kind::Add(_)) || (kind == Kind::Copy && version.added != 0) {
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
        let (superseders, asked, acks, lost) = (Vec::new(), 0, 0, false);
        let holders = BTreeSet::from([dot.replica]);
        self.operations.push(Operation {
            shard,
            dot,
            key,
            made,
            ends: false,
            knew: None,
            kind,
            additions,
            superseders,
            asked,
            acks,
            holders,
            known: BTreeSet::new(),
            excused: false,
            lost,
        });
        Ok(number)
    }

    /// Notes that a write, which a process held under a former id, has a new name: it has the time and the content that it
    /// had, and whatever it was the sum of. It is a write from before the group started anew; another process may have
    /// given it another name since, and neither knows of the other.
    pub(crate) fn record_again(
        &mut self,
        shard: usize,
        dot: Dot,
        key: &Key,
        version: &Version,
    ) -> Result<usize, String> {
        let content = |version: &Version| (version.hlc, version.writer, version.added, version.expires_at);
        let is_same = |made: &Version| content(made) == content(version) && made.value == version.value;
        let is_original = |operation: &Operation| {
            let is_there = operation.shard == shard && operation.key == *key && operation.lost;
            is_there && operation.made.as_ref().is_some_and(is_same)
        };
        let original = self.operations.iter().rposition(is_original);
        let original = original.ok_or_else(|| format!("{dot} issues {version:?} again, which was never written"))?;
        let number = self.record(shard, dot, key.clone(), Kind::Again, Some(version.clone()), &[])?;
        self.operations[original].superseders.push(number);
        self.operations[number].additions = self.operations[original].additions.clone();
        Ok(number)
    }

    pub(crate) fn number(&self, shard: usize, dot: Dot) -> Option<usize> {
        self.by_dot.get(&(shard, dot)).copied()
    }

    pub(crate) fn operation(&self, shard: usize, dot: Dot) -> Option<&Operation> {
        self.number(shard, dot).map(|number| &self.operations[number])
    }

    /// The writes that have observed this one and that are no lost ones.
    pub(crate) fn superseders<'a>(&'a self, operation: &'a Operation) -> impl Iterator<Item = &'a Operation> {
        operation.superseders.iter().map(|number| &self.operations[*number]).filter(|later| !later.lost)
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

    /// A group starts anew by one that has no state, nor has anybody: all that was is lost, but for what they may issue
    /// again.
    pub(crate) fn start_anew(&mut self, founder: ReplicaId, several_away: bool) {
        self.founder = Some(founder);
        for operation in &mut self.operations {
            let known = std::mem::take(&mut operation.known);
            operation.holders.retain(|holder| !known.contains(holder));
            if operation.made.is_some() {
                operation.lost = true;
            } else if several_away {
                // One may hold what another has seen deleted, and has forgotten. Else what was deleted is gone all the same.
                (operation.lost, operation.excused) = (true, true);
            }
        }
    }

    /// Whether a state is one of before the group has started anew.
    pub(crate) fn is_past(&self, founders: &Founders) -> bool {
        self.founder.is_some_and(|founder| !founders.contains(&founder))
    }

    /// The operator forgets a replica.
    pub(crate) fn retire(&mut self, origin: ReplicaId, retired: Retired) {
        self.retired.insert(origin, retired);
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
            let later = operation.superseders.iter().map(|number| &self.operations[*number]);
            let doubted = later.filter(|later| later.lost).any(|later| self.covers(seen, later.dot));
            if operation.lost || doubted || version.expires_at.is_some() {
                truth.may.insert(operation.dot);
            } else {
                truth.must.insert(operation.dot);
            }
        }
        truth
    }
}
