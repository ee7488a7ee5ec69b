//! What can be said without running anything: formatting, clippy, documentation.

use std::process::Command;

use anyhow::{Context, Result};

use super::build::cargo;
use super::tally::Tally;
use crate::{command, step};

/// What rustup calls them, and how cargo does.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "fmt"), ("clippy", "clippy")];

/// Wrong protocols are compiled by nothing else here.
const MUTANTS: [&str; 10] = [
    "clippy",
    "-p",
    "baton-replica",
    "-p",
    "baton-simulation",
    "--all-targets",
    "--features=mutants",
    "--",
    "-D",
    "warnings",
];

/// Counts each as one.
pub(super) fn run(tally: &mut Tally) {
    tally.count("rustfmt and clippy", ensure_components());
    let format = || command::output(cargo().args(["fmt", "--all", "--check"])).map(drop);
    tally.count("Formatting", step::run("Formatting", |_| format()));
    let mut checked = |name: &str, cargo: &mut Command| {
        let outcome = step::run(name, |step| command::follow(cargo, |line| step.advance(line.trim())));
        tally.count(name, outcome);
    };
    checked("Clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    checked("Clippy with mutants", cargo().args(MUTANTS));
    let mut doc = cargo();
    checked("Documentation", doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"));
}

/// A toolchain with rustup's minimal profile has neither.
fn ensure_components() -> Result<()> {
    for (component, subcommand) in COMPONENTS {
        if command::output(cargo().args([subcommand, "--version"])).is_err() {
            let add = ["rustup", "component", "add", component];
            step::run(&format!("Install {component}"), |_| command::run(&add))
                .with_context(|| format!("{component} is missing"))?;
        }
    }
    Ok(())
}
