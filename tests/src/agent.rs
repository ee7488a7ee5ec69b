//! One `baton-agent run`, and what can be done to it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde::Deserialize;
use tempfile::TempDir;

use crate::http::Http;
use crate::ledger::View;
use crate::process::{Process, wait_at_most};
use crate::wait::{self, PATIENCE};
use crate::{place, port};

/// How long a hook may be held; no scenario gives a handoff as long.
const HELD: Duration = Duration::from_secs(60);

/// What an agent is told at its start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The pod's name, which is its slot in the members file.
    pub name: String,
    /// The members file.
    pub members: PathBuf,
    /// The port of its peer link, as the members file says.
    pub peer: u16,
    /// The pod's termination grace period, in seconds.
    pub grace: u32,
    /// More flags.
    pub flags: Vec<String>,
    /// Another agent than the one of this build.
    pub program: Option<PathBuf>,
}

/// A running agent.
pub struct Agent {
    program: PathBuf,
    name: String,
    process: Process,
    http: Http,
    ports: Ports,
    run_dir: TempDir,
    termination_log: PathBuf,
}

/// Where it listens on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The app's API.
    pub http: u16,
    /// The same as a Redis.
    pub redis: u16,
    /// The links of peers.
    pub peer: u16,
    /// Probes and metrics.
    pub admin: u16,
}

/// How the preStop hook ended.
#[derive(Debug)]
pub struct Hook {
    /// Its exit code; none if it was killed by a signal.
    pub code: Option<i32>,
    /// How long it was held.
    pub took: Duration,
    /// What it printed for people.
    pub stderr: String,
}

/// The termination message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Farewell {
    /// `acknowledged`, `failed` or `nothing`.
    pub outcome: String,
    /// Keys held.
    pub keys: u64,
    /// Keys that no survivor has acknowledged.
    pub keys_unacknowledged: u64,
    /// Whether a person ended it.
    #[serde(default)]
    pub released: bool,
    /// The pods that cover everything.
    pub survivors: Vec<String>,
    /// A sentence.
    pub message: String,
}

/// What `GET /v1/status` says, as far as scenarios look at it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The id of the process.
    pub replica: String,
    /// `Joining`, `Active`, `Draining`, `Tail` or `Sealed`.
    pub phase: String,
    /// Whether it has what its peers had a moment ago.
    pub in_sync: bool,
    /// The number of its member list.
    pub membership: u64,
    /// The others.
    pub members: Vec<MemberStatus>,
    /// Live keys.
    pub keys: u64,
}

/// Another member.
#[derive(Debug, Deserialize)]
pub struct MemberStatus {
    /// Its pod.
    pub pod: String,
    /// Whether there is a link to it.
    pub link: bool,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Row>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    value: Option<String>,
}

// === impl Agent ===

impl Agent {
    /// Starts the process and does not wait for anything.
    pub fn spawn(options: &Options, folder: &Path) -> Result<Self> {
        let ports = Ports { http: port::free()?, redis: port::free()?, peer: options.peer, admin: port::free()? };
        // The path of a socket has a hundred bytes at most.
        let run_dir = tempfile::Builder::new().prefix("baton-").tempdir()?;
        let termination_log = folder.join(format!("{}.end", options.name));
        let address = |port: u16| format!("127.0.0.1:{port}");
        let program = options.program.clone().map_or_else(|| place::program("baton-agent"), Ok)?;
        let mut command = Command::new(&program);
        command
            .arg("run")
            .args(["--namespace", "local", "--group", "web", "--pod-name", &options.name])
            .args(["--grace", &options.grace.to_string()])
            .args(["--http", &address(ports.http), "--peer", &address(ports.peer), "--admin", &address(ports.admin)])
            .args(["--log", "info,baton_agent=debug", "--log-format", "text"])
            .arg("--members")
            .arg(&options.members)
            .arg("--run-dir")
            .arg(run_dir.path())
            .arg("--termination-log")
            .arg(&termination_log)
            .args(&options.flags);
        // A release before may not know it.
        if options.program.is_none() {
            command.args(["--redis", &address(ports.redis)]);
        }
        let process = Process::start(&options.name, &mut command, folder)?;
        let name = options.name.clone();
        Ok(Self { name, program, process, http: Http::new(PATIENCE), ports, run_dir, termination_log })
    }

