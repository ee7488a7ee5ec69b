//! The operator's picture of the cluster: watched facts go in, one [`GroupView`] per group comes out.
//!
//! The index is synchronous and does no IO. Whoever changes it holds its lock for a moment; readers hold
//! `watch::Receiver`s of views and never see a half-made change.

mod filing;
mod group;
mod listing;
mod namespace;
mod pod;
mod revision;
mod view;
mod workload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

pub use group::{GroupFacts, GroupKey};
pub use listing::Listing;
pub use namespace::ReplicaSetFacts;
pub use pod::{Agent, Life, OptIn, Owner, PodFacts, Termination};
pub use revision::RevisionFacts;
pub use view::{GroupView, PodView, Standing};
pub(crate) use workload::REVISION;
pub use workload::{Revision, WorkloadFacts};

use filing::Touched;
use namespace::Namespace;

/// The views of all groups, by key.
pub type Views = BTreeMap<GroupKey, watch::Receiver<Arc<GroupView>>>;

/// The index, shared between the watchers that feed it and those who read it.
pub type SharedIndex = Arc<parking_lot::RwLock<Index>>;

/// The operator's picture of the cluster.
#[derive(Debug)]
pub struct Index {
    namespaces: BTreeMap<String, Namespace>,
    senders: BTreeMap<GroupKey, watch::Sender<Arc<GroupView>>>,
    groups: watch::Sender<Arc<Views>>,
}

// === impl Index ===

impl Default for Index {
    fn default() -> Self {
        Self {
            namespaces: BTreeMap::new(),
            senders: BTreeMap::new(),
            groups: watch::Sender::new(Arc::new(Views::new())),
        }
    }
}

impl Index {
    /// The set of groups with their views, told anew when a group comes or goes.
    pub fn groups(&self) -> watch::Receiver<Arc<Views>> {
        self.groups.subscribe()
    }

    /// The view of one group.
    pub fn view(&self, key: &GroupKey) -> Option<watch::Receiver<Arc<GroupView>>> {
        self.senders.get(key).map(watch::Sender::subscribe)
    }

