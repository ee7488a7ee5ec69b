//! The watches that feed the index.
//!
//! A watch that ends is opened again where it ended. A list that was taken anew replaces what the index has
//! of that kind in one step, so that nobody sees the moment in between.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use baton_crds::{HandoffGroup, Membership};
use baton_telemetry::Repeat;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::ApiServer;
use crate::index::{
    GroupFacts, GroupKey, Index, Listing, OptIn, PodFacts, REVISION, ReplicaSetFacts, RevisionFacts, SharedIndex,
    WorkloadFacts,
};

/// How long one watch call lasts. A watch that died silently is noticed 5 s after that.
pub(crate) const WATCH_SECONDS: u32 = 30;

/// The pauses before a watch that failed is tried again. Each is up to twice as long by chance. No more, since an operator
/// without its watches sees no pod come or go: five small requests in some seconds are no burden on an API server that has
/// just come back.
const FIRST_PAUSE: Duration = Duration::from_millis(800);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How long a watch may fail before it begins anew with a list: what it asks for may be what fails.
const AFRESH: Duration = Duration::from_secs(60);

/// The kinds that are watched.
const KINDS: usize = 9;

/// Watches everything that the index is about.
pub struct Feed {
    index: SharedIndex,
    api: ApiServer,
    listed: watch::Sender<BTreeSet<&'static str>>,
}

/// Which kinds have been listed once.
#[derive(Clone, Debug)]
pub struct Listed(watch::Receiver<BTreeSet<&'static str>>);

/// One kind: how its objects change the index.
struct Kind<K, F> {
    name: &'static str,
    /// What is kept of an object.
    facts: fn(K) -> Option<F>,
    apply: fn(&mut Index, F),
    delete: fn(&mut Index, F),
    reset: fn(&mut Index, Vec<F>),
}

// === impl Listed ===

impl Listed {
    /// Whether all kinds have been listed, so that the index is a picture of the cluster.
    pub fn is_complete(&self) -> bool {
        self.0.borrow().len() == KINDS
    }

    /// Waits until all kinds have been listed.
    pub async fn complete(&mut self) {
        // The feed lives as long as the process.
        let _ = self.0.wait_for(|listed| listed.len() == KINDS).await;
    }
}

// === impl Feed ===

impl Feed {
    /// Feeds this index.
    pub fn new(index: SharedIndex, api: ApiServer) -> Self {
        Self { index, api, listed: watch::Sender::default() }
    }

    /// Which kinds have been listed once.
    pub fn listed(&self) -> Listed {
        Listed(self.listed.subscribe())
    }

    /// Runs until it is dropped, or until one of the watches has ended, which is a fault.
    pub async fn run(self) {
        let client = self.api.client();
        let mut watches = JoinSet::new();
        watches.spawn(self.watch(Api::<HandoffGroup>::all(client.clone()), groups()));
        watches.spawn(self.watch(Api::<Pod>::all(client.clone()), pods()));
        watches.spawn(self.watch(Api::<Membership>::all(client.clone()), memberships()));
        watches.spawn(self.watch(Api::<PartialObjectMeta<ReplicaSet>>::all(client.clone()), replica_sets()));
        watches.spawn(self.watch(Api::<Deployment>::all(client.clone()), deployments()));
        watches.spawn(self.watch(Api::<StatefulSet>::all(client.clone()), stateful_sets()));
        watches.spawn(self.watch(Api::<DaemonSet>::all(client.clone()), daemon_sets()));
        watches.spawn(self.watch(Api::<ControllerRevision>::all(client.clone()), revisions()));
        watches.spawn(self.watch(Api::<PartialObjectMeta<Namespace>>::all(client), namespaces()));
        watches.join_next().await;
    }

    fn watch<K, F>(&self, api: Api<K>, kind: Kind<K, F>) -> impl Future<Output = ()> + Send + use<K, F>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
        F: Send + 'static,
    {
        let open = move || watcher::watcher(api.clone(), config()).backoff(backoff()).boxed();
        follow(open, kind, self.index.clone(), self.api.clone(), self.listed.clone())
    }
}

fn backoff() -> watcher::ExponentialBackoff {
    let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(MAX_PAUSE).with_factor(2.0);
    pauses.with_jitter().without_max_times().into()
}

async fn follow<K, F>(
    open: impl Fn() -> BoxStream<'static, watcher::Result<Event<K>>>,
    kind: Kind<K, F>,
    index: SharedIndex,
    api: ApiServer,
    listed: watch::Sender<BTreeSet<&'static str>>,
) {
    let mut failures = Repeat::new();
    loop {
        let (mut events, mut list, mut failing) = (open(), Vec::new(), None);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    failing = None;
                    api.answered();
                    failures.worked();
                    kind.take(event, &mut list, &index, &listed);
                }
                Err(error) => {
                    note(&api, kind.name, &error, &mut failures);
                    let since = *failing.get_or_insert_with(Instant::now);
                    if since.elapsed() >= AFRESH || is_forgotten(&error) {
                        break;
                    }
                }
            }
        }
        tracing::debug!(kind = kind.name, "A watch begins anew, with a list");
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

