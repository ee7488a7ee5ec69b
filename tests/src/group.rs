//! A group on loopback: agents, the members file that they share, and an app beside each of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::agent::{Agent, Farewell, Hook, Options};
use crate::app::App;
use crate::ledger::Ledger;
use crate::link::{Link, Weather};
use crate::members::Members;
use crate::port;
use crate::wait::{self, PATIENCE};

/// The termination grace period unless a scenario wants another: it leaves the longest hold.
const GRACE: u32 = 90;

/// Pods on loopback.
pub struct Group {
    /// What was acknowledged.
    pub ledger: Arc<Ledger>,
    /// Who belongs to the group.
    pub members: Members,
    /// The pods, the oldest first.
    pub pods: Vec<Pod>,
    /// The links to the pods, in the order of their start, if there is weather.
    pub links: Vec<Link>,
    folder: PathBuf,
    weather: Option<Weather>,
    flags: Vec<String>,
    program: Option<PathBuf>,
    grace: u32,
    started: usize,
}

/// An agent and its app.
pub struct Pod {
    /// The agent.
    pub agent: Agent,
    /// The app, if one runs.
    pub app: Option<App>,
}

/// How a pod ended.
#[derive(Debug)]
pub struct Departure {
    /// The hook.
    pub hook: Hook,
    /// The agent's exit code.
    pub code: Option<i32>,
    /// Its termination message.
    pub farewell: Farewell,
}

// === impl Group ===

impl Group {
    /// A group without pods, whose first pod may start with nothing.
    pub fn new(folder: &Path) -> Self {
        Self {
            ledger: Arc::default(),
            members: Members::new(folder, "web-1"),
            pods: Vec::new(),
            links: Vec::new(),
            folder: folder.to_owned(),
            weather: None,
            flags: Vec::new(),
            program: None,
            grace: GRACE,
            started: 0,
        }
    }

    /// Every agent gets these flags too.
    pub fn with_flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    /// Every agent gets this grace period, in seconds.
    pub fn with_grace(mut self, grace: u32) -> Self {
        self.grace = grace;
        self
    }

    /// Pods that are added from now on run this agent, or the one of this build.
    pub fn run_agents_of(&mut self, program: Option<&Path>) {
        self.program = program.map(Path::to_owned);
    }

    /// Links of pods that are added from now on go through such a network.
    pub fn with_weather(mut self, weather: Weather) -> Self {
        self.weather = Some(weather);
        self
    }

    /// Adds pods and waits until each is ready, one after the other.
    pub fn with_pods(mut self, count: usize) -> Result<Self> {
        for _ in 0..count {
            self.add()?;
        }
        Ok(self)
    }

    /// Starts one more pod, and waits until it is ready.
    pub fn add(&mut self) -> Result<&mut Pod> {
        let options = self.announce()?;
        let agent = Agent::start(&options, &self.folder)?;
        self.pods.push(Pod { agent, app: None });
        self.pods.last_mut().context("a pod was added")
    }

    /// Lists one more pod, and returns what its agent must be told.
    pub fn announce(&mut self) -> Result<Options> {
        self.started += 1;
        let name = format!("web-{}", self.started);
        let peer = port::free()?;
        let mut listed = peer;
        if let Some(weather) = self.weather {
            let link = Link::start(peer, weather)?;
            listed = link.port();
            self.links.push(link);
        }
        self.members.add(&name, listed)?;
        let (members, flags) = (self.members.file().to_owned(), self.flags.clone());
        let program = self.program.clone();
        Ok(Options { name, members, peer, grace: self.grace, flags, program })
    }

    /// Starts an app on every pod that has none, for the seat of the pod's place.
    pub fn start_apps(&mut self, query: &'static str) {
        for (seat, pod) in self.pods.iter_mut().enumerate() {
            if pod.app.is_none() {
                pod.app = Some(App::start(&pod.agent.url(), query, seat, &self.ledger));
            }
        }
    }

    /// Lets apps write for a while.
    pub fn play(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// Replaces the oldest pod, the new one first, and its app moves. Fails unless the handoff was acknowledged.
    pub fn replace_oldest(&mut self, query: &'static str) -> Result<()> {
        self.add()?;
        let old = self.pods.remove(0);
        let seat = old.app.as_ref().map(App::seat);
        self.leave(old)?.ensure_acknowledged()?;
        let (new, ledger) = (self.pods.last_mut().context("no pod is left")?, &self.ledger);
        new.app = seat.map(|seat| App::start(&new.agent.url(), query, seat, ledger));
        Ok(())
    }

    /// Ends a pod as the kubelet does: the hook and the app's end at the same time, then the agent's SIGTERM.
    pub fn leave(&mut self, mut pod: Pod) -> Result<Departure> {
        let name = pod.agent.name().to_owned();
        self.members.mark_leaving(&[&name])?;
        let departure = pod.end(Duration::from_secs(u64::from(self.grace) + 5))?;
        self.members.remove(&name)?;
        Ok(departure)
    }

    /// Stops all apps, then compares what every replica holds with what was acknowledged.
    pub fn check(&mut self) -> Result<()> {
        for pod in &mut self.pods {
            if let Some(app) = pod.app.take() {
                app.stop()?;
            }
        }
        ensure!(self.ledger.acknowledged() > 0, "nothing was acknowledged: this would prove nothing");
        wait::until(PATIENCE, "every replica holds what was acknowledged, and all hold the same", || {
            let views: Result<Vec<_>> =
                self.pods.iter().map(|pod| Ok((pod.agent.name().to_owned(), pod.agent.view()?))).collect();
            let views = views?;
            let verdict = self.ledger.check(&views);
            ensure!(verdict.is_clean(), "{verdict}");
            let differs = views.iter().find(|(_, view)| *view != views[0].1);
            ensure!(differs.is_none(), "{} and {} differ", views[0].0, differs.map_or("?", |(name, _)| name));
            Ok(())
        })?;
        for pod in &mut self.pods {
            pod.agent.process().ensure_running()?;
            let log = pod.agent.process().log();
            ensure!(!log.contains("panicked at"), "{} has panicked", pod.agent.name());
        }
        Ok(())
    }
}

// === impl Pod ===

impl Pod {
    /// The hook and the app's end at the same time, then the agent's SIGTERM.
    pub fn end(&mut self, limit: Duration) -> Result<Departure> {
        let app = self.app.take();
        let hook = std::thread::scope(|scope| {
            let agent = &self.agent;
            let hook = scope.spawn(move || agent.drain());
            let stopped = app.map_or(Ok(()), App::stop);
            let hook = hook.join().map_err(|_| anyhow::anyhow!("the hook's thread has panicked"))?;
            stopped.and(hook)
        })?;
        let (status, farewell) = self.agent.stop(limit)?;
        Ok(Departure { hook, code: status.code(), farewell })
    }
}

// === impl Departure ===

impl Departure {
    /// The hook, the exit code and the message all say that everything is covered.
    pub fn ensure_acknowledged(&self) -> Result<()> {
        let good = self.hook.code == Some(0) && self.code == Some(0) && self.farewell.outcome == "acknowledged";
        ensure!(good && self.farewell.keys_unacknowledged == 0, "the handoff was not acknowledged: {self:?}");
        Ok(())
    }

    /// All three say that it has failed, and the message says how much is lost.
    pub fn ensure_failed(&self) -> Result<()> {
        let said = self.hook.code == Some(1) && self.code == Some(1) && self.farewell.outcome == "failed";
        ensure!(said && self.farewell.keys_unacknowledged > 0, "the handoff was not reported as failed: {self:?}");
        Ok(())
    }
}
