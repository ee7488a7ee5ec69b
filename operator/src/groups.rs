//! The tasks of each group: one keeps its Membership, one makes its keepers, one speaks of it. A group's trouble is its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton_telemetry::Tracer;
use tokio_util::sync::CancellationToken;

use crate::api::ApiServer;
use crate::directory::Attendance;
use crate::event::Announcer;
use crate::index::{GroupKey, SharedIndex, Views};
use crate::injector::Defaults;
use crate::keeper::Maker;
use crate::lease::Office;
use crate::membership::Scribe;
use crate::metrics::Metrics;
use crate::status::Reporter;
use crate::vital::lasting;

/// The pause before a task that panicked is begun anew.
const PAUSE: Duration = Duration::from_secs(5);

/// Starts and ends the tasks of groups as these come and go.
pub struct Groups {
    /// What is known of the groups.
    pub index: SharedIndex,
    /// Who attends.
    pub attendance: Arc<Attendance>,
    /// Where everything is written.
    pub api: ApiServer,
    /// Where events go.
    pub announcer: Announcer,
    /// Where counts go.
    pub metrics: Metrics,
    /// Whether this operator writes.
    pub office: Office,
    /// What agents are injected with where a group does not say otherwise.
    pub defaults: Arc<Defaults>,
    /// Where spans go.
    pub tracer: Tracer,
}

// === impl Groups ===

impl Groups {
    /// Runs until it is dropped.
    pub async fn run(self) {
        let mut views = self.index.read().groups();
        let mut running: BTreeMap<GroupKey, CancellationToken> = BTreeMap::new();
        loop {
            let now = views.borrow_and_update().clone();
            running.retain(|key, stop| {
                let stays = now.contains_key(key);
                if !stays {
                    tracing::info!(group = %key, "A group is gone; its agents keep their last list");
                    stop.cancel();
                    self.attendance.forget(key);
                    self.metrics.end(key);
                }
                stays
            });
            for key in now.keys() {
                running.entry(key.clone()).or_insert_with(|| self.start(key, &now));
            }
            if views.changed().await.is_err() {
                return;
            }
        }
    }

    fn start(&self, key: &GroupKey, views: &Views) -> CancellationToken {
        let stop = CancellationToken::new();
        let Some(view) = views.get(key) else { return stop };
        tracing::info!(group = %key, "A group is taken care of");
        self.metrics.begin(key);
        let scribe = Scribe {
            index: self.index.clone(),
            attendance: self.attendance.clone(),
            api: self.api.clone(),
            metrics: self.metrics.clone(),
            office: self.office.clone(),
            view: view.clone(),
        };
        let reporter = Reporter {
            attendance: self.attendance.clone(),
            api: self.api.clone(),
            announcer: self.announcer.clone(),
            metrics: self.metrics.clone(),
            office: self.office.clone(),
            tracer: self.tracer.clone(),
            view: view.clone(),
        };
        let maker = Maker {
            api: self.api.clone(),
            announcer: self.announcer.clone(),
            office: self.office.clone(),
            defaults: self.defaults.clone(),
            view: view.clone(),
        };
        begin(key, "Membership", &stop, move || scribe.clone().run());
        begin(key, "keepers", &stop, move || maker.clone().run());
        begin(key, "status", &stop, move || reporter.clone().run());
        stop
    }
}

fn begin<F>(key: &GroupKey, task: &str, stop: &CancellationToken, run: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let name = format!("the {task} of {key}");
    tokio::spawn(stop.clone().run_until_cancelled_owned(lasting(name, PAUSE, run)));
}
