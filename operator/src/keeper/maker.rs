//! The task that makes the keepers of one group: as the spec says, and again when somebody changes them. It works while
//! this operator holds the lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::object::Objects;
use super::plan::{self, Plan};
use crate::api::{ApiError, ApiServer};
use crate::event::{self, Announcer, Event};
use crate::index::{GroupFacts, GroupView};
use crate::injector::Defaults;
use crate::lease::Office;

/// The manager of the objects.
const FIELD_MANAGER: &str = "baton-operator-keepers";

/// How often objects that are not watched are put right, should somebody have changed them.
const REPAIR: Duration = Duration::from_secs(600);

/// The shortest and the longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Makes the keepers of one group.
#[derive(Clone)]
pub struct Maker {
    /// Where they are made.
    pub api: ApiServer,
    /// Where it is said that they cannot be made.
    pub announcer: Announcer,
    /// Whether this operator writes.
    pub office: Office,
    /// What agents are injected with where the group does not say otherwise.
    pub defaults: Arc<Defaults>,
    /// The group.
    pub view: watch::Receiver<Arc<GroupView>>,
}

/// What was done, and the StatefulSet as it was seen then: its UID and generation.
type Done = (Plan, Option<(String, i64)>);

/// Keepers could not be made or removed; what there is stays.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("a {kind} {name} is there already and does not belong to this group; delete it or rename the group")]
    Taken { kind: String, name: String },
    #[error("a {kind} {name} of an earlier group of this name has not been collected yet")]
    Former { kind: String, name: String },
}

// === impl Maker ===

impl Maker {
    /// Runs until the group is gone.
    pub async fn run(mut self) {
        let mut office = self.office.clone();
        loop {
            let term = office.elected().await;
            tokio::select! {
                () = self.keep() => return,
                () = office.ended(term) => {}
            }
        }
    }

    /// Works until the group is gone.
    async fn keep(&mut self) {
        let mut done: Option<(Done, Instant)> = None;
        let mut failures = Repeat::new();
        let mut pause = PAUSE.0;
        loop {
            let view = self.view.borrow_and_update().clone();
            let set = plan::set(&view).map(|set| (set.uid.clone(), set.generation));
            let now = (plan::plan(&view, &self.defaults), set);
            let wait = match &done {
                Some((last, at)) if *last == now && at.elapsed() < REPAIR => REPAIR.saturating_sub(at.elapsed()),
                _ => match self.follow(&view.group, &now.0).await {
                    Ok(()) => {
                        failures.worked();
                        (done, pause) = (Some((now, Instant::now())), PAUSE.0);
                        REPAIR
                    }
                    Err(error) => {
                        self.say(&view.group, &error, &mut failures).await;
                        (done, pause) = (None, (pause * 2).min(PAUSE.1));
                        pause
                    }
                },
            };
            tokio::select! {
                changed = self.view.changed(), if done.is_some() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn follow(&self, group: &GroupFacts, plan: &Plan) -> Result<(), MakeError> {
        match plan {
            Plan::Leave => Ok(()),
            Plan::Make(objects) => {
                let Objects { set, budget, policy, .. } = &**objects;
                // Nobody is to be reached or evicted as if there were none.
                self.apply::<NetworkPolicy>(group, policy).await?;
                self.apply::<PodDisruptionBudget>(group, budget).await?;
                self.apply::<StatefulSet>(group, set).await
            }
            Plan::Remove { name } => {
                self.delete::<NetworkPolicy>(group, name).await?;
                self.delete::<PodDisruptionBudget>(group, name).await?;
                // The last, since it shows that there is something to remove.
                self.delete::<StatefulSet>(group, name).await
            }
        }
    }

    async fn apply<K: Made>(&self, group: &GroupFacts, object: &Value) -> Result<(), MakeError> {
        let objects: Api<K> = Api::namespaced(self.api.client(), &group.key.namespace);
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER);
        let params = match self.api.call(objects.get_metadata_opt(name)).await? {
            Some(found) if belongs(group, &found) => params.force(),
            Some(found) => {
                let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
                let former = was_of_namesake(group, &found);
                return Err(if former { MakeError::Former { kind, name } } else { MakeError::Taken { kind, name } });
            }
            // One that somebody else makes in this moment is not overwritten.
            None => params,
        };
        self.api.write(objects.patch_metadata(name, &params, &Patch::Apply(object))).await?;
        Ok(())
    }

    async fn delete<K: Made>(&self, group: &GroupFacts, name: &str) -> Result<(), MakeError> {
        let objects: Api<K> = Api::namespaced(self.api.client(), &group.key.namespace);
        let Some(found) = self.api.call(objects.get_metadata_opt(name)).await?.filter(|found| belongs(group, found))
        else {
            return Ok(());
        };
        let preconditions = Preconditions { uid: found.metadata.uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        match self.api.write(objects.delete(name, &params)).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn say(&self, group: &GroupFacts, error: &MakeError, failures: &mut Repeat) {
        let news = match error {
            MakeError::Api(error) => error.is_news(),
            MakeError::Taken { .. } => true,
            // Garbage collection takes seconds.
            MakeError::Former { .. } => false,
        };
        let Some(count) = news.then(|| failures.failed(&error.to_string(), Instant::now())).flatten() else { return };
        tracing::warn!(group = %group.key, %error, count, "Keepers could not be made");
        if count == 1 {
            let note = format!("The keepers of this group cannot be made as its spec says: {error}.");
            self.announcer.publish(group, &Event::of_group(event::Reason::KeepersNotMade, "Make", true, note)).await;
        }
    }
}

/// A kind of object that keepers are made of.
trait Made:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug
{
}

impl Made for StatefulSet {}
impl Made for PodDisruptionBudget {}
impl Made for NetworkPolicy {}

fn belongs<K>(group: &GroupFacts, found: &PartialObjectMeta<K>) -> bool {
    found.metadata.owner_references.iter().flatten().any(|owner| owner.uid == group.uid)
}

/// Whether an object belongs to a group of the same name that was deleted.
fn was_of_namesake<K>(group: &GroupFacts, found: &PartialObjectMeta<K>) -> bool {
    let own = group.owner_reference();
    let is_namesake = |owner: &OwnerReference| owner.kind == own.kind && owner.name == own.name;
    found.metadata.owner_references.iter().flatten().any(is_namesake)
}

#[cfg(test)]
mod tests;
