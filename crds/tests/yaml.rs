//! The committed YAML, the chart's copy of it and the Rust types say the same.

use std::path::Path;

const AGAIN: &str = "run `cargo run -p baton-crds --example generate` and commit what it writes";

#[test]
fn committed_yaml_and_the_charts_copy_equal_the_types() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in [here.join("yaml"), here.join("../charts/baton/files/crds")] {
        for (file, definition) in baton_crds::definitions() {
            let path = directory.join(file);
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            let generated = serde_saphyr::to_string(&definition).expect("YAML");
            assert!(committed == generated, "{} differs from the types: {AGAIN}", path.display());
        }
    }
}

#[test]
fn the_smallest_group_gets_all_defaults() {
    let group: baton_crds::HandoffGroup = serde_json::from_value(serde_json::json!({
        "apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    }))
    .expect("a group");
    assert_eq!(group.spec, baton_crds::HandoffGroupSpec::of(group.spec.selector.clone()));
    let replication = group.spec.replication;
    assert_eq!((replication.shards, replication.acks, group.spec.handoff.acks), (16, baton_crds::Acks::Count(1), 1));
    assert_eq!(group.spec.handoff.completion, baton_crds::group::Completion::Replicated);
    assert_eq!(group.spec.membership.forget_after, None);
    assert_eq!(group.spec.membership.forget_above, 1_000_000);
    assert_eq!(group.spec.handoff.timeout.to_string(), "20s");
    assert_eq!(group.spec.membership.start_empty_after.to_string(), "60s");
}
