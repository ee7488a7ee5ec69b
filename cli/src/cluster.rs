//! The cluster that the command line names.

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

use baton_crds::HandoffGroup;

use crate::args::ClusterArgs;
use crate::failure::Failure;

/// A cluster, and a namespace of it.
pub(crate) struct Cluster {
    /// The client.
    pub(crate) client: Client,
    /// The namespace.
    pub(crate) namespace: String,
}

// === impl Cluster ===

impl Cluster {
    /// Reads the kubeconfig as kubectl does. Talks to nobody yet.
    pub(crate) async fn connect(args: &ClusterArgs) -> Result<Self, Failure> {
        let config = config(args).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Failure::of(&error, "use this kubeconfig"))?;
        Ok(Self { client, namespace })
    }

    /// The objects of a kind in the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The objects of a kind here or everywhere.
    pub(crate) fn api_of<K>(&self, everywhere: bool) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        if everywhere { Api::all(self.client.clone()) } else { self.api() }
    }

    /// The objects of a kind in the namespace that have these labels; empty for all.
    pub(crate) async fn list<K>(&self, labels: &str) -> Result<Vec<K>, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        list(&self.api(), labels, &format!("in namespace {}", self.namespace)).await
    }

    /// One HandoffGroup.
    pub(crate) async fn group(&self, name: &str) -> Result<HandoffGroup, Failure> {
        let found = self.api::<HandoffGroup>().get_opt(name).await;
        let found = found.map_err(|error| Failure::of(&error, &format!("read HandoffGroup {name}")))?;
        let missing = || {
            Failure::new(format!("there is no HandoffGroup {name} in namespace {}", self.namespace))
                .hint("`kubectl baton status -A` shows all that there are")
                .lasting()
        };
        found.ok_or_else(missing)
    }
}

/// All objects of an API that have these labels. `place` completes "cannot list pods".
pub(crate) async fn list<K>(api: &Api<K>, labels: &str, place: &str) -> Result<Vec<K>, Failure>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let kind = K::plural(&K::DynamicType::default()).into_owned();
    let listed = api.list(&ListParams::default().labels(labels)).await;
    listed.map(|list| list.items).map_err(|error| Failure::of(&error, format!("list {kind} {place}").trim_end()))
}

async fn config(args: &ClusterArgs) -> Result<Config, Failure> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let unusable = |error: String| {
        Failure::new(format!("cannot use the kubeconfig: {error}"))
            .hint("name one with --kubeconfig, and a context of it with --context")
    };
    if let Some(path) = &args.kubeconfig {
        let file = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(|error| unusable(error.to_string()));
    }
    if args.context.is_some() {
        return Config::from_kubeconfig(&options).await.map_err(|error| unusable(error.to_string()));
    }
    Config::infer().await.map_err(|error| unusable(error.to_string()))
}
