//! A pod that opts in gets the agent as its last init container, under the strictest Pod Security Standard; one that
//! does not is left alone; one that no group selects is refused with the reason.

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::http::Reply;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait::until;
use serde_json::{Value, json};

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "injection",
    promise: Promise::Guarded,
    sentence: "pods_that_opt_in_get_an_agent_and_others_do_not",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    let objects = Arena::of(1).objects(stage.cluster.manifests());
    let group = objects.iter().find(|object| object["kind"] == "HandoffGroup").context("no group")?;
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let template = &deployment["spec"]["template"];
    stage.cluster.api.apply(&stage.namespace, group)?;

    let pod = try_create(stage, template, json!({"app": "arena", "baton.dev/inject": "enabled"}))?.json()?;
    injected(&pod)?;
    let pod = try_create(stage, template, json!({"app": "arena"}))?.json()?;
    ensure!(pod["spec"]["initContainers"].is_null(), "a pod that did not opt in has {}", pod["spec"]["initContainers"]);
    let refused = try_create(stage, template, json!({"app": "nobody", "baton.dev/inject": "enabled"}))?;
    ensure!(refused.status >= 400 && refused.to_string().contains("HandoffGroup"), "{refused}");
    // The standard is enforced here: what was admitted above keeps to it.
    let mut bold = template.clone();
    bold["spec"]["hostNetwork"] = json!(true);
    let refused = try_create(stage, &bold, json!({"app": "arena", "baton.dev/inject": "enabled"}))?;
    ensure!(refused.status == 403 && refused.to_string().contains("restricted"), "{refused}");

    // A namespace that opts in, and a pod that opts out.
    let opt_in = json!({"metadata": {"labels": {"baton.dev/inject": "enabled"}}});
    stage.cluster.api.patch(&format!("/api/v1/namespaces/{}", stage.namespace), &opt_in)?;
    // The API server goes by the labels that it has heard of, a moment later.
    until(LIMIT, "a pod of a namespace that has opted in has an agent", || {
        injected(&try_create(stage, template, json!({"app": "arena"}))?.json()?)
    })?;
    let pod = try_create(stage, template, json!({"app": "arena", "baton.dev/inject": "disabled"}))?.json()?;
    ensure!(pod["spec"]["initContainers"].is_null(), "a pod that opted out has {}", pod["spec"]["initContainers"]);
    let pod = try_create(stage, template, json!({"app": "nobody"}))?.json()?;
    ensure!(pod["spec"]["initContainers"].is_null(), "a pod of no group has {}", pod["spec"]["initContainers"]);
    Ok(())
}

/// Asks for a pod in a dry run: the webhook must have no side effects.
fn try_create(stage: &Stage, template: &Value, labels: Value) -> Result<Reply> {
    let metadata = json!({"generateName": "try-", "labels": labels});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    stage.cluster.api.create(&format!("{}?dryRun=All", stage.path("Pod", "")), &pod)
}

fn injected(pod: &Value) -> Result<()> {
    let agent = pod["spec"]["initContainers"].as_array().and_then(|all| all.last()).context("no agent")?;
    ensure!(agent["name"] == "baton-agent" && agent["restartPolicy"] == "Always", "{agent}");
    ensure!(agent["lifecycle"]["preStop"]["exec"]["command"] == json!(["/baton-agent", "drain"]), "{agent}");
    for probe in ["startupProbe", "readinessProbe"] {
        ensure!(agent[probe]["httpGet"]["port"] == 7073, "{probe} of {agent}");
    }
    let url = json!({"name": "BATON_URL", "value": "http://127.0.0.1:7070"});
    let env = pod["spec"]["containers"][0]["env"].as_array().context("the app has no environment")?;
    ensure!(env.contains(&url), "the app's environment: {env:?}");
    ensure!(pod["metadata"]["labels"]["baton.dev/group"] == "arena", "{}", pod["metadata"]["labels"]);
    ensure!(pod["metadata"]["annotations"]["baton.dev/injected"].is_string(), "{}", pod["metadata"]["annotations"]);
    Ok(())
}