/// Whether the API server no longer has what a watch would have begun with; the watcher itself would ask for it for ever.
fn is_forgotten(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// Tells an API server that refuses from one that does not answer.
fn note(api: &ApiServer, kind: &'static str, error: &watcher::Error, failures: &mut Repeat) {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        watcher::Error::WatchError(status) => Some(status),
        _ => None,
    };
    let Some(status) = status else { return api.failed(error) };
    // The API server has forgotten what the watch last saw; the list is taken anew.
    if status.code == 410 {
        return tracing::debug!(kind, "A watch starts over");
    }
    if let Some(count) = failures.failed(&status.message, Instant::now()) {
        tracing::warn!(kind, code = status.code, error = status.message, count, "A watch was refused");
    }
}

fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS)
}

// === impl Kind ===

impl<K, F> Kind<K, F> {
    fn take(
        &self,
        event: Event<K>,
        list: &mut Vec<F>,
        index: &SharedIndex,
        listed: &watch::Sender<BTreeSet<&'static str>>,
    ) {
        match event {
            Event::Init => list.clear(),
            Event::InitApply(object) => list.extend((self.facts)(object)),
            Event::InitDone => {
                (self.reset)(&mut index.write(), std::mem::take(list));
                listed.send_if_modified(|listed| listed.insert(self.name));
            }
            Event::Apply(object) => {
                if let Some(facts) = (self.facts)(object) {
                    (self.apply)(&mut index.write(), facts);
                }
            }
            Event::Delete(object) => {
                if let Some(facts) = (self.facts)(object) {
                    (self.delete)(&mut index.write(), facts);
                }
            }
        }
    }
}

fn groups() -> Kind<HandoffGroup, GroupFacts> {
    Kind {
        name: "HandoffGroup",
        facts: GroupFacts::of,
        apply: Index::apply_group,
        delete: |index, group| index.delete_group(&group.key),
        reset: Index::reset_groups,
    }
}

fn pods() -> Kind<Pod, (String, PodFacts)> {
    Kind {
        name: "Pod",
        facts: |pod| Some((pod.metadata.namespace.clone()?, PodFacts::of(&pod)?)),
        apply: |index, (namespace, pod)| index.apply_pod(&namespace, pod),
        delete: |index, (namespace, pod)| index.delete_pod(&namespace, &pod),
        reset: Index::reset_pods,
    }
}

fn memberships() -> Kind<Membership, (GroupKey, Listing)> {
    Kind {
        name: "Membership",
        facts: Listing::of,
        apply: |index, (key, listing)| index.apply_listing(&key, listing),
        delete: |index, (key, listing)| index.delete_listing(&key, &listing.uid),
        reset: Index::reset_listings,
    }
}

