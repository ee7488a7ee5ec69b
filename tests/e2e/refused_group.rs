//! A HandoffGroup that cannot work is refused when it is applied, with a message that says what to write instead.

use anyhow::{Result, ensure};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;
use serde_json::{Value, json};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "refused-group",
    promise: Promise::Guarded,
    sentence: "a_group_that_cannot_work_is_refused_with_a_reason",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let web = json!({"matchLabels": {"app": "web"}});
    let cases = [
        ("no selector", json!({}), "selector"),
        ("an empty selector", json!({"selector": {}}), "selector must not be empty"),
        ("a selector of nothing", json!({"selector": {"matchLabels": {}}}), "selector must not be empty"),
        ("an empty label name", json!({"selector": {"matchLabels": {"": "x"}}}), "a name that no label can have"),
        ("a bad label value", json!({"selector": {"matchLabels": {"app": "-web-"}}}), "spec.selector.matchLabels.app"),
        ("an unknown operator", json!({"selector": expression("Near", json!(["x"]))}), "supported values"),
        ("In without values", json!({"selector": expression("In", json!([]))}), "need at least one value"),
        ("Exists with values", json!({"selector": expression("Exists", json!(["x"]))}), "take none"),
        ("no survivors wanted", json!({"selector": web, "handoff": {"acks": 0}}), "handoff.acks must be between"),
        (
            "a timeout in words",
            json!({"selector": web, "handoff": {"timeout": "soon"}}),
            "handoff.timeout must be a duration",
        ),
        ("no shards", json!({"selector": web, "replication": {"shards": 0}}), "replication.shards must be between"),
        (
            "acknowledgements in other words",
            json!({"selector": web, "replication": {"acks": "most"}}),
            "replication.acks must be a number between 0 and 16, or majority, or all",
        ),
        (
            "too many acknowledgements",
            json!({"selector": web, "replication": {"acks": 17}}),
            "replication.acks must be",
        ),
        ("an unknown completion", json!({"selector": web, "handoff": {"completion": "Done"}}), "\"Confirmed\""),
        (
            "a member forgotten at once",
            json!({"selector": web, "membership": {"forgetAfter": "1s"}}),
            "membership.forgetAfter must be between",
        ),
        (
            "a member forgotten for a few deletes",
            json!({"selector": web, "membership": {"forgetAbove": 10}}),
            "membership.forgetAbove must be at least",
        ),
        (
            "a map's acknowledgements in other words",
            json!({"selector": web, "maps": [{"name": "carts", "acks": "most"}]}),
            "spec.maps[0].acks",
        ),
        (
            "an unknown end of ownership",
            json!({"selector": web, "maps": [{"name": "carts", "onDeparture": "Drop"}]}),
            "\"Release\"",
        ),
        (
            "less than no keeper",
            json!({"selector": web, "keepers": {"replicas": -1}}),
            "keepers.replicas must be between",
        ),
        ("too many keepers", json!({"selector": web, "keepers": {"replicas": 17}}), "keepers.replicas must be between"),
        ("a bad map name", json!({"selector": web, "maps": [{"name": "Not A Map"}]}), "maps: a name consists of"),
    ];
    for (what, spec, says) in cases {
        let reply = create(stage, &spec)?;
        ensure!(reply.0 == 422 && reply.1.contains(says), "{what}: {} {}", reply.0, reply.1);
    }

    let all = json!({
        "selector": web,
        "maps": [{"name": "presence", "acks": 0, "onDeparture": "Release"}, {"name": "carts", "acks": "all"}],
        "replication": {"acks": "majority"},
        "handoff": {"completion": "Confirmed"},
        "membership": {"forgetAfter": "10m", "forgetAbove": 1000},
    });
    let made = create(stage, &all)?;
    ensure!(made.0 == 201, "{} {}", made.0, made.1);
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}});
    let changed = stage.cluster.api.patch(&stage.path("HandoffGroup", "web"), &other);
    let message = format!("{:#}", changed.err().unwrap_or_else(|| anyhow::anyhow!("it was changed")));
    ensure!(message.contains("selector cannot be changed"), "{message}");
    // A group that selects nothing says so.
    stage.wait_condition("web", "Ready", "False", Some("NoPodsSelected"))?;
    Ok(())
}

fn expression(operator: &str, values: Value) -> Value {
    json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]})
}

fn create(stage: &Stage, spec: &Value) -> Result<(u16, String)> {
    let metadata = json!({"name": "web"});
    let group = json!({"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": metadata, "spec": spec});
    let reply = stage.cluster.api.create(&stage.path("HandoffGroup", ""), &group)?;
    let message = reply.json()?["message"].as_str().unwrap_or_default().to_owned();
    Ok((reply.status, message))
}
