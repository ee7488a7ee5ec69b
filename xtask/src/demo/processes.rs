//! The demo on loopback: three agents and three arenas as processes, no Kubernetes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::crowd::Crowd;
use super::page::Service;
use super::report::{Handoffs, Mode, Outcome};
use super::{Plan, Report, Screen, Side};
use crate::local::{Fleet, Handoff, Programs};
use crate::{command, step, workspace};

/// As many as the Deployment of the manifests has.
const PODS: usize = 3;

/// Runs both sides, one after the other.
pub(crate) fn run(plan: &Plan, profile: &str) -> Result<Report> {
    let programs = build(profile)?;
    let folder = tempfile::Builder::new().prefix("baton-demo-").tempdir()?;
    let [with, without] = Side::ALL.map(|side| play(plan, side, &programs, folder.path()));
    if plan.keep || with.is_err() || without.is_err() {
        eprintln!("logs are in {}", folder.keep().display());
    }
    Ok(Report {
        mode: Mode::Local,
        kubernetes: None,
        restarts: plan.restarts,
        players: plan.players,
        with: with?,
        without: without?,
    })
}

fn play(plan: &Plan, side: Side, programs: &Programs, folder: &Path) -> Result<Outcome> {
    let folder = folder.join(match side {
        Side::With => "with",
        Side::Without => "without",
    });
    let screen = Screen::new(side, plan.restarts, PODS);
    screen.phase("starting");
    let mut fleet = Fleet::start(&folder, programs, PODS, side == Side::With)?;
    let mut page = match side {
        Side::With => Some(Service::start(&programs.arena, &fleet.targets_file(), &folder)?),
        // Each server shows its own players only.
        Side::Without => None,
    };
    if let Some(page) = &page {
        screen.page(page.url());
    }
    let finish = folder.join("finish");
    let mut load = load(plan, side, programs, &fleet, &finish);
    load.stderr(File::create(folder.join("load.log"))?);
    let crowd = Crowd::follow(&mut load, screen.crowd())?;

    let mut rollouts = Vec::new();
    let mut handoffs = Vec::new();
    for restart in 1..=plan.restarts {
        screen.phase(&format!("restart {restart} of {}", plan.restarts));
        let begun = Instant::now();
        handoffs.extend(fleet.restart(|_| screen.one_more())?);
        rollouts.push(begun.elapsed());
    }

    screen.phase("checking");
    std::fs::write(&finish, "")?;
    let outcome = Outcome::new(crowd.verdict()?, &rollouts);
    if plan.keep {
        fleet.keep();
        page.iter_mut().for_each(Service::keep);
        eprintln!("{} runs on at {}", side.title(), fleet.urls().join(" "));
    }
    Ok(match side {
        Side::With => tell(outcome, &handoffs),
        Side::Without => outcome,
    })
}

fn load(plan: &Plan, side: Side, programs: &Programs, fleet: &Fleet, finish: &Path) -> Command {
    let mut load = Command::new(&programs.arena);
    load.arg("load")
        .arg("--targets-file")
        .arg(fleet.targets_file())
        .args(["--players", &plan.players.to_string()])
        .args(["--rate", &plan.rate.to_string()])
        .arg("--until-file")
        .arg(finish)
        .arg("--check-targets")
        .args(["--servers", &PODS.to_string()]);
    if side == Side::Without {
        load.args(["--sticky", "--any"]);
    }
    load
}

fn tell(outcome: Outcome, handoffs: &[Handoff]) -> Outcome {
    for handoff in handoffs.iter().filter(|handoff| !handoff.acknowledged) {
        eprintln!("a handoff was not acknowledged: {}", handoff.message);
    }
    let holds: Vec<_> = handoffs.iter().map(|handoff| handoff.hold).collect();
    let acknowledged = handoffs.iter().filter(|handoff| handoff.acknowledged).count();
    outcome.with_handoffs(&holds, Handoffs { acknowledged, expected: handoffs.len() })
}

fn build(profile: &str) -> Result<Programs> {
    step::run(&format!("Build baton-agent and arena ({profile})"), |step| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.current_dir(workspace::root()).args(["build", "--profile", profile]).args([
            "--package",
            "baton-agent",
            "--package",
            "arena",
        ]);
        command::follow(&mut build, |line| step.advance(line.trim()))
    })?;
    let folder = workspace::target().join(if profile == "dev" { "debug" } else { profile });
    let program = |name: &str| -> PathBuf { folder.join(name) };
    Ok(Programs { agent: program("baton-agent"), arena: program("arena") })
}
