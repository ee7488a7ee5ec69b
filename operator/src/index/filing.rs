//! Which pods concern which groups, so that a change of one pod is worked out for the groups that it touches alone.
//!
//! What is filed follows from the groups' selectors, the pods' labels and the sets of keepers. Pods that only a list
//! names are found by that list.

use std::collections::{BTreeMap, BTreeSet};

use super::Standing;

/// The groups whose views may be others after a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// These; there may be none of that name.
    Groups(BTreeSet<String>),
    /// All of the namespace.
    All,
}

/// What is filed of all pods of a namespace, by their names.
#[derive(Debug, Default)]
pub(super) struct Filing {
    pods: BTreeMap<String, Filed>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

/// What is filed of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filed {
    /// The group that it belongs to, and how.
    pub(super) home: Option<(String, Standing)>,
    /// The groups in whose views it may have a place.
    pub(super) concerns: BTreeSet<String>,
}

// === impl Touched ===

impl Touched {
    /// Nothing is another.
    pub(super) fn nothing() -> Self {
        Self::Groups(BTreeSet::new())
    }

    /// This group may be another.
    pub(super) fn group(name: &str) -> Self {
        Self::Groups(BTreeSet::from([name.to_owned()]))
    }
}

// === impl Filing ===

impl Filing {
    /// Files a pod; answers the groups that it concerned before.
    pub(super) fn put(&mut self, pod: &str, filed: Filed) -> BTreeSet<String> {
        let before = self.remove(pod);
        for group in &filed.concerns {
            self.groups.entry(group.clone()).or_default().insert(pod.to_owned());
        }
        self.pods.insert(pod.to_owned(), filed);
        before
    }

    /// Takes a pod out; answers the groups that it concerned.
    pub(super) fn remove(&mut self, pod: &str) -> BTreeSet<String> {
        let Some(filed) = self.pods.remove(pod) else { return BTreeSet::new() };
        for group in &filed.concerns {
            let Some(pods) = self.groups.get_mut(group) else { continue };
            pods.remove(pod);
            if pods.is_empty() {
                self.groups.remove(group);
            }
        }
        filed.concerns
    }

    /// The group that a pod belongs to, and how.
    pub(super) fn home(&self, pod: &str) -> Option<(&str, Standing)> {
        let (group, standing) = self.pods.get(pod)?.home.as_ref()?;
        Some((group, *standing))
    }

    /// The pods that concern a group.
    pub(super) fn of_group(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flatten().map(String::as_str)
    }
}