    /// The group that a pod with these labels belongs to.
    pub fn group_for(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Option<Arc<GroupFacts>> {
        self.namespaces.get(namespace)?.group_for(labels)
    }

    /// What a namespace's label says about agents.
    pub fn namespace_opt_in(&self, namespace: &str) -> OptIn {
        self.namespaces.get(namespace).map_or(OptIn::Unsaid, Namespace::opt_in)
    }

    /// Takes a group that was made or changed.
    pub fn apply_group(&mut self, group: GroupFacts) {
        let namespace = group.key.namespace.clone();
        let touched = self.namespace(&namespace).apply_group(group);
        self.publish(&namespace, touched);
    }

    /// Forgets a group. Its agents keep their last list.
    pub fn delete_group(&mut self, key: &GroupKey) {
        self.namespace(&key.namespace).delete_group(&key.name);
        self.publish(&key.namespace, Touched::All);
    }

    /// Replaces all groups by those of a new list.
    pub fn reset_groups(&mut self, groups: Vec<GroupFacts>) {
        self.reset(|namespace| namespace.groups.clear());
        for group in groups {
            let key = group.key.clone();
            self.namespace(&key.namespace).groups.insert(key.name, Arc::new(group));
        }
        self.file_all();
        self.publish_all();
    }

    /// Takes a pod that was made or changed.
    pub fn apply_pod(&mut self, namespace: &str, pod: PodFacts) {
        let touched = self.namespace(namespace).apply_pod(pod);
        self.publish(namespace, touched);
    }

    /// Forgets a pod, but for how its agent ended. A pod of the same name with another UID stays.
    pub fn delete_pod(&mut self, namespace: &str, pod: &PodFacts) {
        let touched = self.namespace(namespace).delete_pod(pod);
        self.publish(namespace, touched);
    }

    /// Replaces all pods by those of a new list.
    pub fn reset_pods(&mut self, pods: Vec<(String, PodFacts)>) {
        self.reset(|namespace| namespace.pods.clear());
        for (namespace, pod) in pods {
            self.namespace(&namespace).put_pod(pod);
        }
        self.file_all();
        self.publish_all();
    }

    /// Takes a ReplicaSet that was made or changed.
    pub fn apply_replica_set(&mut self, namespace: &str, set: ReplicaSetFacts) {
        let touched = self.namespace(namespace).apply_replica_set(set);
        self.publish(namespace, touched);
    }

    /// Forgets a ReplicaSet.
    pub fn delete_replica_set(&mut self, namespace: &str, name: &str) {
        self.namespace(namespace).replica_sets.remove(name);
        self.publish(namespace, Touched::All);
    }

    /// Replaces all ReplicaSets by those of a new list.
    pub fn reset_replica_sets(&mut self, sets: Vec<(String, ReplicaSetFacts)>) {
        self.reset(|namespace| namespace.replica_sets.clear());
        for (namespace, set) in sets {
            self.namespace(&namespace).apply_replica_set(set);
        }
        self.publish_all();
    }

    /// Takes a ControllerRevision that was made or changed.
    pub fn apply_revision(&mut self, namespace: &str, revision: RevisionFacts) {
        if self.namespace(namespace).revisions.put(revision) {
            self.publish(namespace, Touched::All);
        }
    }

    /// Forgets a ControllerRevision.
    pub fn delete_revision(&mut self, namespace: &str, name: &str) {
        self.namespace(namespace).revisions.remove(name);
        self.publish(namespace, Touched::All);
    }

    /// Replaces all ControllerRevisions by those of a new list.
    pub fn reset_revisions(&mut self, revisions: Vec<(String, RevisionFacts)>) {
        self.reset(|namespace| namespace.revisions.clear());
        for (namespace, revision) in revisions {
            self.namespace(&namespace).revisions.put(revision);
        }
        self.publish_all();
    }

    /// Takes a workload that was made or changed.
    pub fn apply_workload(&mut self, namespace: &str, workload: WorkloadFacts) {
        let touched = self.namespace(namespace).apply_workload(workload);
        self.publish(namespace, touched);
    }

    /// Forgets a workload.
    pub fn delete_workload(&mut self, namespace: &str, workload: &WorkloadFacts) {
        self.namespace(namespace).delete_workload(workload);
        self.publish(namespace, Touched::All);
    }

    /// Replaces all workloads of a kind by those of a new list.
    pub fn reset_workloads(&mut self, kind: &'static str, workloads: Vec<(String, WorkloadFacts)>) {
        self.reset(|namespace| namespace.workloads.retain(|_, workload| workload.kind != kind));
        for (namespace, workload) in workloads {
            self.namespace(&namespace).workloads.insert(workload.key(), Arc::new(workload));
        }
        self.file_all();
        self.publish_all();
    }

    /// Takes a namespace's opt-in label.
    pub fn apply_namespace(&mut self, name: &str, opt_in: OptIn) {
        self.namespace(name).opt_in = Some(opt_in);
        self.publish(name, Touched::All);
    }

    /// Forgets a namespace's opt-in label.
    pub fn delete_namespace(&mut self, name: &str) {
        self.namespace(name).opt_in = None;
        self.publish(name, Touched::All);
    }

    /// Replaces all opt-in labels by those of a new list.
    pub fn reset_namespaces(&mut self, namespaces: Vec<(String, OptIn)>) {
        self.reset(|namespace| namespace.opt_in = None);
        for (name, opt_in) in namespaces {
            self.namespace(&name).opt_in = Some(opt_in);
        }
        self.publish_all();
    }

    /// Takes a Membership that was made or changed, unless a newer state of it is known already.
    pub fn apply_listing(&mut self, key: &GroupKey, listing: Listing) {
        let touched = self.namespace(&key.namespace).apply_listing(&key.name, listing);
        self.publish(&key.namespace, touched);
    }

    /// Takes that the Membership with this UID is no more. What it said stays known.
    pub fn delete_listing(&mut self, key: &GroupKey, uid: &str) {
        let touched = self.namespace(&key.namespace).delete_listing(&key.name, uid);
        self.publish(&key.namespace, touched);
    }

    /// The group's present Membership has all that was known by an earlier one.
    pub fn forget_remembered(&mut self, key: &GroupKey) {
        if self.namespace(&key.namespace).remembered.remove(&key.name).is_some() {
            self.publish(&key.namespace, Touched::group(&key.name));
        }
    }

    /// Replaces all Memberships by those of a new list.
    pub fn reset_listings(&mut self, listings: Vec<(GroupKey, Listing)>) {
        let named: BTreeMap<GroupKey, Listing> = listings.into_iter().collect();
        for (name, namespace) in &mut self.namespaces {
            namespace.retain_listings(|group| named.contains_key(&GroupKey::new(name.clone(), group)));
        }
        for (key, listing) in named {
            self.namespace(&key.namespace).apply_listing(&key.name, listing);
        }
        self.publish_all();
    }

    fn namespace(&mut self, name: &str) -> &mut Namespace {
        self.namespaces.entry(name.to_owned()).or_default()
    }

    fn reset(&mut self, clear: impl Fn(&mut Namespace)) {
        self.namespaces.values_mut().for_each(clear);
    }

    fn file_all(&mut self) {
        self.namespaces.values_mut().for_each(Namespace::file_all);
    }

    fn publish_all(&mut self) {
        let names: Vec<String> = self.namespaces.keys().cloned().collect();
        names.iter().for_each(|name| self.publish(name, Touched::All));
    }

    /// Publishes what has changed in a namespace: views that are equal to the last are not told again.
    fn publish(&mut self, name: &str, touched: Touched) {
        let Some(namespace) = self.namespaces.get(name) else { return };
        let touched = match touched {
            Touched::Groups(groups) => groups,
            Touched::All => {
                let sent = self.senders.keys().filter(|key| key.namespace == name).map(|key| key.name.clone());
                namespace.groups.keys().cloned().chain(sent).collect()
            }
        };
        let mut regrouped = false;
        for group in touched {
            let view = namespace.view(&group);
            let key = GroupKey::new(name, group);
            match (view, self.senders.get(&key)) {
                (Some(view), Some(sender)) => drop(sender.send_if_modified(|last| {
                    let changed = **last != view;
                    if changed {
                        *last = Arc::new(view);
                    }
                    changed
                })),
                (Some(view), None) => {
                    self.senders.insert(key, watch::Sender::new(Arc::new(view)));
                    regrouped = true;
                }
                (None, sent) => {
                    regrouped |= sent.is_some();
                    self.senders.remove(&key);
                }
            }
        }
        if namespace.is_empty() {
            self.namespaces.remove(name);
        }
        if regrouped {
            let views = self.senders.iter().map(|(key, sender)| (key.clone(), sender.subscribe())).collect();
            self.groups.send_replace(Arc::new(views));
        }
    }
}
