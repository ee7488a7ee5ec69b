//! Agents as processes on loopback, with a members file, certificates for their links, and a meter in front of each if the
//! row counts bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_tests::agent::{Agent, Hook, Options};
use baton_tests::members::Members;
use baton_tests::port;
use jiff::Timestamp;
use serde::Serialize;

use crate::certificate::Signer;
use crate::meter::Meter;
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::segment::{self, Carried};

const GRACE: u32 = 30;
/// How long an agent may take to end.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often a joiner is asked how far it is.
const LOOK: Duration = Duration::from_millis(2);
/// A million keys fit; the map's own default of 256 MiB would not hold them.
const FLAGS: [&str; 4] = ["--max-bytes", "4294967296", "--max-entries", "10000000"];

/// The agents, the oldest first.
pub(crate) struct Fleet {
    pub(crate) agents: Vec<Agent>,
    members: Members,
    folder: PathBuf,
    meters: Option<Vec<Meter>>,
    /// None if the links are plain text.
    signer: Option<Signer>,
    started: usize,
}

/// What links between agents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Links {
    /// Mutual TLS, as in a cluster.
    Tls,
    /// What a members file without certificates makes of them.
    Plain,
}

/// How long a join took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// From the start of the process.
    pub(crate) all: Duration,
    /// From its first link to a peer, as its log says; all of it if it has no peer.
    pub(crate) transfer: Duration,
}

/// How an agent left.
#[derive(Debug)]
pub(crate) struct Left {
    /// The preStop hook.
    pub(crate) hook: Hook,
    /// From the hook's start to the end of the process.
    pub(crate) stop: Duration,
}

// === impl Fleet ===

impl Fleet {
    /// Starts so many agents, one after the other.
    pub(crate) fn start(stage: &Stage, name: &str, size: usize) -> Result<Self> {
        Self::empty(&stage.folder(name)?, stage.links())?.with(size)
    }

    /// The same; what is written is answered when so many others have acknowledged it.
    pub(crate) fn with_acks(folder: &Path, size: usize, acks: u32) -> Result<Self> {
        let mut fleet = Self::empty(folder, Links::Tls)?;
        fleet.members.set_acks(acks);
        fleet.with(size)
    }

    /// The same, and what their links carry is counted.
    pub(crate) fn metered(stage: &Stage, name: &str, size: usize) -> Result<Self> {
        Self { meters: Some(Vec::new()), ..Self::empty(&stage.folder(name)?, stage.links())? }.with(size)
    }

    /// One more agent; returns when it is ready.
    pub(crate) fn add(&mut self) -> Result<Joined> {
        let options = self.announce()?;
        let begun = Instant::now();
        let mut agent = Agent::spawn(&options, &self.folder)?;
        let mut pipe = None;
        loop {
            agent.process().ensure_running()?;
            ensure!(begun.elapsed() < 5 * PATIENCE, "{} does not get the state", agent.name());
            // It does not listen yet, or is too busy to answer.
            let asked = pipe.take().map_or_else(|| Pipe::connect(agent.ports().http), Ok);
            if let Ok(mut asked) = asked
                && let Ok(status) = asked.status()
            {
                if status["phase"] == "Active" {
                    break;
                }
                pipe = Some(asked);
            }
            std::thread::sleep(LOOK);
        }
        let (all, ended) = (begun.elapsed(), Timestamp::now());
        agent.wait_ready()?;
        let joined = Joined { all, transfer: first_link(&agent.process().log(), ended)?.unwrap_or(all) };
        self.agents.push(agent);
        Ok(joined)
    }

