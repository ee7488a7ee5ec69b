//! `doctor`: checks the installation and the groups, and says what to do.
//!
//! What a person may not read is not checked, and said so: a developer sees a namespace and not the cluster.

mod finding;
mod group;
mod install;
mod policy;
mod schema;
mod uninstall;
mod workload;

use baton_crds::HandoffGroup;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::args::DoctorArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome, sentence};
use crate::output::{self, Output, Width};
use finding::{Finding, Level};
use group::Surroundings;
use install::Installation;

/// The labels of what the chart installs.
const OURS: &str = "app.kubernetes.io/name=baton";

/// What may be read, or why it may not.
type Seen<T> = Result<Vec<T>, String>;

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &DoctorArgs) -> Result<Outcome, Failure> {
    // Who gets no answer at all is told so, and not that everything is missing.
    let version = cluster.client.apiserver_version().await;
    let version = version.map_err(|error| Failure::of(&error, "reach the API server"))?;
    let installation = look(cluster, format!("{}.{}", version.major, version.minor)).await;
    let everywhere = args.all_namespaces || args.uninstall;
    let groups = see(&cluster.api_of::<HandoffGroup>(everywhere), "").await;
    let around = surroundings(cluster, everywhere).await;
    if args.uninstall {
        let plan = uninstall::plan(&installation, &groups, &around);
        match args.output.table() {
            Some(_) => output::text(&plan.text())?,
            None => args.output.document(&plan)?,
        }
        return Ok(Outcome::Well);
    }
    let mut findings = install::check(&installation);
    match &groups {
        Err(error) => findings.push(Finding::unseen("HandoffGroups", error)),
        Ok(groups) if groups.is_empty() => {
            let place = if everywhere { "the cluster" } else { &cluster.namespace };
            findings.push(Finding::hint(
                place,
                "There is no HandoffGroup here.",
                "Make one, or look elsewhere with -n or -A.",
            ));
        }
        Ok(groups) => {
            let image = installation.agent_image();
            findings.extend(groups.iter().flat_map(|group| group::check(group, &around, image.as_deref())));
        }
    }
    tell(findings, args.output)
}

fn tell(mut findings: Vec<Finding>, format: Output) -> Result<Outcome, Failure> {
    findings.sort_by_key(|finding| finding.level);
    match format.table() {
        Some(width) => output::text(&finding::text(&findings, width == Width::Wide))?,
        None => format.document(&findings)?,
    }
    let well = findings.iter().all(|finding| finding.level != Level::Error);
    Ok(if well { Outcome::Well } else { Outcome::Unwell })
}

async fn look(cluster: &Cluster, version: String) -> Installation {
    let client = &cluster.client;
    let definitions = see(&Api::<CustomResourceDefinition>::all(client.clone()), "").await;
    Installation {
        version,
        definitions: definitions.map(|mut all| {
            all.retain(|one| one.spec.group == "baton.dev");
            all
        }),
        operators: see(
            &Api::<Deployment>::all(client.clone()),
            &format!("{OURS},app.kubernetes.io/component=operator"),
        )
        .await,
        webhooks: see(&Api::<MutatingWebhookConfiguration>::all(client.clone()), OURS).await,
        nodes: see(&Api::<Node>::all(client.clone()), "").await,
    }
}

async fn surroundings(cluster: &Cluster, everywhere: bool) -> Surroundings {
    Surroundings {
        namespaces: see(&Api::<Namespace>::all(cluster.client.clone()), "").await,
        pods: see(&cluster.api_of::<Pod>(everywhere), "").await,
        deployments: see(&cluster.api_of::<Deployment>(everywhere), "").await,
        sets: see(&cluster.api_of::<StatefulSet>(everywhere), "").await,
        budgets: see(&cluster.api_of::<PodDisruptionBudget>(everywhere), "").await,
        policies: see(&cluster.api_of::<NetworkPolicy>(everywhere), "").await,
    }
}

async fn see<K>(api: &Api<K>, labels: &str) -> Seen<K>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let listed = api.list(&ListParams::default().labels(labels)).await;
    listed.map(|list| list.items).map_err(|error| sentence(&error))
}
