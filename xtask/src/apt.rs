//! Debian packages: installed when one of their programs is missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, step};

/// A program, and the Debian package that brings it.
pub(crate) struct Need {
    /// A program on PATH, or an absolute path.
    pub(crate) program: &'static str,
    /// Its package.
    pub(crate) package: &'static str,
}

/// What the agent's Redis front is compared with, in benches and in tests.
pub(crate) const REDIS: Need = Need { program: "redis-server", package: "redis-server" };
/// Its own clients, which send the same requests to Redis and to Baton.
pub(crate) const REDIS_TOOLS: Need = Need { program: "redis-benchmark", package: "redis-tools" };

/// What connections between agents have carried is read from it.
pub(crate) const SOCKETS: Need = Need { program: "ss", package: "iproute2" };

/// In which the arena's page is looked at.
pub(crate) const BROWSER: Need = Need { program: "chromium-headless-shell", package: "chromium-headless-shell" };

/// Installs the packages whose programs are missing; says nothing if none is.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let mut packages: Vec<&str> = needs.iter().filter(|need| !present(need.program)).map(|need| need.package).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let Some(apt) = command::find("apt-get") else {
        bail!("this machine has no apt-get: install what provides {list}");
    };
    if !rustix::process::getuid().is_root() {
        bail!("missing packages: run `apt-get install {list}` as root");
    }
    step::run(&format!("Install packages: {list}"), |_| {
        let run = |args: &[&str]| {
            command::output(
                Command::new(&apt)
                    .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
                    .args(args)
                    .env("DEBIAN_FRONTEND", "noninteractive"),
            )
        };
        run(&["update"])?;
        run(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat())
            .context("cannot install the packages")
    })?;
    match needs.iter().find(|need| !present(need.program)) {
        Some(need) => bail!("package {} brought no {}", need.package, need.program),
        None => Ok(()),
    }
}

fn present(program: &str) -> bool {
    match program.starts_with('/') {
        true => Path::new(program).exists(),
        false => command::find(program).is_some(),
    }
}