    /// Waits until the youngest agent is linked with all others: what it holds can be acknowledged then.
    pub(crate) fn wait_linked(&self) -> Result<()> {
        let youngest = self.agents.last().context("no agent")?;
        let begun = Instant::now();
        loop {
            let status = Pipe::connect(youngest.ports().http)?.status()?;
            let members = status["members"].as_array().context("a status without members")?;
            let linked = members.iter().filter(|member| member["link"] == true).count();
            if linked + 1 >= self.agents.len() {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{} is not linked with all others", youngest.name());
            std::thread::sleep(LOOK);
        }
    }

    /// An agent ends as the kubelet ends it: the hook, then SIGTERM, with something between. Fails unless all was
    /// acknowledged.
    pub(crate) fn leave(&mut self, mut agent: Agent, after_hook: impl FnOnce()) -> Result<Left> {
        self.members.mark_leaving(&[agent.name()])?;
        let begun = Instant::now();
        let hook = agent.drain()?;
        ensure!(hook.code == Some(0), "the hook failed: {}", hook.stderr);
        after_hook();
        let (status, farewell) = agent.stop(PATIENCE)?;
        let stop = begun.elapsed();
        ensure!(status.success() && farewell.outcome == "acknowledged", "the handoff failed: {}", farewell.message);
        self.members.remove(agent.name())?;
        Ok(Left { hook, stop })
    }

    /// The oldest agent ends.
    pub(crate) fn leave_oldest(&mut self) -> Result<Left> {
        let oldest = self.agents.remove(0);
        self.leave(oldest, || ())
    }

    /// The youngest agent ends.
    pub(crate) fn leave_youngest(&mut self) -> Result<Left> {
        let youngest = self.agents.pop().context("no agent")?;
        self.leave(youngest, || ())
    }

    /// The ports of the API.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.agents.iter().map(|agent| agent.ports().http).collect()
    }

    /// Processor time that all agents together have taken.
    pub(crate) fn processor_seconds(&mut self) -> Result<f64> {
        self.agents.iter_mut().map(|agent| agent.process().processor_seconds()).sum()
    }

    /// Bytes that each connection between agents has carried so far, both ways.
    pub(crate) fn bytes(&self) -> Vec<Vec<u64>> {
        self.meters.iter().flatten().map(Meter::bytes).collect()
    }

    /// What each connection between agents has carried so far, as TCP counts it on its way to the meters.
    pub(crate) fn carried(&self) -> Result<BTreeMap<u16, Carried>> {
        let mut all = BTreeMap::new();
        for meter in self.meters.iter().flatten() {
            all.extend(segment::accepted(meter.port())?);
        }
        Ok(all)
    }

    fn empty(folder: &Path, links: Links) -> Result<Self> {
        Ok(Self {
            agents: Vec::new(),
            members: Members::new(folder, "web-1"),
            folder: folder.to_owned(),
            meters: None,
            signer: (links == Links::Tls).then(Signer::new).transpose()?,
            started: 0,
        })
    }

    fn with(mut self, size: usize) -> Result<Self> {
        for _ in 0..size {
            self.add().context("an agent of the fleet")?;
        }
        Ok(self)
    }

    fn announce(&mut self) -> Result<Options> {
        self.started += 1;
        let name = format!("web-{}", self.started);
        let peer = port::free()?;
        let mut listed = peer;
        if let Some(meters) = &mut self.meters {
            let meter = Meter::start(peer)?;
            listed = meter.port();
            meters.push(meter);
        }
        self.members.add(&name, listed)?;
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        if let Some(signer) = &self.signer {
            flags.extend(signer.flags(&self.folder, &name)?);
        }
        Ok(Options { name, members: self.members.file().to_owned(), peer, grace: GRACE, flags, program: None })
    }
}

/// How long before a moment the first link came up. A question would be answered too late by an agent that is busy.
fn first_link(log: &str, moment: Timestamp) -> Result<Option<Duration>> {
    let Some(line) = log.lines().find(|line| line.contains("Peer link up")) else { return Ok(None) };
    let at: Timestamp = line.split_whitespace().next().unwrap_or_default().parse().context("a log without times")?;
    Ok(Some(moment.duration_since(at).unsigned_abs()))
}
