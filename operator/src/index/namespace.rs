//! One namespace of the index: groups never reach beyond theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{GroupFacts, GroupView, Listing, OptIn, PodFacts, PodView, Standing, Termination, WorkloadFacts};

/// How many terminations are kept for pods that are gone: more than can end between two looks at a view.
const TERMINATIONS: usize = 1_024;

/// All that is known of one namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) groups: BTreeMap<String, Arc<GroupFacts>>,
    pub(super) pods: BTreeMap<String, Arc<PodFacts>>,
    pub(super) replica_sets: BTreeMap<String, ReplicaSetFacts>,
    /// By `Kind/name`.
    pub(super) workloads: BTreeMap<String, Arc<WorkloadFacts>>,
    pub(super) listings: BTreeMap<String, Arc<Listing>>,
    pub(super) remembered: BTreeMap<String, Arc<Listing>>,
    pub(super) opt_in: Option<OptIn>,
    /// Group, pod UID and how the pod's agent ended; the oldest first.
    terminations: VecDeque<(String, String, Termination)>,
}

/// What the operator keeps of a ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSetFacts {
    /// Its name.
    pub name: String,
    /// The Deployment that it belongs to.
    pub deployment: Option<String>,
    /// The Deployment's revision that it stands for; a rollback raises it.
    pub revision: u64,
}

// === impl Namespace ===

impl Namespace {
    pub(super) fn opt_in(&self) -> OptIn {
        self.opt_in.unwrap_or(OptIn::Unsaid)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.pods.is_empty()
            && self.replica_sets.is_empty()
            && self.workloads.is_empty()
            && self.listings.is_empty()
            && self.opt_in.is_none()
    }

    pub(super) fn apply_pod(&mut self, pod: PodFacts) -> bool {
        if self.pods.get(&pod.name).is_some_and(|known| **known == pod) {
            return false;
        }
        self.note_termination(&pod);
        self.pods.insert(pod.name.clone(), Arc::new(pod));
        true
    }

    pub(super) fn delete_pod(&mut self, pod: &PodFacts) -> bool {
        self.note_termination(pod);
        let known = self.pods.get(&pod.name).is_some_and(|known| known.uid == pod.uid);
        if known {
            self.pods.remove(&pod.name);
        }
        known
    }

    pub(super) fn apply_replica_set(&mut self, set: ReplicaSetFacts) -> bool {
        if self.replica_sets.get(&set.name) == Some(&set) {
            return false;
        }
        self.replica_sets.insert(set.name.clone(), set);
        true
    }

    pub(super) fn apply_workload(&mut self, workload: WorkloadFacts) -> bool {
        let key = workload.key();
        if self.workloads.get(&key).is_some_and(|known| **known == workload) {
            return false;
        }
        self.workloads.insert(key, Arc::new(workload));
        true
    }

    pub(super) fn apply_listing(&mut self, group: &str, listing: Listing) -> bool {
        if let Some(known) = self.listings.get(group) {
            if **known == listing || known.is_newer_than(&listing) {
                return false;
            }
            if known.uid != listing.uid {
                self.remembered.insert(group.to_owned(), Arc::clone(known));
            }
        }
        self.listings.insert(group.to_owned(), Arc::new(listing));
        true
    }

    pub(super) fn delete_listing(&mut self, group: &str, uid: &str) -> bool {
        if self.listings.get(group).is_none_or(|known| known.uid != uid) {
            return false;
        }
        self.retain_listings(|name| name != group);
        true
    }

    /// Drops Memberships that are no more; what was known by them stays known while the group is there.
    pub(super) fn retain_listings(&mut self, keep: impl Fn(&str) -> bool) {
        let (kept, dropped) = std::mem::take(&mut self.listings).into_iter().partition(|(group, _)| keep(group));
        self.listings = kept;
        self.remembered.extend::<BTreeMap<_, _>>(dropped);
    }

    /// The oldest group that selects a pod with these labels.
    pub(super) fn group_for(&self, labels: &BTreeMap<String, String>) -> Option<Arc<GroupFacts>> {
        self.selecting(labels).cloned()
    }

    fn selecting(&self, labels: &BTreeMap<String, String>) -> Option<&Arc<GroupFacts>> {
        let selecting = self.groups.values().filter(|group| !group.deleting && group.spec.selector.matches(labels));
        selecting.min_by_key(|group| group.age())
    }

    /// The views of all groups of the namespace.
    pub(super) fn views(&self) -> BTreeMap<String, GroupView> {
        let mut views: BTreeMap<String, GroupView> =
            self.groups.iter().map(|(name, group)| (name.clone(), self.bare_view(name, group))).collect();
        for pod in self.pods.values().filter(|pod| !self.is_unproven(pod)) {
            let home = self.home(pod);
            for (name, view) in &mut views {
                self.place(pod, home, name, view);
            }
        }
        views
    }

