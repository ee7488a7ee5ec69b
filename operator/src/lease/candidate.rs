//! The task that stands for election: takes the lease, renews it, and gives it back at the end.

use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::record::{ADDRESS, Record};
use super::{Fence, Holder, LOOK, RENEWAL, Sighting, Step, Term};
use crate::api::{ApiError, ApiServer};
use crate::metrics::Metrics;

/// How long one call may take: two of them fit between a renewal and the moment from which the holder writes no more.
const CALL: Duration = Duration::from_secs(4);

/// The manager of the Lease's fields.
const FIELD_MANAGER: &str = "baton-operator-lease";

/// Stands for election.
pub struct Candidate {
    api: ApiServer,
    leases: Api<Lease>,
    lease: String,
    /// A name that no other process has or ever had.
    name: String,
    address: Option<String>,
    fence: Fence,
    metrics: Metrics,
    holder: watch::Sender<Holder>,
    sighting: Sighting,
    terms: u64,
    failures: Repeat,
}

// === impl Candidate ===

impl Candidate {
    /// Stands for the Lease of this name under a name of its own; `address` is where other operators reach this one.
    pub fn new(
        api: ApiServer,
        namespace: &str,
        lease: &str,
        name: String,
        address: Option<String>,
        fence: Fence,
        metrics: Metrics,
    ) -> Self {
        Self {
            leases: Api::namespaced(api.client(), namespace),
            api,
            lease: lease.to_owned(),
            name,
            address,
            fence,
            metrics,
            holder: watch::Sender::default(),
            sighting: Sighting::default(),
            terms: 0,
            failures: Repeat::new(),
        }
    }

    /// Tells who holds the lease.
    pub fn office(&self) -> super::Office {
        super::Office::of(&self.holder)
    }

    /// Runs until it is stopped, and gives the lease back then.
    pub async fn run(mut self, stop: CancellationToken) {
        // A turn is never broken off: what is given back must be the state that it has left.
        while !stop.is_cancelled() {
            let wait = self.turn().await;
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
        self.give_back().await;
    }

    /// One look and one step; answers when the next is due.
    pub(super) async fn turn(&mut self) -> Duration {
        // A process that slept past its time may have missed another's: whatever it had begun is void.
        if self.is_held() && self.fence.pass(Instant::now()).is_none() {
            tracing::warn!(
                "The lease could not be renewed in time; this operator writes nothing until it has it again"
            );
            self.resign();
        }
        let turn = match self.is_held() {
            true => self.put().await,
            false => self.look().await,
        };
        match turn {
            Ok(()) => {
                self.failures.worked();
            }
            Err(error) => {
                if error.is_conflict() || error.is_not_found() {
                    // Another was first, or somebody has deleted it. What there is now is read at once.
                    self.resign();
                    return Duration::ZERO;
                }
                let count = error.is_news().then(|| self.failures.failed(&error.to_string(), Instant::now())).flatten();
                if let Some(count) = count {
                    tracing::warn!(error = %error, count, "The lease cannot be looked after");
                }
            }
        }
        if self.is_held() { RENEWAL } else { LOOK }
    }

    /// Reads the lease, and takes it if it is free.
    async fn look(&mut self) -> Result<(), ApiError> {
        let found = self.call(self.leases.get_opt(&self.lease)).await?;
        let now = Instant::now();
        self.sighting.see(found.map(Record::of), now);
        match self.sighting.step(&self.name, now) {
            Step::Take | Step::Renew => self.put().await,
            Step::Wait(_) => {
                let record = self.sighting.record();
                let holder = record.map_or(Holder::Nobody, |record| Holder::Other {
                    name: record.holder.clone().unwrap_or_default(),
                    address: record.address.clone(),
                });
                self.tell(holder);
                Ok(())
            }
        }
    }

    /// Takes or renews the lease: over the state that was last seen, and over no other.
    async fn put(&mut self) -> Result<(), ApiError> {
        let before = self.sighting.record().cloned();
        let record = Record::held(before.as_ref(), &self.name, self.address.as_deref(), Timestamp::now());
        let begun = Instant::now();
        let written = match before {
            Some(_) => self.patch(&record).await?,
            None => self.create(&record).await?,
        };
        self.sighting.see(Some(written), begun);
        self.fence.open(begun);
        if !self.is_held() {
            self.terms += 1;
            tracing::info!(name = self.name, term = self.terms, "This operator holds the lease");
            self.tell(Holder::Own(Term(self.terms)));
        }
        Ok(())
    }

    async fn give_back(&mut self) {
        let was_held = self.is_held();
        self.resign();
        let Some(record) = self.sighting.record().filter(|_| was_held) else { return };
        self.api.writes_ended(CALL).await;
        match self.patch(&record.given_back(Timestamp::now())).await {
            Ok(_) => tracing::info!("The lease is given back"),
            Err(error) => tracing::info!(%error, "The lease could not be given back; it lapses by itself"),
        }
    }

    /// Stops every write of this process.
    fn resign(&mut self) {
        self.fence.close();
        self.tell(Holder::Nobody);
    }

    fn is_held(&self) -> bool {
        matches!(*self.holder.borrow(), Holder::Own(_))
    }

    fn tell(&self, holder: Holder) {
        self.metrics.lease_held(matches!(holder, Holder::Own(_)));
        self.holder.send_if_modified(|told| {
            let news = *told != holder;
            if let (true, Holder::Other { name, .. }) = (news, &holder) {
                tracing::info!(holder = name, "Another operator holds the lease; this one serves beside it");
            }
            *told = holder;
            news
        });
    }

    async fn create(&self, record: &Record) -> Result<Record, ApiError> {
        let patch = record.patch();
        let annotations = self.address.iter().map(|address| (ADDRESS.to_owned(), address.clone())).collect();
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.lease.clone()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec: serde_json::from_value(patch["spec"].clone()).ok(),
        };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        Ok(Record::of(self.call(self.leases.create(&params, &lease)).await?))
    }

    async fn patch(&self, record: &Record) -> Result<Record, ApiError> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(record.patch());
        Ok(Record::of(self.call(self.leases.patch(&self.lease, &params, &patch)).await?))
    }

    async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
        timeout(CALL, self.api.call(call)).await.unwrap_or(Err(ApiError::Silent))
    }
}
