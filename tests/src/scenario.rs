//! One scenario on a cluster: its sentence, whether others may run beside it, and its run from namespace to evidence.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::cluster::Cluster;
use crate::stage::Stage;
use crate::{evidence, place};

/// Held by all that run beside others, and by one that runs alone.
static CLUSTER: RwLock<()> = RwLock::new(());

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// A short word: its namespace and its folder.
    pub word: &'static str,
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
        let begun = Instant::now();
        let folder = place::folder("e2e", self.word)?;
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() % 100_000);
        let stage = Stage::new(cluster, &format!("e2e-{}-{unique}", self.word), folder)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.run)(&stage)));
        let outcome = outcome.unwrap_or_else(|_| bail!("the scenario has panicked"));
        if outcome.is_err() {
            evidence::collect(&stage);
        }
        if std::env::var_os("BATON_E2E_KEEP").is_none() {
            stage.remove()?;
        }
        let seconds = begun.elapsed().as_secs();
        outcome.with_context(|| {
            let (folder, files) = (stage.folder.display(), evidence::listing(&stage.folder));
            format!("{} failed after {seconds} s in namespace {}; see {folder}: {files}", self.word, stage.namespace)
        })
    }
}
