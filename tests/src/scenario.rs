//! One scenario on a cluster: its sentence, whether others may run beside it, and its run from namespace to evidence.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::cluster::Cluster;
use crate::crowd::Verdict;
use crate::stage::Stage;
use crate::{evidence, place};

/// Held by all that run beside others, and by one that runs alone.
static CLUSTER: RwLock<()> = RwLock::new(());

/// What scenarios have said, in the order in which they ended.
static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// What is promised for the way in which a scenario ends pods: the rows of the table in `docs/guarantees.md`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Promise {
    /// A pod is told to end: every accepted write survives.
    HandedOff,
    /// A pod or its agent dies: every write acknowledged with `acks >= 1` survives.
    Acknowledged,
    /// The app dies beside its agent: everything is kept.
    Kept,
    /// Nobody is there to hand off to: that is said before and after, and never called a success.
    Told,
    /// The operator, its objects or the API server are away: agents go on.
    GoesOn,
    /// What is wrong is refused, with a reason, and does no harm.
    Guarded,
}

/// How a scenario went.
#[derive(Debug, Clone, Serialize)]
struct Row {
    name: &'static str,
    promise: Promise,
    /// Writes that were acknowledged; absent where nothing was to be found again.
    acknowledged: Option<u64>,
    lost: Option<u64>,
    stale: Option<u64>,
    resurrected: Option<u64>,
    outcome: &'static str,
    seconds: f64,
}

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// A short word: its namespace and its folder.
    pub word: &'static str,
    /// What it holds Baton to.
    pub promise: Promise,
    /// What it proves, as a sentence with underscores.
    pub sentence: &'static str,
    /// Whether its faults are felt by all of the cluster.
    pub alone: bool,
    /// What happens in it.
    pub run: fn(&Stage) -> Result<()>,
}

// === impl Scenario ===

impl Scenario {
    /// Runs it in a namespace of its own. A failure says where its logs are.
    pub fn perform(&self, cluster: &Arc<Cluster>) -> Result<()> {
        let _alone = self.alone.then(|| CLUSTER.write().unwrap_or_else(PoisonError::into_inner));
        let _beside = (!self.alone).then(|| CLUSTER.read().unwrap_or_else(PoisonError::into_inner));
        let (begun, mut verdict) = (Instant::now(), None);
        let outcome = self.play(cluster, &mut verdict);
        let seconds = begun.elapsed().as_secs_f64();
        self.record(verdict, outcome.is_ok(), seconds);
        outcome.with_context(|| format!("{} failed after {seconds:.0} s", self.word))
    }

    fn play(&self, cluster: &Arc<Cluster>, verdict: &mut Option<Verdict>) -> Result<()> {
        let folder = place::folder("e2e", self.word)?;
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() % 100_000);
        let stage = Stage::new(cluster, &format!("e2e-{}-{unique}", self.word), folder)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.run)(&stage)));
        let outcome = outcome.unwrap_or_else(|_| bail!("the scenario has panicked"));
        *verdict = stage.verdict();
        if let Err(error) = &outcome {
            evidence::collect(&stage);
            eprintln!("{} has failed: {error:#}", self.word);
        }
        let keep = std::env::var_os("BATON_E2E_KEEP").is_some();
        let removed = if keep { Ok(()) } else { stage.remove() };
        outcome.and(removed).with_context(|| {
            let (folder, files) = (stage.folder.display(), evidence::listing(&stage.folder));
            format!("in namespace {}; see {folder}: {files}", stage.namespace)
        })
    }

    fn record(&self, verdict: Option<Verdict>, passed: bool, seconds: f64) {
        let row = Row {
            name: self.sentence,
            promise: self.promise,
            acknowledged: verdict.as_ref().map(|verdict| verdict.acknowledged),
            lost: verdict.as_ref().map(|verdict| verdict.lost),
            stale: verdict.as_ref().map(|verdict| verdict.stale),
            resurrected: verdict.as_ref().map(|verdict| verdict.resurrected),
            outcome: if passed { "passed" } else { "failed" },
            seconds,
        };
        ROWS.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }
}

/// Writes how the scenarios went: a JSON list, one row for each.
pub fn report(file: &Path) -> Result<()> {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let text = serde_json::to_string_pretty(&*rows)?;
    std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}
