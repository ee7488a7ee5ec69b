//! The task that has agents trust the CAs: a ConfigMap in each namespace with a group, mounted by the injector, and in the
//! operator's own. The holder of the lease writes it.
//!
//! It stays when the last group of a namespace goes: agents that run there may start again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;
use tokio::sync::watch;

use super::{Issuer, ROOTS};
use crate::api::{ApiError, ApiServer};
use crate::index::{GroupKey, SharedIndex, Views};
use crate::lease::Office;

/// The manager of the ConfigMaps.
const FIELD_MANAGER: &str = "baton-operator-identity";

/// How often all ConfigMaps are put right, should somebody have changed them.
const REPAIR: Duration = Duration::from_secs(600);

/// How soon a failure is repeated.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps the ConfigMaps.
pub struct Herald {
    api: ApiServer,
    /// The operator's own namespace, where `helm test` looks.
    own: String,
    groups: watch::Receiver<Arc<Views>>,
    roots: watch::Receiver<Arc<str>>,
    told: BTreeMap<String, Arc<str>>,
    office: Office,
    failures: Repeat,
}

// === impl Herald ===

impl Herald {
    /// Tells the namespaces of these groups, and the operator's own, of the issuer's CAs.
    pub fn new(api: ApiServer, own: &str, index: &SharedIndex, issuer: &Issuer, office: Office) -> Self {
        let (own, groups) = (own.to_owned(), index.read().groups());
        Self { api, own, groups, roots: issuer.roots(), told: BTreeMap::new(), office, failures: Repeat::new() }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut repaired = Instant::now();
        let mut term = None;
        loop {
            let present = self.office.elected().await;
            // Others may have written since this operator last did.
            if term.replace(present) != Some(present) {
                self.told.clear();
            }
            if repaired.elapsed() >= REPAIR {
                self.told.clear();
                repaired = Instant::now();
            }
            let wait = if self.tell().await { REPAIR } else { RETRY };
            tokio::select! {
                changed = self.groups.changed() => if changed.is_err() { return },
                changed = self.roots.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Tells the namespaces that do not know; answers whether all know then.
    async fn tell(&mut self) -> bool {
        let roots = self.roots.borrow_and_update().clone();
        if roots.is_empty() {
            return true;
        }
        let mut namespaces: BTreeSet<String> =
            self.groups.borrow_and_update().keys().map(|GroupKey { namespace, .. }| namespace.clone()).collect();
        namespaces.insert(self.own.clone());
        self.told.retain(|namespace, told| namespaces.contains(namespace) && *told == roots);
        let mut all = true;
        for namespace in
            namespaces.into_iter().filter(|namespace| !self.told.contains_key(namespace)).collect::<Vec<_>>()
        {
            match self.write(&namespace, &roots).await {
                Ok(()) => drop(self.told.insert(namespace, roots.clone())),
                Err(error) => {
                    all = false;
                    let count = error.is_news().then(|| self.failures.failed(&error.to_string(), Instant::now()));
                    if let Some(count) = count.flatten() {
                        tracing::warn!(namespace, error = %error, count, "Agents of a namespace cannot be told whom to trust");
                    }
                }
            }
        }
        if all {
            self.failures.worked();
        }
        all
    }

    async fn write(&self, namespace: &str, roots: &str) -> Result<(), ApiError> {
        let (name, key) = ROOTS;
        let maps: Api<ConfigMap> = Api::namespaced(self.api.client(), namespace);
        let patch = json!({
            "apiVersion": ConfigMap::api_version(&()),
            "kind": ConfigMap::kind(&()),
            "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "baton-operator" } },
            "data": { key: roots },
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api.write(maps.patch(name, &params, &Patch::Apply(patch))).await.map(drop)
    }
}
