//! What was acknowledged, key by key, and its comparison with what a replica holds.
//!
//! A key has one writer, who writes 1, 2, 3 ... So one number says how far the writer came, and any replica's value
//! can be judged without knowing when it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Findings that are named; the counts cover all.
const MAX_EXAMPLES: usize = 8;

/// What one replica holds: key and number.
pub type View = BTreeMap<String, u64>;

/// Written by all writers, read by the check.
#[derive(Default)]
pub struct Ledger {
    facts: Mutex<BTreeMap<String, Fact>>,
    names: AtomicU64,
}

/// The state of one key as its writer knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fact {
    /// The highest number that was acknowledged.
    pub acknowledged: u64,
    /// The highest number that was sent.
    pub tried: u64,
    /// How its deletion went.
    pub deletion: Deletion,
}

/// Whether a key was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deletion {
    /// It was not.
    #[default]
    None,
    /// Nobody answered: it may be there or not.
    Unclear,
    /// It was, and must stay away.
    Acknowledged,
}

/// The result of a check.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Keys that hold something acknowledged and are not there.
    pub lost: BTreeSet<String>,
    /// Keys behind the number that was acknowledged.
    pub stale: BTreeSet<String>,
    /// Deleted keys that are there.
    pub resurrected: BTreeSet<String>,
    examples: Vec<String>,
}

// === impl Ledger ===

impl Ledger {
    /// A part of a key that was not used before: a key that was deleted is never written again.
    pub fn new_name(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes what is known of a key.
    pub fn note(&self, key: &str, change: impl FnOnce(&mut Fact)) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        change(facts.entry(key.to_owned()).or_default());
    }

    /// Keys with a prefix that were not deleted, and what is known of them.
    pub fn living(&self, prefix: &str) -> Vec<(String, Fact)> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let living = facts.iter().filter(|(key, fact)| key.starts_with(prefix) && fact.deletion == Deletion::None);
        living.map(|(key, fact)| (key.clone(), *fact)).collect()
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.values().map(|fact| fact.acknowledged + u64::from(fact.deletion == Deletion::Acknowledged)).sum()
    }

    /// Compares with what the named replicas hold.
    pub fn check(&self, views: &[(String, View)]) -> Verdict {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdict = Verdict::default();
        for (key, fact) in facts.iter() {
            for (replica, view) in views {
                verdict.judge(key, fact, replica, view.get(key).copied());
            }
        }
        verdict
    }
}

// === impl Verdict ===

impl Verdict {
    /// Nothing is lost, stale or resurrected.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.stale.is_empty() && self.resurrected.is_empty()
    }

    fn judge(&mut self, key: &str, fact: &Fact, replica: &str, found: Option<u64>) {
        let Fact { acknowledged, deletion, .. } = *fact;
        let (findings, text) = match (deletion, found) {
            (Deletion::Acknowledged, Some(number)) => {
                (&mut self.resurrected, format!("{key} was deleted and is {number} on {replica}"))
            }
            (Deletion::None, None) if acknowledged > 0 => {
                (&mut self.lost, format!("{key} was {acknowledged} and is not on {replica}"))
            }
            (Deletion::None | Deletion::Unclear, Some(number)) if number < acknowledged => {
                (&mut self.stale, format!("{key} was {acknowledged} and is {number} on {replica}"))
            }
            _ => return,
        };
        findings.insert(key.to_owned());
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(text);
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (lost, stale, resurrected) = (self.lost.len(), self.stale.len(), self.resurrected.len());
        write!(f, "{lost} keys lost, {stale} stale, {resurrected} resurrected")?;
        self.examples.iter().try_for_each(|example| write!(f, "\n    {example}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(deletion: Deletion, number: Option<u64>) -> (usize, usize, usize) {
        let ledger = Ledger::default();
        ledger.note("k", |fact| *fact = Fact { acknowledged: 3, tried: 4, deletion });
        let good = View::from([("k".to_owned(), 4)]);
        let good = if deletion == Deletion::Acknowledged { View::new() } else { good };
        let view = number.map(|number| ("k".to_owned(), number)).into_iter().collect();
        let verdict = ledger.check(&[("one".to_owned(), good), ("two".to_owned(), view)]);
        assert_eq!(verdict.is_clean(), verdict.examples.is_empty());
        (verdict.lost.len(), verdict.stale.len(), verdict.resurrected.len())
    }

    #[test]
    fn one_replica_that_is_wrong_is_enough() {
        assert_eq!(found(Deletion::None, None), (1, 0, 0));
        assert_eq!(found(Deletion::None, Some(2)), (0, 1, 0));
        assert_eq!(found(Deletion::Acknowledged, Some(3)), (0, 0, 1));
    }

    #[test]
    fn what_nobody_answered_may_have_happened_or_not() {
        assert_eq!(found(Deletion::None, Some(4)), (0, 0, 0));
        assert_eq!(found(Deletion::Unclear, Some(3)), (0, 0, 0));
        assert_eq!(found(Deletion::Unclear, None), (0, 0, 0));
        assert_eq!(found(Deletion::Acknowledged, None), (0, 0, 0));
    }
}
