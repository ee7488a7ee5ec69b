//! Which revision of its StatefulSet or DaemonSet a pod is of: ControllerRevisions say it, as ReplicaSets do for a Deployment.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;

use super::PodFacts;

/// The label that pods of both have of their revision.
const HASH: &str = "controller-revision-hash";

/// What the operator keeps of a ControllerRevision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionFacts {
    /// Its name.
    pub name: String,
    /// What it is a revision of, as `Kind/name`.
    pub controller: String,
    /// Its number; a rollback raises that of the old revision.
    pub number: u64,
}

/// The ControllerRevisions of a namespace, by name.
#[derive(Debug, Default)]
pub(super) struct Revisions(BTreeMap<String, RevisionFacts>);

// === impl RevisionFacts ===

impl RevisionFacts {
    /// What is kept of a ControllerRevision, and its namespace; nothing of one that no controller has made.
    pub fn of(revision: ControllerRevision) -> Option<(String, Self)> {
        let meta = revision.metadata;
        let mut owners = meta.owner_references.into_iter().flatten();
        let owner = owners.find(|owner| owner.controller == Some(true))?;
        let number = u64::try_from(revision.revision).unwrap_or_default();
        Some((meta.namespace?, Self { name: meta.name?, controller: format!("{}/{}", owner.kind, owner.name), number }))
    }
}

// === impl Revisions ===

impl Revisions {
    /// Takes one that was made or changed; answers whether anything is another.
    pub(super) fn put(&mut self, revision: RevisionFacts) -> bool {
        let name = revision.name.clone();
        let same = self.0.get(&name) == Some(&revision);
        self.0.insert(name, revision);
        !same
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of the revision that a pod is of; 0 if unknown.
    pub(super) fn of_pod(&self, pod: &PodFacts) -> u64 {
        let (Some(owner), Some(hash)) = (&pod.owner, pod.labels.get(HASH)) else { return 0 };
        // Pods of a StatefulSet have the whole name there.
        let name = if owner.kind == "DaemonSet" { format!("{}-{hash}", owner.name) } else { hash.clone() };
        let revision =
            self.0.get(&name).filter(|one| one.controller.split_once('/') == Some((&owner.kind, &owner.name)));
        revision.map_or(0, |one| one.number)
    }

    /// The newest number of a controller, given as `Kind/name`; 0 if none is known.
    pub(super) fn newest(&self, controller: &str) -> u64 {
        let of_it = self.0.values().filter(|one| one.controller == controller);
        of_it.map(|one| one.number).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::pod;
    use crate::index::Owner;

    fn revision(kind: &str, controller: &str, name: &str, number: i64) -> RevisionFacts {
        let owner = json!({"apiVersion": "apps/v1", "kind": kind, "name": controller, "uid": "u", "controller": true});
        let object = json!({"metadata": {"name": name, "namespace": "shop", "ownerReferences": [owner]},
            "revision": number, "data": {"spec": {}}});
        let object = serde_json::from_value(object).expect("a ControllerRevision");
        RevisionFacts::of(object).expect("facts").1
    }

    fn made_by(kind: &str, controller: &str, hash: &str) -> PodFacts {
        let mut pod = pod("web-0");
        pod.owner = Some(Owner { kind: kind.into(), name: controller.into(), uid: "u".into() });
        pod.labels.insert(HASH.into(), hash.into());
        pod
    }

    #[test]
    fn a_pod_has_the_number_of_the_revision_that_its_label_names() {
        let mut revisions = Revisions::default();
        assert_eq!(revisions.of_pod(&made_by("StatefulSet", "web", "web-5d4")), 0);
        assert!(revisions.put(revision("StatefulSet", "web", "web-5d4", 3)));
        assert!(!revisions.put(revision("StatefulSet", "web", "web-5d4", 3)), "nothing is another");
        assert_eq!(revisions.of_pod(&made_by("StatefulSet", "web", "web-5d4")), 3);
        assert_eq!(revisions.of_pod(&made_by("DaemonSet", "web", "5d4")), 0, "it is another's");
        revisions.put(revision("DaemonSet", "cache", "cache-5d4", 8));
        assert_eq!(revisions.of_pod(&made_by("DaemonSet", "cache", "5d4")), 8);
    }

    #[test]
    fn a_rollback_raises_the_number_of_the_old_revision() {
        let mut revisions = Revisions::default();
        revisions.put(revision("StatefulSet", "web", "web-a", 1));
        revisions.put(revision("StatefulSet", "web", "web-b", 2));
        revisions.put(revision("StatefulSet", "other", "other-a", 7));
        assert_eq!(revisions.newest("StatefulSet/web"), 2);
        assert!(revisions.put(revision("StatefulSet", "web", "web-a", 3)));
        assert_eq!((revisions.newest("StatefulSet/web"), revisions.newest("DaemonSet/web")), (3, 0));
        assert_eq!(revisions.of_pod(&made_by("StatefulSet", "web", "web-a")), 3);
    }
}
