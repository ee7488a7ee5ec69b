//! Two agents of one group, for clients to talk to.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::local::{Members, Process, free_port, wait_for_probe};

/// How long an agent may take to get ready.
const READY: Duration = Duration::from_secs(60);

/// Both of them; they end when this is dropped.
pub(super) struct Agents {
    environment: Vec<(String, String)>,
    _processes: Vec<Process>,
}

// === impl Agents ===

impl Agents {
    /// Starts one after the other, with their logs in a folder.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut members = Members::new(folder, "client-1");
        let (mut environment, mut processes) = (Vec::new(), Vec::new());
        for (name, suffix) in [("client-1", ""), ("client-2", "_PEER")] {
            let (http, redis, peer, admin) = (free_port()?, free_port()?, free_port()?, free_port()?);
            members.add(name, peer)?;
            let address = |port: u16| format!("127.0.0.1:{port}");
            let mut command = Command::new(program);
            command
                .args(["run", "--namespace", "local", "--group", "clients", "--pod-name", name])
                .args(["--http", &address(http), "--redis", &address(redis)])
                .args(["--peer", &address(peer), "--admin", &address(admin)])
                .arg("--members")
                .arg(members.file())
                .arg("--run-dir")
                .arg(folder.join(name))
                .arg("--termination-log")
                .arg(folder.join(format!("{name}.end")));
            std::fs::create_dir_all(folder.join(name))?;
            let mut process = Process::start(name.to_owned(), &mut command, folder)?;
            wait_for_probe(&mut process, admin, "/readyz", READY)?;
            processes.push(process);
            environment.push((format!("BATON_URL{suffix}"), format!("http://127.0.0.1:{http}")));
            environment.push((format!("BATON_REDIS{suffix}"), format!("redis://127.0.0.1:{redis}")));
        }
        Ok(Self { environment, _processes: processes })
    }

    /// Where they are, as the injector says it to apps; the second one with `_PEER` behind the names.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
