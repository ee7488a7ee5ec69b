//! The demo on a Kubernetes: the chart, two namespaces with the same Deployment, and a crowd in each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::crowd::Crowd;
use super::kube::{self, Kube};
use super::page::Tunnel;
use super::pods::{Farewell, Pods};
use super::report::{Handoffs, Mode, Outcome};
use super::{Plan, Report, Screen, Side};
use crate::cluster::{Access, Target};
use crate::{images, step, workspace};

/// What the Deployment of the manifests has.
const PODS: usize = 3;
const NODES: u8 = 3;
/// How long pods may take to come up or to be replaced.
const LIMIT: Duration = Duration::from_secs(300);

/// Brings everything up, runs both sides, and removes what it has made.
pub(crate) fn run(plan: &Plan, target: &Target, profile: &str) -> Result<Report> {
    let there = target.access().is_ok();
    let access = target.up(NODES)?;
    if target.context.is_none() {
        let images = images::build(profile)?;
        step::run("Load images", |_| target.load(&images))?;
    }
    let installed = step::run("Install Baton", |_| kube::install(&access))?;
    let version = kube::version(&access)?;

    let mut outcomes = Vec::new();
    for side in Side::ALL {
        let name = namespace(side);
        let kube = Kube::new(&access, name);
        let outcome = play(plan, side, &kube);
        outcomes.push(outcome.with_context(|| format!("namespace {name} is left as it is"))?);
    }
    if plan.keep {
        eprintln!("the servers run on; KUBECONFIG={}", access.kubeconfig.display());
    } else {
        clean_up(target, &access, there, installed)?;
    }
    let [with, without] = <[Outcome; 2]>::try_from(outcomes).ok().context("each side has one outcome")?;
    Ok(Report {
        mode: Mode::Cluster,
        kubernetes: Some(version),
        restarts: plan.restarts,
        players: plan.players,
        with,
        without,
    })
}

/// Removes what was not there before.
fn clean_up(target: &Target, access: &Access, there: bool, installed: bool) -> Result<()> {
    if !there {
        return step::run("Remove the cluster", |_| target.down());
    }
    step::run("Remove the servers, whose last pods find no survivor", |_| {
        for side in Side::ALL {
            Kube::new(access, namespace(side)).delete()?;
        }
        if installed { Ok(()) } else { kube::uninstall(access) }
    })
}

fn play(plan: &Plan, side: Side, kube: &Kube) -> Result<Outcome> {
    let screen = Screen::new(side, plan.restarts, PODS);
    screen.phase("starting");
    kube.fresh()?;
    let mut pods = Pods::watch(kube.command(&["get", "pods", "--selector=app=arena"]))?;
    kube.apply(&servers(side, kube)?)?;
    pods.wait(LIMIT, |index| index.ready() == PODS).context("the servers do not get ready")?;
    let page = match side {
        Side::With => Some(Tunnel::open(kube)?),
        // Each server shows its own players only.
        Side::Without => None,
    };
    if let Some(page) = &page {
        screen.page(page.url());
    }
    kube.apply(&crowd(plan, side, kube)?)?;
    kube.run(&["wait", "pod", "--selector=app=arena-load", "--for=condition=Ready", "--timeout=60s"])?;
    let follow = ["logs", "--follow", "job/arena-load"];
    let crowd = Crowd::follow(&mut kube.command(&follow), screen.crowd())?;

    let mut rollouts = Vec::new();
    let mut left = Vec::new();
    for restart in 1..=plan.restarts {
        screen.phase(&format!("restart {restart} of {}", plan.restarts));
        let old = pods.uids();
        rollouts.push(restarted(kube, &mut pods, &old, |gone| {
            screen.replaced(u64::from(restart - 1) * PODS as u64 + gone);
        })?);
        left.extend(old);
    }

    screen.phase("checking");
    kube.run(&["exec", "job/arena-load", "--", "/arena", "finish", "/run/arena/finish"])?;
    let outcome = Outcome::new(crowd.verdict()?, &rollouts);
    Ok(match side {
        Side::With => tell(outcome, &left, &pods),
        Side::Without => outcome,
    })
}

/// From the restart until all are new and ready, and the last old pod is gone.
fn restarted(kube: &Kube, pods: &mut Pods, old: &[String], gone: impl Fn(u64)) -> Result<Duration> {
    let begun = Instant::now();
    kube.run(&["rollout", "restart", "deployment/arena"])?;
    let done = pods.wait(LIMIT, |index| {
        let remaining = old.iter().filter(|uid| index.has(uid)).count();
        gone((old.len() - remaining) as u64);
        remaining == 0 && index.ready() == PODS
    });
    done.context("the rollout does not end")?;
    Ok(begun.elapsed())
}

/// The manifests; without Baton, the same but for its label and its object.
fn servers(side: Side, kube: &Kube) -> Result<Vec<Value>> {
    let mut objects = kube.read(&folder().join("manifests"))?;
    if side == Side::Without {
        objects.retain(|object| object["kind"] != "HandoffGroup");
        for labels in objects
            .iter_mut()
            .filter_map(|object| object.pointer_mut("/spec/template/metadata/labels")?.as_object_mut())
        {
            labels.remove("baton.dev/inject");
        }
    }
    Ok(objects)
}

/// The load. Servers that share nothing get what they need: each player stays with the pod that knows it, which takes
/// the pods' own addresses, and it is enough that one pod knows a player.
fn crowd(plan: &Plan, side: Side, kube: &Kube) -> Result<Vec<Value>> {
    let mut objects = kube.read(&folder().join("demo/load.yaml"))?;
    let args = objects
        .iter_mut()
        .find_map(|object| object.pointer_mut("/spec/template/spec/containers/0/args")?.as_array_mut())
        .context("the load's manifest has no arguments")?;
    args.push(json!(format!("--players={}", plan.players)));
    args.push(json!(format!("--rate={}", plan.rate)));
    if side == Side::Without {
        args.retain(|arg| !arg.as_str().is_some_and(|arg| arg.starts_with("--url=")));
        args.extend(["--url=http://arena-pods:8080", "--sticky", "--any"].map(Value::from));
    }
    Ok(objects)
}

/// Adds what the agents of the pods that left have said.
fn tell(outcome: Outcome, left: &[String], pods: &Pods) -> Outcome {
    let farewells = pods.farewells();
    let said: Vec<&Farewell> = left.iter().filter_map(|uid| farewells.get(uid)).collect();
    for farewell in said.iter().filter(|farewell| farewell.outcome != "acknowledged") {
        eprintln!("a handoff {}: {}", farewell.outcome, farewell.message);
    }
    let holds: Vec<_> = said.iter().map(|farewell| Duration::from_secs_f64(farewell.hold_millis / 1e3)).collect();
    let acknowledged = said.iter().filter(|farewell| farewell.outcome == "acknowledged").count();
    outcome.with_handoffs(&holds, Handoffs { acknowledged, expected: left.len() })
}

fn namespace(side: Side) -> &'static str {
    match side {
        Side::With => "arena-with-baton",
        Side::Without => "arena-without",
    }
}

fn folder() -> PathBuf {
    workspace::root().join("examples/arena")
}
