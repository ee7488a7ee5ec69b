//! The end-to-end suite: a cluster, Baton on it, the scenarios, and nothing left behind.

use std::path::{Path, absolute};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::build::Executables;
use super::suite;
use super::tally::Tally;
use crate::cluster::{Access, Helm, Target, helm};
use crate::demo::kube;
use crate::{command, images, step, workspace};

/// A node can be drained, and a pod still has another to hand off to.
const NODES: u8 = 3;

/// What the command line says.
pub(super) struct Plan<'a> {
    pub(super) target: &'a Target,
    pub(super) profile: &'a str,
    pub(super) keep: bool,
    pub(super) filter: Option<&'a str>,
    /// Where a row for each scenario goes.
    pub(super) report: Option<&'a Path>,
}

/// Brings everything up, runs the suite, and removes what was not there before.
pub(super) fn run(plan: &Plan<'_>, executables: &Executables, tally: &mut Tally) {
    if let Err(error) = chosen(plan, executables) {
        return tally.failed("End-to-end suite", &format!("{error:#}"));
    }
    let there = plan.target.access().is_ok();
    match prepare(plan, tally) {
        Ok(access) => match executables.suite("e2e") {
            Ok(executable) => {
                let mut suite = suite::command(executable, plan.filter);
                suite.env("BATON_KUBECTL", &access.kubectl).env("BATON_KUBECONFIG", &access.kubeconfig);
                if let Some(Ok(report)) = plan.report.map(absolute) {
                    suite.env("BATON_E2E_REPORT", report);
                }
                suite::run("End-to-end suite", &mut suite, tally, suite::tell);
            }
            Err(error) => tally.failed("End-to-end suite", &format!("{error:#}")),
        },
        Err(error) => tally.failed("End-to-end suite: its cluster", &format!("{error:#}")),
    }
    if !plan.keep && !there {
        tally.count("Remove the cluster", plan.target.down());
    }
}

/// Nothing is brought up for a name that no scenario has.
fn chosen(plan: &Plan<'_>, executables: &Executables) -> Result<()> {
    let list = |filter| command::output(suite::command(executables.suite("e2e")?, filter).arg("--list"));
    if plan.filter.is_some() && list(plan.filter)?.trim().is_empty() {
        bail!("no scenario has `{}` in its name; there are:\n{}", plan.filter.unwrap_or_default(), list(None)?);
    }
    Ok(())
}

fn prepare(plan: &Plan<'_>, tally: &mut Tally) -> Result<Access> {
    let access = plan.target.up(NODES)?;
    let images = images::build(plan.profile)?;
    step::run("Load images", |_| plan.target.load(&images))?;
    let title = "Install and uninstall Baton with Helm 3";
    if !installed(&access) {
        tally.count(title, step::run(title, |_| with_helm_3(&access)));
    }
    step::run("Install Baton with Helm 4", |_| kube::install(&access))?;
    tally.passed();
    let title = "Check the installation from inside the cluster";
    tally.count(title, step::run(title, |_| kube::check(&access)));
    Ok(access)
}

fn installed(access: &Access) -> bool {
    let mut status = Command::new(&access.helm);
    status.env("KUBECONFIG", &access.kubeconfig).args(["status", "baton", "--namespace", "baton-system"]);
    command::output(&mut status).is_ok()
}

fn with_helm_3(access: &Access) -> Result<()> {
    let program = helm(Helm::V3)?;
    let run = |words: &[&str]| {
        let mut helm = Command::new(&program);
        helm.env("KUBECONFIG", &access.kubeconfig).args(["--namespace", "baton-system"]).args(words);
        command::output(&mut helm)
    };
    let chart = workspace::root().join("charts/baton");
    let chart = chart.to_str().context("the path of the workspace is no text")?;
    run(&["upgrade", "--install", "baton", chart, "--create-namespace", "--wait", "--timeout=3m"])
        .map_err(|error| error.context(kube::pods(access)))?;
    run(&["uninstall", "baton", "--wait"]).map(drop)
}