    /// Starts it and waits until it is ready.
    pub fn start(options: &Options, folder: &Path) -> Result<Self> {
        let mut agent = Self::spawn(options, folder)?;
        agent.wait_ready()?;
        Ok(agent)
    }

    /// Waits as the kubelet does: first for `/startupz`, then for `/readyz`.
    pub fn wait_ready(&mut self) -> Result<()> {
        for path in ["startupz", "readyz"] {
            let url = format!("http://127.0.0.1:{}/{path}", self.ports.admin);
            let asked = wait::until(PATIENCE, &format!("{} answers /{path} with 200", self.name), || {
                let reply = self.http.get(&url)?;
                ensure!(reply.status == 200, "{reply}");
                Ok(())
            });
            self.process.ensure_running()?;
            asked.with_context(|| format!("the end of its log:\n{}", self.process.log_tail()))?;
        }
        Ok(())
    }

    /// Its pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// All of its log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it would have scraped.
    pub fn metrics(&self) -> Result<String> {
        let reply = self.http.get(&format!("http://127.0.0.1:{}/metrics", self.ports.admin))?;
        ensure!(reply.status == 200, "{reply}");
        Ok(String::from_utf8(reply.body)?)
    }

    /// Its directory with the control socket.
    pub fn run_dir(&self) -> &Path {
        self.run_dir.path()
    }

    /// The base URL of the app's API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// The URL of an entry in the map that writers use.
    pub fn entry(&self, key: &str) -> String {
        format!("{}/v1/maps/{}/entries/{key}", self.url(), crate::app::MAP)
    }

    /// What it says of itself.
    pub fn status(&self) -> Result<Status> {
        self.http.get_json(&format!("{}/v1/status", self.url()))
    }

    /// Everything that writers have left with it, page by page.
    pub fn view(&self) -> Result<View> {
        let mut view = View::new();
        let mut cursor = String::new();
        loop {
            let map = crate::app::MAP;
            let url = format!("{}/v1/maps/{map}/entries?values=true&limit=500{cursor}", self.url());
            let page: Page = self.http.get_json(&url)?;
            for row in page.entries {
                let value = STANDARD.decode(row.value.unwrap_or_default())?;
                let number = std::str::from_utf8(&value)?.parse();
                view.insert(row.key, number.context("a value that no writer wrote")?);
            }
            match page.cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(view),
            }
        }
    }

    /// The preStop hook: runs `baton-agent drain` to its end.
    pub fn drain(&self) -> Result<Hook> {
        call(&self.program, "drain", self.run_dir.path())
    }

    /// Ends what is held, as a person does: `baton-agent release`.
    pub fn release(&self) -> Result<Hook> {
        call(&self.program, "release", self.run_dir.path())
    }

    /// SIGTERM, then the exit status and the termination message.
    pub fn stop(&mut self, limit: Duration) -> Result<(ExitStatus, Farewell)> {
        self.process.ensure_running()?;
        self.process.signal(Signal::TERM)?;
        let status = self.process.wait(limit)?;
        let text = std::fs::read(&self.termination_log)
            .with_context(|| format!("{} left no termination message:\n{}", self.name, self.process.log_tail()))?;
        let farewell = serde_json::from_slice(&text)
            .with_context(|| format!("the termination message: {}", String::from_utf8_lossy(&text)))?;
        Ok((status, farewell))
    }
}

/// Runs `baton-agent drain` on a directory to its end, a minute at most.
pub fn drain(run_dir: &Path) -> Result<Hook> {
    command("drain", run_dir)
}

/// Runs a command that calls the agent of a directory to its end, a minute at most.
pub fn command(word: &str, run_dir: &Path) -> Result<Hook> {
    call(&place::program("baton-agent")?, word, run_dir)
}

fn call(program: &Path, word: &str, run_dir: &Path) -> Result<Hook> {
    let mut command = Command::new(program);
    command.arg(word).arg("--run-dir").arg(run_dir);
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if wait_at_most(&mut child, HELD)?.is_none() {
        child.kill()?;
        bail!("`baton-agent {word}` is held for more than a minute");
    }
    let took = begun.elapsed();
    let done = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Hook { code: done.status.code(), took, stderr: text(&done.stderr) })
}
