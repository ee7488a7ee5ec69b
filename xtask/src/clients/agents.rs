//! Agents of one group, for clients to talk to, and for examples to be replaced with.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::local::{Members, Process, free_port, wait_for_probe};

/// How long an agent may take to get ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Some agents, the oldest first; they end when this is dropped.
pub(super) struct Agents {
    program: PathBuf,
    folder: PathBuf,
    members: Members,
    pods: VecDeque<Pod>,
    started: usize,
}

struct Pod {
    name: String,
    process: Process,
    http: u16,
    redis: u16,
}

// === impl Agents ===

impl Agents {
    /// Starts two, with their logs in a folder.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let members = Members::new(folder, "client-1");
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut agents = Self { program, folder, members, pods: VecDeque::new(), started: 0 };
        agents.add()?;
        agents.add()?;
        Ok(agents)
    }

    /// Starts one more, and says where it is, as the injector says it to apps.
    pub(super) fn add(&mut self) -> Result<Vec<(String, String)>> {
        self.started += 1;
        let name = format!("client-{}", self.started);
        let (http, redis, peer, admin) = (free_port()?, free_port()?, free_port()?, free_port()?);
        self.members.add(&name, peer)?;
        let address = |port: u16| format!("127.0.0.1:{port}");
        let run_dir = self.folder.join(&name);
        std::fs::create_dir_all(&run_dir)?;
        let mut command = Command::new(&self.program);
        command
            .args(["run", "--namespace", "local", "--group", "clients", "--pod-name", &name])
            .args(["--http", &address(http), "--redis", &address(redis)])
            .args(["--peer", &address(peer), "--admin", &address(admin)])
            .arg("--members")
            .arg(self.members.file())
            .arg("--run-dir")
            .arg(run_dir)
            .arg("--termination-log")
            .arg(self.folder.join(format!("{name}.end")));
        let mut process = Process::start(name.clone(), &mut command, &self.folder)?;
        wait_for_probe(&mut process, admin, "/readyz", PATIENCE)?;
        self.pods.push_back(Pod { name, process, http, redis });
        Ok(self.pods.back().map(|pod| pod.environment("")).unwrap_or_default())
    }

    /// Where the two oldest are; the second one with `_PEER` behind the names.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        self.pods.iter().zip(["", "_PEER"]).flat_map(|(pod, suffix)| pod.environment(suffix)).collect()
    }

    /// Tells the oldest that it is to end, and waits until its hook lets go.
    pub(super) fn hold_oldest(&mut self) -> Result<()> {
        let name = self.pods.front().map(|pod| pod.name.clone()).context("there is no agent")?;
        self.members.mark_leaving(&name)?;
        let mut hook = Command::new(&self.program);
        command::output(hook.args(["drain", "--run-dir"]).arg(self.folder.join(&name)))?;
        Ok(())
    }

    /// Ends the oldest, whose app has ended.
    pub(super) fn end_oldest(&mut self) -> Result<()> {
        let mut pod = self.pods.pop_front().context("there is no agent")?;
        pod.process.terminate()?;
        let ended = pod.process.wait(PATIENCE)?;
        ensure!(ended.success(), "{} handed nothing over ({ended})", pod.name);
        self.members.remove(&pod.name)
    }
}

// === impl Pod ===

impl Pod {
    fn environment(&self, suffix: &str) -> Vec<(String, String)> {
        vec![
            (format!("BATON_URL{suffix}"), format!("http://127.0.0.1:{}", self.http)),
            (format!("BATON_REDIS{suffix}"), format!("redis://127.0.0.1:{}", self.redis)),
        ]
    }
}
