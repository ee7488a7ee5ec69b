//! Agents without state, by the thousand: each has a certificate, a stream of its own to the operator, and says what a
//! real one says.

mod agent;
mod sight;
mod speech;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use tokio::sync::watch;

pub(crate) use agent::{Agent, Pod, Step};
pub(crate) use sight::{Sight, Sights, Stage};

/// How often it is looked whether all have been served.
const LOOK: Duration = Duration::from_millis(20);

/// What all agents share.
pub(crate) struct Surroundings {
    /// `host:port` of the operator's directory.
    pub(crate) directory: String,
    /// The CAs that agents trust, in PEM.
    pub(crate) roots: String,
    /// When what was seen by whom.
    pub(crate) sights: Sights,
    /// How often the operator has been started: what it serves now is told from what it served before.
    pub(crate) era: AtomicU64,
}

/// All agents.
pub(crate) struct Crowd {
    surroundings: Arc<Surroundings>,
    agents: Mutex<BTreeMap<String, Member>>,
}

/// An agent from outside.
#[derive(Clone)]
pub(crate) struct Member {
    /// Its pod.
    pub(crate) pod: Pod,
    /// Its id.
    pub(crate) replica: u64,
    /// How far it is.
    pub(crate) step: watch::Receiver<Step>,
    silence: watch::Sender<bool>,
}

// === impl Surroundings ===

impl Surroundings {
    /// How often the operator has been started.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::Relaxed)
    }
}

// === impl Crowd ===

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings, agents: Mutex::default() }
    }

    /// Starts an agent.
    pub(crate) fn add(&self, agent: Agent) -> Member {
        let (silence, silent) = watch::channel(false);
        let (pod, replica) = (agent.pod.clone(), agent.replica);
        let (steps, step) = watch::channel(Step::default());
        tokio::spawn(agent.run(self.surroundings.clone(), steps, silent));
        let member = Member { pod, replica, step, silence };
        self.agents.lock().insert(member.pod.uid.clone(), member.clone());
        member
    }

    /// Forgets an agent that has left.
    pub(crate) fn remove(&self, uid: &str) {
        self.agents.lock().remove(uid);
    }

    /// Everybody.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.agents.lock().values().cloned().collect()
    }

    /// Waits until everybody has a list from the operator that runs now; answers how long that took from a moment on.
    pub(crate) async fn served(&self, since: Instant, limit: Duration) -> Result<Duration> {
        let era = self.surroundings.era();
        let waits = |member: &Member| member.step.borrow().served != Some(era);
        loop {
            let waiting = self.members().into_iter().filter(waits).count();
            if waiting == 0 {
                return Ok(since.elapsed());
            }
            if since.elapsed() > limit {
                bail!("{waiting} agents have no list after {limit:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

// === impl Member ===

impl Member {
    /// Waits until it has come so far.
    pub(crate) async fn reached(&self, step: impl Fn(&Step) -> bool, limit: Duration) -> Result<()> {
        let mut steps = self.step.clone();
        let waited = tokio::time::timeout(limit, steps.wait_for(step)).await;
        let come = waited.with_context(|| format!("{} does not go on", self.pod.name))?;
        come.map(drop).with_context(|| format!("{} has ended", self.pod.name))
    }

    /// From now on it reads nothing and says nothing, while its connection stays; or it does again.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silence.send_replace(silent);
    }
}
