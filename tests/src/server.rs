//! Game servers on loopback, each beside an agent, and what a Service is to them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::agent::Agent;
use crate::arena::{STOP_DELAY, TARGETS};
use crate::group::{Departure, Group};
use crate::http::Http;
use crate::members::replace;
use crate::process::Process;
use crate::wait::{self, PATIENCE};
use crate::{place, port};

/// One server.
pub struct Server {
    process: Process,
    port: u16,
}

/// A group whose pods are game servers: the first server is beside the first agent, and so on.
pub struct Fleet {
    /// The agents.
    pub group: Group,
    /// The servers.
    pub servers: Vec<Server>,
    folder: PathBuf,
}

/// One address for all servers.
pub struct Service {
    _process: Process,
    port: u16,
}

// === impl Server ===

impl Server {
    /// Starts a server beside an agent, and waits until it answers.
    pub fn start(agent: &Agent, folder: &Path) -> Result<Self> {
        let port = port::free()?;
        let mut command = Command::new(place::program("arena")?);
        command
            .env("BATON_URL", agent.url())
            .env("ARENA_LISTEN", format!("127.0.0.1:{port}"))
            .env("ARENA_STOP_DELAY", STOP_DELAY)
            .env("ARENA_LOG", "debug");
        let process = Process::start(&format!("{}-arena", agent.name()), &mut command, folder)?;
        let mut server = Self { process, port };
        wait_healthy(&server.url())?;
        server.process.ensure_running()?;
        Ok(server)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGTERM, and its end.
    pub fn stop(mut self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        let status = self.process.wait(PATIENCE)?;
        ensure!(status.success(), "the server ended with {status}:\n{}", self.process.log_tail());
        Ok(())
    }
}

// === impl Fleet ===

impl Fleet {
    /// Starts so many pods, one after the other.
    pub fn start(folder: &Path, pods: usize) -> Result<Self> {
        let mut fleet = Self { group: Group::new(folder), servers: Vec::new(), folder: folder.to_owned() };
        for _ in 0..pods {
            fleet.add()?;
        }
        Ok(fleet)
    }

    /// Starts one more pod.
    pub fn add(&mut self) -> Result<()> {
        let pod = self.group.add()?;
        self.servers.push(Server::start(&pod.agent, &self.folder)?);
        self.publish()
    }

    /// Ends the server of a pod as a crash does, and starts it again beside the agent that has stayed.
    pub fn crash_server(&mut self, at: usize) -> Result<()> {
        self.servers[at].process().kill()?;
        self.servers[at] = Server::start(&self.group.pods[at].agent, &self.folder)?;
        self.publish()
    }

    /// Replaces the pod of that name as a rollout does, the new one first.
    pub fn replace(&mut self, name: &str) -> Result<()> {
        self.add()?;
        let at = self.group.pods.iter().position(|pod| pod.agent.name() == name).context("there is no such pod")?;
        let (mut pod, server) = (self.group.pods.remove(at), self.servers.remove(at));
        self.publish()?;
        self.group.members.mark_leaving(&[name])?;
        let hook = std::thread::scope(|scope| {
            let hook = scope.spawn(|| pod.agent.drain());
            let stopped = server.stop();
            let hook = hook.join().map_err(|_| anyhow::anyhow!("the hook's thread has panicked"))?;
            stopped.and(hook)
        })?;
        let (status, farewell) = pod.agent.stop(PATIENCE)?;
        self.group.members.remove(name)?;
        Departure { hook, code: status.code(), farewell }.ensure_acknowledged()
    }

    /// Where all servers are.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Server::url).collect()
    }

    /// Opens one address for all of them, those to come included.
    pub fn service(&self) -> Result<Service> {
        let port = port::free()?;
        let mut command = Command::new(place::program("arena")?);
        command.args(["service", "--listen", &format!("127.0.0.1:{port}"), "--targets-file"]);
        command.arg(self.folder.join(TARGETS));
        let process = Process::start("service", &mut command, &self.folder)?;
        let service = Service { _process: process, port };
        wait_healthy(&service.url())?;
        Ok(service)
    }

    fn publish(&self) -> Result<()> {
        replace(&self.folder.join(TARGETS), self.urls().join("\n").as_bytes())
    }
}

// === impl Service ===

impl Service {
    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn wait_healthy(url: &str) -> Result<()> {
    wait::until(PATIENCE, "the server answers", || {
        let reply = Http::new(PATIENCE).get(&format!("{url}/healthz"))?;
        ensure!(reply.status == 200, "{reply}");
        Ok(())
    })
}
