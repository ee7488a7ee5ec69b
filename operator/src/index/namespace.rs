//! One namespace of the index: groups never reach beyond theirs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::filing::{Filed, Filing, Touched};
use super::revision::Revisions;
use super::{GroupFacts, GroupView, Listing, OptIn, PodFacts, PodView, Revision, Standing, Termination, WorkloadFacts};

/// How many terminations are kept for pods that are gone: more than can end between two looks at a view.
const TERMINATIONS: usize = 1_024;

/// All that is known of one namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) groups: BTreeMap<String, Arc<GroupFacts>>,
    pub(super) pods: BTreeMap<String, Arc<PodFacts>>,
    pub(super) replica_sets: BTreeMap<String, ReplicaSetFacts>,
    pub(super) revisions: Revisions,
    /// By `Kind/name`.
    pub(super) workloads: BTreeMap<String, Arc<WorkloadFacts>>,
    pub(super) listings: BTreeMap<String, Arc<Listing>>,
    pub(super) remembered: BTreeMap<String, Arc<Listing>>,
    pub(super) opt_in: Option<OptIn>,
    /// Group, pod UID and how the pod's agent ended; the oldest first.
    terminations: VecDeque<(String, String, Termination)>,
    /// Follows from the groups, the pods and the workloads.
    filing: Filing,
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
            && self.revisions.is_empty()
            && self.workloads.is_empty()
            && self.listings.is_empty()
            && self.opt_in.is_none()
    }

    pub(super) fn apply_group(&mut self, group: GroupFacts) -> Touched {
        let name = group.key.name.clone();
        let before = self.groups.insert(name.clone(), Arc::new(group));
        let selects =
            |group: &GroupFacts| (group.uid.clone(), group.created, group.deleting, group.spec.selector.clone());
        if before.is_some_and(|before| selects(&before) == selects(&self.groups[&name])) {
            return Touched::group(&name);
        }
        self.file_all();
        Touched::All
    }

    pub(super) fn delete_group(&mut self, name: &str) {
        self.groups.remove(name);
        self.remembered.remove(name);
        self.file_all();
    }

    pub(super) fn apply_pod(&mut self, pod: PodFacts) -> Touched {
        if self.pods.get(&pod.name).is_some_and(|known| **known == pod) {
            return Touched::nothing();
        }
        let (name, filed) = (pod.name.clone(), self.filed(&pod));
        let mut touched = filed.concerns.clone();
        touched.extend(self.naming(&pod.uid));
        touched.extend(self.pods.get(&name).into_iter().flat_map(|before| self.naming(&before.uid)));
        self.put_pod(pod);
        touched.extend(self.filing.put(&name, filed));
        Touched::Groups(touched)
    }

    /// Takes a pod of a new list, which is filed with all others.
    pub(super) fn put_pod(&mut self, pod: PodFacts) {
        self.note_termination(&pod);
        self.pods.insert(pod.name.clone(), Arc::new(pod));
    }

    pub(super) fn delete_pod(&mut self, pod: &PodFacts) -> Touched {
        self.note_termination(pod);
        if self.pods.get(&pod.name).is_none_or(|known| known.uid != pod.uid) {
            return Touched::nothing();
        }
        self.pods.remove(&pod.name);
        let mut touched = self.filing.remove(&pod.name);
        touched.extend(self.naming(&pod.uid));
        Touched::Groups(touched)
    }

    pub(super) fn apply_replica_set(&mut self, set: ReplicaSetFacts) -> Touched {
        if self.replica_sets.get(&set.name) == Some(&set) {
            return Touched::nothing();
        }
        self.replica_sets.insert(set.name.clone(), set);
        Touched::All
    }

    pub(super) fn apply_workload(&mut self, workload: WorkloadFacts) -> Touched {
        let key = workload.key();
        if self.workloads.get(&key).is_some_and(|known| **known == workload) {
            return Touched::nothing();
        }
        let before = self.workloads.insert(key.clone(), Arc::new(workload));
        let workload = &self.workloads[&key];
        let made_by = |workload: &Arc<WorkloadFacts>| (workload.uid.clone(), workload.group.clone());
        if workload.kind == "StatefulSet" && before.as_ref().map(made_by) != Some(made_by(workload)) {
            // Its pods may be keepers, or not any more.
            self.file_all();
            return Touched::All;
        }
        let groups = before.iter().chain([workload]).filter_map(|workload| self.group_of(workload));
        Touched::Groups(groups.map(|group| group.key.name.clone()).collect())
    }

    pub(super) fn delete_workload(&mut self, workload: &WorkloadFacts) {
        self.workloads.remove(&workload.key());
        self.file_all();
    }

    pub(super) fn apply_listing(&mut self, group: &str, listing: Listing) -> Touched {
        if let Some(known) = self.listings.get(group) {
            if **known == listing || known.is_newer_than(&listing) {
                return Touched::nothing();
            }
            if known.uid != listing.uid {
                self.remembered.insert(group.to_owned(), Arc::clone(known));
            }
        }
        self.listings.insert(group.to_owned(), Arc::new(listing));
        Touched::group(group)
    }

    pub(super) fn delete_listing(&mut self, group: &str, uid: &str) -> Touched {
        if self.listings.get(group).is_none_or(|known| known.uid != uid) {
            return Touched::nothing();
        }
        self.retain_listings(|name| name != group);
        Touched::group(group)
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

    /// Files all pods anew: the groups, or what makes keepers, are others.
    pub(super) fn file_all(&mut self) {
        let mut filing = Filing::default();
        for pod in self.pods.values() {
            filing.put(&pod.name, self.filed(pod));
        }
        self.filing = filing;
    }

    fn filed(&self, pod: &PodFacts) -> Filed {
        if self.is_unproven(pod) {
            return Filed::default();
        }
        let home = self.home(pod).map(|(group, standing)| (group.to_owned(), standing));
        let selecting = self.groups.values().filter(|group| group.spec.selector.matches(&pod.labels));
        let mut concerns: BTreeSet<String> = selecting.map(|group| group.key.name.clone()).collect();
        concerns.extend(home.iter().map(|(group, _)| group.clone()));
        concerns.extend(pod.injected_for().map(str::to_owned));
        Filed { home, concerns }
    }

    /// The groups whose Membership names a pod.
    fn naming<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = String> + 'a {
        let names = move |listing: &Listing| listing.spec.members.iter().any(|row| row.pod_uid == uid);
        self.listings.iter().filter(move |(_, listing)| names(listing)).map(|(group, _)| group.clone())
    }

    /// The view of one group.
    pub(super) fn view(&self, name: &str) -> Option<GroupView> {
        let mut view = self.bare_view(name, self.groups.get(name)?);
        let listed = view.listing.clone();
        let listed = listed.iter().flat_map(|listing| listing.present().map(|row| row.pod_name.as_str()));
        let pods: BTreeSet<&str> = self.filing.of_group(name).chain(listed).collect();
        for pod in pods.into_iter().filter_map(|pod| self.pods.get(pod)).filter(|pod| !self.is_unproven(pod)) {
            self.place(pod, self.filing.home(&pod.name), name, &mut view);
        }
        Some(view)
    }

    fn bare_view(&self, name: &str, group: &Arc<GroupFacts>) -> GroupView {
        let terminations = self.terminations.iter().filter(|(owner, ..)| owner == name);
        // Most are not even selected, which is quickly seen.
        let ours = |workload: &WorkloadFacts| {
            (workload.group.is_some() || group.spec.selector.matches(&workload.labels))
                && self.group_of(workload).is_some_and(|one| one.uid == group.uid)
        };
        let workloads = self.workloads.iter().filter(|(_, workload)| ours(workload));
        GroupView {
            group: Arc::clone(group),
            pods: BTreeMap::new(),
            workloads: workloads.map(|(key, workload)| (key.clone(), self.revised(workload))).collect(),
            listing: self.listings.get(name).cloned(),
            remembered: self.remembered.get(name).cloned(),
            conflicts: BTreeMap::new(),
            terminations: terminations.map(|(_, uid, how)| (uid.clone(), how.clone())).collect(),
            namespace_opt_in: self.opt_in(),
        }
    }

    /// A workload with its newest revision. A DaemonSet does not name that itself.
    fn revised(&self, workload: &Arc<WorkloadFacts>) -> Arc<WorkloadFacts> {
        if workload.kind != "DaemonSet" {
            return Arc::clone(workload);
        }
        let newest = self.revisions.newest(&workload.key());
        let is_rolled_out = workload.is_rolled_out && newest > 0;
        Arc::new(WorkloadFacts { revision: Revision::Number(newest), is_rolled_out, ..(**workload).clone() })
    }

    /// The group whose pods a workload makes.
    fn group_of(&self, workload: &WorkloadFacts) -> Option<&Arc<GroupFacts>> {
        match &workload.group {
            Some(uid) => self.groups.values().find(|group| group.uid == *uid),
            None => self.selecting(&workload.labels),
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
            None => (format!("{}/{}", owner.kind, owner.name), self.revisions.of_pod(pod)),
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
