//! A pod's worth of processes: an arena, and an agent beside it unless Baton is left out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::fleet::Programs;
use super::process::Process;
use super::{port, probe};

/// How long processes may take to get ready. A joining agent has little to fetch here.
const READY: Duration = Duration::from_secs(30);
/// How long a pod's processes may take to end: its grace period.
const GRACE: Duration = Duration::from_secs(30);
/// How long an arena goes on after SIGTERM. Longer than the crowd takes to hear that it is no target any more.
const STOP_DELAY: &str = "1.5";

/// The processes of one pod.
pub(crate) struct Pod {
    name: String,
    arena: Process,
    arena_port: u16,
    agent: Option<Agent>,
}

struct Agent {
    process: Process,
    program: PathBuf,
    run_dir: PathBuf,
    termination_log: PathBuf,
}

/// A pod to be: its name, and where its agent will be.
pub(crate) struct Plan {
    pub(crate) name: String,
    /// The members file and the agent's peer port, if it is to have an agent.
    pub(crate) agent: Option<(PathBuf, u16)>,
}

/// How a handoff went.
#[derive(Debug, Clone)]
pub(crate) struct Handoff {
    /// How long `baton-agent drain`, the preStop hook, took.
    pub(crate) hold: Duration,
    /// Whether the hook and the agent both say that all was covered.
    pub(crate) acknowledged: bool,
    /// The agent's last words.
    pub(crate) message: String,
}

/// The agent's termination message, as far as it is needed here.
#[derive(Deserialize)]
struct Farewell {
    outcome: String,
    #[serde(default)]
    message: String,
}

// === impl Pod ===

impl Pod {
    /// Starts the agent, then the arena, as the kubelet does: the app waits until the sidecar has started.
    pub(crate) fn start(plan: &Plan, programs: &Programs, folder: &Path) -> Result<Self> {
        let mut environment = vec![("ARENA_STOP_DELAY", STOP_DELAY.to_owned())];
        let agent = match &plan.agent {
            None => None,
            Some((members, peer)) => {
                let (agent, http, admin) = Agent::start(&plan.name, members, *peer, programs, folder)?;
                environment.push(("BATON_URL", format!("http://127.0.0.1:{http}")));
                Some((agent, admin))
            }
        };
        let arena_port = port::free()?;
        let mut command = Command::new(&programs.arena);
        command.env_remove("BATON_URL").env("ARENA_LISTEN", format!("127.0.0.1:{arena_port}")).envs(environment);
        let mut arena = Process::start(format!("{}-arena", plan.name), &mut command, folder)?;
        probe::wait(&mut arena, arena_port, "/healthz", READY)?;
        let agent = match agent {
            None => None,
            Some((mut agent, admin)) => {
                probe::wait(&mut agent.process, admin, "/readyz", READY)?;
                Some(agent)
            }
        };
        Ok(Self { name: plan.name.clone(), arena, arena_port, agent })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.arena_port)
    }

    /// Ends it as the kubelet does: the agent's hook and the arena's SIGTERM at the same time; the agent's SIGTERM
    /// when the hook has returned and the arena is gone.
    pub(crate) fn stop(mut self) -> Result<Option<Handoff>> {
        let hook = self.agent.as_ref().map(Agent::drain);
        self.arena.terminate()?;
        let held = hook.map(|hook| hook.join()).transpose();
        let held = held.map_err(|_| anyhow::anyhow!("the hook's thread has panicked"))?;
        let status = self.arena.wait(GRACE)?;
        if !status.success() {
            bail!("{} ended badly ({status}):\n{}", self.arena.name(), self.arena.log_tail());
        }
        match (self.agent, held) {
            (Some(agent), Some(held)) => agent.stop(held?).map(Some),
            _ => Ok(None),
        }
    }

    /// Lets the processes go on when this value is dropped.
    pub(crate) fn keep(&mut self) {
        self.arena.keep();
        if let Some(agent) = &mut self.agent {
            agent.process.keep();
        }
    }
}

/// What the preStop hook did.
struct Held {
    hold: Duration,
    covered: bool,
}

// === impl Agent ===

impl Agent {
    /// Starts it and waits until it has the group's state; returns its HTTP and admin ports too.
    fn start(name: &str, members: &Path, peer: u16, programs: &Programs, folder: &Path) -> Result<(Self, u16, u16)> {
        let (http, admin) = (port::free()?, port::free()?);
        let run_dir = folder.join(name);
        std::fs::create_dir_all(&run_dir)?;
        let termination_log = folder.join(format!("{name}.end"));
        let mut command = Command::new(&programs.agent);
        command
            .arg("run")
            .arg("--members")
            .arg(members)
            .args(["--namespace", "local", "--group", "arena"])
            .args(["--pod-name", name, "--pod-uid", name])
            .args(["--pod-ip", "127.0.0.1"])
            .args(["--http", &format!("127.0.0.1:{http}")])
            .args(["--peer", &format!("127.0.0.1:{peer}")])
            .args(["--admin", &format!("127.0.0.1:{admin}")])
            .arg("--run-dir")
            .arg(&run_dir)
            .arg("--termination-log")
            .arg(&termination_log);
        let mut process = Process::start(format!("{name}-agent"), &mut command, folder)?;
        probe::wait(&mut process, admin, "/startupz", READY)?;
        let agent = Self { process, program: programs.agent.clone(), run_dir, termination_log };
        Ok((agent, http, admin))
    }

    /// Runs the preStop hook on a thread of its own.
    fn drain(&self) -> std::thread::JoinHandle<Result<Held>> {
        let mut command = Command::new(&self.program);
        command.arg("drain").arg("--run-dir").arg(&self.run_dir);
        std::thread::spawn(move || {
            let begun = Instant::now();
            let done = command.output().context("cannot run the hook")?;
            Ok(Held { hold: begun.elapsed(), covered: done.status.success() })
        })
    }

    /// The agent's own end, once the app is gone.
    fn stop(mut self, held: Held) -> Result<Handoff> {
        self.process.ensure_running()?;
        self.process.terminate()?;
        let status = self.process.wait(GRACE)?;
        let text = std::fs::read(&self.termination_log).with_context(|| {
            format!("{} left no termination message:\n{}", self.process.name(), self.process.log_tail())
        })?;
        let farewell: Farewell = serde_json::from_slice(&text).context("the termination message is no JSON")?;
        Ok(Handoff {
            hold: held.hold,
            acknowledged: held.covered && status.success() && farewell.outcome == "acknowledged",
            message: format!("{status}, {}: {}", farewell.outcome, farewell.message),
        })
    }
}
