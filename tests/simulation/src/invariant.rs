//! What must hold in every run: one file an invariant of the design, with its statement on top.

pub(crate) mod acknowledgement;
pub(crate) mod admission;
pub(crate) mod adoption;
pub(crate) mod bound;
pub(crate) mod condition;
pub(crate) mod convergence;
pub(crate) mod counter;
pub(crate) mod digest;
pub(crate) mod encoding;
pub(crate) mod expiry;
pub(crate) mod handoff;
pub(crate) mod handover;
pub(crate) mod input;
pub(crate) mod join;
pub(crate) mod liveness;
pub(crate) mod ownership;
pub(crate) mod passing;
pub(crate) mod progress;
pub(crate) mod reading;
pub(crate) mod resurrection;
pub(crate) mod retirement;
pub(crate) mod settlement;
pub(crate) mod subscription;
pub(crate) mod succession;
pub(crate) mod token;
pub(crate) mod transfer;

use std::collections::BTreeSet;
use std::fmt;

use baton_replica::{Dot, Shard, Version};

use crate::oracle::{Oracle, Seen};
use crate::trace::legible;

/// A rule of the design, by its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Equal knowledge is equal state.
    Convergence,
    /// Acknowledged writes outlive failures.
    Acknowledgement,
    /// What was handed off is left with somebody.
    Handoff,
    /// What was deleted stays deleted.
    Resurrection,
    /// Joins may come in any order, split and repeated.
    Join,
    /// A counter is the sum of its increments.
    Counter,
    /// Nothing grows with the past.
    Bound,
    /// Each owned key has one owner.
    Ownership,
    /// What a departed member owned has one taker, whose app is told.
    Adoption,
    /// Whoever has seen a token takes no earlier one.
    Token,
    /// A hold waits for the owners that its group asks for.
    Handover,
    /// A read shows what wins.
    Reading,
    /// What has expired is dropped when the timer runs.
    Expiry,
    /// Who follows the changes knows what is there.
    Subscription,
    /// A write is made only if what it asks of its keys holds.
    Condition,
    /// A write waits for as many acknowledgements as it asks for.
    Admission,
    /// Whoever gets the writes of others gets to know what was promised of them.
    Passing,
    /// What is settled is everywhere.
    Settlement,
    /// Nobody is forgotten who is not retired.
    Retirement,
    /// Differences are found.
    Digest,
    /// Nothing that arrives does harm.
    Input,
    /// What arrives is what was said.
    Encoding,
    /// When all faults end, everything comes to rest: what makes the others worth something.
    Liveness,
    /// Without faults nobody fails: who leaves hands off, and who writes is answered.
    Progress,
    /// The same seed is the same run: else no failure could be looked at.
    Reproduction,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub text: String,
}

// === impl Violation ===

impl Violation {
    /// A seed went another way the second time.
    pub(crate) fn chance() -> Self {
        Self { invariant: Invariant::Reproduction, text: "the same seed gave another run".to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, legible(&self.text))
    }
}

// === impl Invariant ===

impl Invariant {
    /// A check's result, as a violation of this rule if it failed.
    pub(crate) fn of<T>(self, result: Result<T, String>) -> Result<T, Violation> {
        result.map_err(|text| Violation { invariant: self, text })
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The dots of all live versions.
pub(crate) fn live_dots(shard: &Shard) -> BTreeSet<Dot> {
    shard.entries().flat_map(|(_, entry)| dots(entry.versions())).collect()
}

/// Whether a shard holds something of a dot that it has not seen.
pub(crate) fn has_exceptions(oracle: &Oracle, shard: &Shard, seen: &Seen) -> bool {
    shard.entries().any(|(_, entry)| {
        let versions = entry.versions().iter().flat_map(Version::dots);
        let superseded = entry.context().iter().map(|(replica, counter)| Dot { replica, counter });
        versions.chain(superseded).any(|dot| !oracle.covers(seen, dot))
    })
}

/// The dots of versions.
pub(crate) fn dots(versions: &[Version]) -> Vec<Dot> {
    versions.iter().map(|version| version.dot).collect()
}
