//! What is to be done about a group's keepers.

use super::object::Objects;
use crate::index::{GroupView, Standing, WorkloadFacts};
use crate::injector::{Defaults, Injection};

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Nothing: there are none, and none are asked for.
    Leave,
    /// They are to be so.
    Make(Box<Objects>),
    /// The last of them has ended, and none are asked for: what they were made of goes.
    Remove {
        /// The name of all objects.
        name: String,
    },
}

/// Decides. `defaults` are what agents are injected with.
pub(super) fn plan(view: &GroupView, defaults: &Defaults) -> Plan {
    let group = &view.group;
    // What the group owns goes with it.
    if group.deleting {
        return Plan::Leave;
    }
    let made = || Plan::Make(Box::new(Objects::of(group, Injection::of(&group.key.name, &group.spec, defaults))));
    match set(view) {
        _ if group.spec.keepers.replicas > 0 => made(),
        None => Plan::Leave,
        // They hand off before their StatefulSet goes.
        Some(set) if set.replicas > 0 || has_keepers(view) => made(),
        Some(set) => Plan::Remove { name: set.name.clone() },
    }
}

/// The StatefulSet of a group's keepers, as far as it was seen.
pub(super) fn set(view: &GroupView) -> Option<&WorkloadFacts> {
    let of_group = |workload: &&WorkloadFacts| workload.group.as_ref() == Some(&view.group.uid);
    view.workloads.values().map(AsRef::as_ref).find(of_group)
}

fn has_keepers(view: &GroupView) -> bool {
    view.pods.values().any(|pod| pod.standing == Standing::Keeper)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::{defaults, keeper_set, pod, view};

    fn planned(wanted: u32, set: Option<i64>, pods: usize) -> Plan {
        let pods: Vec<_> = (0..pods).map(|number| pod(&format!("web-keeper-{number}"))).collect();
        let mut view = view(&pods);
        view.pods.values_mut().for_each(|pod| pod.standing = Standing::Keeper);
        let mut group = (*view.group).clone();
        group.spec.keepers.replicas = wanted;
        view.group = Arc::new(group);
        if let Some(replicas) = set {
            let set = keeper_set(replicas);
            view.workloads.insert(set.key(), Arc::new(set));
        }
        plan(&view, &defaults())
    }

    fn replicas(plan: Plan) -> Option<u64> {
        match plan {
            Plan::Make(objects) => objects.set["spec"]["replicas"].as_u64(),
            Plan::Leave | Plan::Remove { .. } => None,
        }
    }

    #[test]
    fn keepers_are_made_as_asked_for() {
        assert_eq!(planned(0, None, 0), Plan::Leave);
        assert_eq!(replicas(planned(2, None, 0)), Some(2));
        assert_eq!(replicas(planned(3, Some(2), 2)), Some(3));
    }

    #[test]
    fn what_they_were_made_of_goes_when_the_last_of_them_has_ended() {
        assert_eq!(replicas(planned(0, Some(2), 2)), Some(0));
        assert_eq!(replicas(planned(0, Some(0), 1)), Some(0));
        assert_eq!(planned(0, Some(0), 0), Plan::Remove { name: "web-keeper".into() });
    }

    #[test]
    fn a_group_that_is_being_deleted_is_left_alone() {
        let mut view = view(&[]);
        let mut group = (*view.group).clone();
        (group.spec.keepers.replicas, group.deleting) = (2, true);
        view.group = Arc::new(group);
        assert_eq!(plan(&view, &defaults()), Plan::Leave);
    }
}
