//! The chart, as both major versions of Helm see it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tally::Tally;
use crate::cluster::{Helm, helm};
use crate::{command, step, workspace};

/// What the chart must make; each is needed for Baton to work.
const KINDS: [&str; 6] = [
    "CustomResourceDefinition",
    "Deployment",
    "Service",
    "ServiceAccount",
    "ClusterRole",
    "MutatingWebhookConfiguration",
];

/// Without a cluster, Helm thinks of one that is far too old.
const OLDEST: &str = "1.29.0";

/// Counts `helm lint` and `helm template` of each version.
pub(super) fn run(tally: &mut Tally) {
    let chart = workspace::root().join("charts/baton");
    for version in [Helm::V4, Helm::V3] {
        match helm(version) {
            Ok(program) => {
                let title = format!("Lint the chart with Helm {version}");
                tally.count(&title, step::run(&title, |_| lint(&program, &chart)));
                let title = format!("Render the chart with Helm {version}");
                tally.count(&title, step::run(&title, |_| render(&program, &chart)));
            }
            Err(error) => tally.failed(&format!("Helm {version}"), &format!("{error:#}")),
        }
    }
}

fn lint(helm: &Path, chart: &Path) -> Result<()> {
    command::output(Command::new(helm).args(["lint", "--strict"]).arg(chart)).map(drop)
}

fn render(helm: &Path, chart: &Path) -> Result<()> {
    let mut template = Command::new(helm);
    template.args(["template", "baton"]).arg(chart).args(["--namespace", "baton-system", "--include-crds"]);
    template.args(["--kube-version", OLDEST]);
    let text = command::output(&mut template)?;
    let missing = KINDS.iter().find(|kind| !text.lines().any(|line| line == format!("kind: {kind}")));
    ensure!(missing.is_none(), "the chart makes no {}", missing.context("none")?);
    Ok(())
}