    fn bare_view(&self, name: &str, group: &Arc<GroupFacts>) -> GroupView {
        let terminations = self.terminations.iter().filter(|(owner, ..)| owner == name);
        let ours = |workload: &WorkloadFacts| match &workload.group {
            Some(uid) => *uid == group.uid,
            None => self.group_for(&workload.labels).is_some_and(|one| one.key.name == name),
        };
        let workloads = self.workloads.iter().filter(|(_, workload)| ours(workload));
        GroupView {
            group: Arc::clone(group),
            pods: BTreeMap::new(),
            workloads: workloads.map(|(key, workload)| (key.clone(), Arc::clone(workload))).collect(),
            listing: self.listings.get(name).cloned(),
            remembered: self.remembered.get(name).cloned(),
            conflicts: BTreeMap::new(),
            terminations: terminations.map(|(_, uid, how)| (uid.clone(), how.clone())).collect(),
            namespace_opt_in: self.opt_in(),
        }
    }

    /// The group that a pod belongs to, and how: the one whose keeper it is; else the one that it was injected for as long
    /// as that selects it, because running members never move; else the oldest that selects it.
    fn home(&self, pod: &PodFacts) -> Option<(&str, Standing)> {
        if let Some(group) = self.kept_by(pod) {
            return Some((&group.key.name, Standing::Keeper));
        }
        let injected = pod.injected_for().and_then(|name| self.groups.get(name));
        let injected = injected.filter(|group| group.spec.selector.matches(&pod.labels));
        let group = injected.or_else(|| self.selecting(&pod.labels))?;
        Some((&group.key.name, Standing::Selected))
    }

    /// Whether a pod says that it is a keeper, and what has made it, or for which group, was not seen yet: taken for a stray,
    /// it would leave for good.
    fn is_unproven(&self, pod: &PodFacts) -> bool {
        match (pod.keeper_set(), self.keeper_set(pod)) {
            (None, _) => false,
            (Some(_), Some(set)) => set.group.is_some() && self.kept_by(pod).is_none(),
            (Some(_), None) => true,
        }
    }

    /// The group whose keeper a pod is, by the UIDs of its controller and of that one's.
    fn kept_by(&self, pod: &PodFacts) -> Option<&Arc<GroupFacts>> {
        let uid = self.keeper_set(pod)?.group.as_ref()?;
        self.groups.values().find(|group| group.uid == *uid)
    }

    fn keeper_set(&self, pod: &PodFacts) -> Option<&WorkloadFacts> {
        let owner = pod.keeper_set()?;
        let set = self.workloads.get(&format!("StatefulSet/{}", owner.name))?;
        (set.uid == owner.uid).then_some(&**set)
    }

    fn place(&self, pod: &Arc<PodFacts>, home: Option<(&str, Standing)>, name: &str, view: &mut GroupView) {
        let named = || pod.injected_for() == Some(name) || view.names(&pod.uid);
        let standing = match home {
            Some((home, standing)) if home == name => standing,
            Some((home, Standing::Selected)) if !named() => {
                if view.group.spec.selector.matches(&pod.labels) {
                    view.conflicts.insert(pod.name.clone(), home.to_owned());
                }
                return;
            }
            _ if named() => Standing::Stray,
            _ => return,
        };
        let (controller, revision) = self.controller(pod);
        let placed = PodView { facts: Arc::clone(pod), standing, controller, revision };
        view.pods.insert(pod.name.clone(), placed);
    }

    fn controller(&self, pod: &PodFacts) -> (String, u64) {
        let Some(owner) = &pod.owner else { return (String::new(), 0) };
        let set = self.replica_sets.get(&owner.name).filter(|_| owner.kind == "ReplicaSet");
        match set.and_then(|set| set.deployment.as_ref().map(|deployment| (deployment, set.revision))) {
            Some((deployment, revision)) => (format!("Deployment/{deployment}"), revision),
            None => (format!("{}/{}", owner.kind, owner.name), 0),
        }
    }

    fn note_termination(&mut self, pod: &PodFacts) {
        let (Some(group), Some(how)) = (pod.injected_for(), pod.termination()) else { return };
        if self.terminations.iter().any(|(_, uid, _)| *uid == pod.uid) {
            return;
        }
        if self.terminations.len() == TERMINATIONS {
            self.terminations.pop_front();
        }
        self.terminations.push_back((group.to_owned(), pod.uid.clone(), how.clone()));
    }
}