fn replica_sets() -> Kind<PartialObjectMeta<ReplicaSet>, (String, ReplicaSetFacts)> {
    Kind {
        name: "ReplicaSet",
        facts: |set| {
            let meta = set.metadata;
            let mut owners = meta.owner_references.into_iter().flatten();
            let deployment = owners.find(|owner| owner.controller == Some(true) && owner.kind == "Deployment");
            let revision = meta.annotations.as_ref().and_then(|all| all.get(REVISION)?.parse().ok());
            let facts = ReplicaSetFacts {
                name: meta.name?,
                deployment: deployment.map(|owner| owner.name),
                revision: revision.unwrap_or_default(),
            };
            Some((meta.namespace?, facts))
        },
        apply: |index, (namespace, set)| index.apply_replica_set(&namespace, set),
        delete: |index, (namespace, set)| index.delete_replica_set(&namespace, &set.name),
        reset: Index::reset_replica_sets,
    }
}

fn deployments() -> Kind<Deployment, (String, WorkloadFacts)> {
    Kind {
        name: "Deployment",
        facts: WorkloadFacts::of_deployment,
        apply: |index, (namespace, workload)| index.apply_workload(&namespace, workload),
        delete: |index, (namespace, workload)| index.delete_workload(&namespace, &workload),
        reset: |index, workloads| index.reset_workloads("Deployment", workloads),
    }
}

fn stateful_sets() -> Kind<StatefulSet, (String, WorkloadFacts)> {
    Kind {
        name: "StatefulSet",
        facts: WorkloadFacts::of_stateful_set,
        apply: |index, (namespace, workload)| index.apply_workload(&namespace, workload),
        delete: |index, (namespace, workload)| index.delete_workload(&namespace, &workload),
        reset: |index, workloads| index.reset_workloads("StatefulSet", workloads),
    }
}

fn daemon_sets() -> Kind<DaemonSet, (String, WorkloadFacts)> {
    Kind {
        name: "DaemonSet",
        facts: WorkloadFacts::of_daemon_set,
        apply: |index, (namespace, workload)| index.apply_workload(&namespace, workload),
        delete: |index, (namespace, workload)| index.delete_workload(&namespace, &workload),
        reset: |index, workloads| index.reset_workloads("DaemonSet", workloads),
    }
}

fn revisions() -> Kind<ControllerRevision, (String, RevisionFacts)> {
    Kind {
        name: "ControllerRevision",
        facts: RevisionFacts::of,
        apply: |index, (namespace, revision)| index.apply_revision(&namespace, revision),
        delete: |index, (namespace, revision)| index.delete_revision(&namespace, &revision.name),
        reset: Index::reset_revisions,
    }
}

fn namespaces() -> Kind<PartialObjectMeta<Namespace>, (String, OptIn)> {
    Kind {
        name: "Namespace",
        facts: |namespace| {
            let opt_in = OptIn::of(&namespace.metadata.labels.unwrap_or_default());
            Some((namespace.metadata.name?, opt_in))
        },
        apply: |index, (name, opt_in)| index.apply_namespace(&name, opt_in),
        delete: |index, (name, _)| index.delete_namespace(&name),
        reset: Index::reset_namespaces,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::Requests;

    #[tokio::test]
    async fn a_watch_whose_beginning_the_api_server_has_forgotten_begins_anew_with_a_list() {
        let (api, requests) = Requests::look(|request| match request.query.contains("watch=true") {
            true => (410, json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410})),
            false => (200, json!({"kind": "PodList", "metadata": {"resourceVersion": "5"}, "items": []})),
        });
        let feed = Feed::new(SharedIndex::default(), api.clone());
        tokio::spawn(feed.watch(Api::<Pod>::all(api.client()), pods()));
        requests.wait_for(2, |one| !one.query.contains("watch=true")).await;
    }
}
