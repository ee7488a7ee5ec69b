//! How much of what one object may be a list of members takes.

use std::fmt;

use baton_crds::MembershipSpec;

/// What etcd takes of one object by default.
const ETCD: usize = 3 << 19;

/// The greatest size that is stated: the rest is what a list that is written meanwhile may grow by.
const GREATEST: usize = 1 << 20;

/// What the API server notes for each row of who has written its fields.
const NOTED: usize = 256;

/// How large a list is as an object, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListSize(usize);

// === impl ListSize ===

impl ListSize {
    /// That of a list with all that is noted about it.
    pub fn of(spec: &MembershipSpec) -> Self {
        let said = serde_json::to_vec(spec).map_or(0, |text| text.len());
        Self(said + NOTED * spec.members.len())
    }

    /// Whether it has passed what a group may have.
    pub fn is_too_great(self) -> bool {
        self.0 > GREATEST
    }
}

impl fmt::Display for ListSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: usize| bytes.div_ceil(1 << 10);
        write!(f, "{} of {} KiB", kib(self.0), kib(ETCD))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use baton_crds::membership::MemberPhase::Active;
    use baton_crds::membership::MemberRow;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixture::{listing, row};

    /// As Kubernetes names things: a Deployment's pods, nodes of a cloud.
    fn usual(replica: u64) -> MemberRow {
        MemberRow {
            pod_uid: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into(),
            node: "ip-10-112-203-171.eu-central-1.compute.internal".into(),
            zone: "eu-central-1a".into(),
            address: "10.112.203.171:7072".into(),
            controller: "Deployment/checkout-sessions".into(),
            ..row(replica, "checkout-sessions-6d5f7b9c4d-x2x7k", Active)
        }
    }

    fn group_of(row: impl Fn(u64) -> MemberRow, count: u64) -> ListSize {
        ListSize::of(&listing(1, None, (1..=count).map(row).collect()).spec)
    }

    #[test]
    fn what_is_noted_of_a_row_is_counted() {
        let row = MemberRow { keeper: true, forgotten: true, ..usual(1) };
        let row = serde_json::to_value(row).expect("a row");
        let fields = row.as_object().expect("fields").keys().map(|field| (format!("f:{field}"), json!({})));
        let noted: BTreeMap<String, Value> = fields.chain([(".".to_owned(), json!({}))]).collect();
        let noted = json!({ r#"k:{"replica":"0000000000000001"}"#: noted }).to_string();
        assert!((NOTED - 16..=NOTED).contains(&noted.len()), "{}", noted.len());
    }

    #[test]
    fn a_rollout_of_five_hundred_pods_is_within_the_greatest_size_and_twice_as_many_are_not() {
        let rollout = group_of(usual, 1_000);
        assert!(!rollout.is_too_great(), "all old ones and all new ones");
        assert!((550_000..650_000).contains(&rollout.0), "{rollout}");
        let large = group_of(usual, 2_000);
        assert!(large.is_too_great() && large.0 < ETCD, "{large}");
    }
}
