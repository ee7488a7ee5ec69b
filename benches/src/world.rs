//! A cluster as the API server shows it: namespaces with groups, their workloads, their pods, and their lists.

mod pod;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use baton_crds::membership::{MemberPhase, MemberRow, Membership, MembershipSpec, ReplicaId};
use baton_identity::{Authority, Keyring};
use baton_wire::directory as wire;
use serde_json::{Value, json};

use crate::apiserver::{Place, Store};
use crate::crowd::{Agent, Member, Pod};

/// The operator's own namespace.
pub(crate) const OPERATOR: &str = "baton-system";

/// How many groups there are, of how many pods, in how many namespaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) namespaces: u64,
    pub(crate) groups: u64,
    pub(crate) pods: u64,
}

/// The cluster.
pub(crate) struct World {
    pub(crate) size: Size,
    store: Arc<Store>,
    authority: Authority,
    /// The CAs, in PEM.
    pub(crate) roots: String,
    next: AtomicU64,
}

// === impl World ===

impl World {
    /// A cluster with the operator's CA and nothing else.
    pub(crate) fn new(store: Arc<Store>, size: Size) -> Result<Self> {
        let now = SystemTime::now();
        let keyring = Keyring::default().tended(now)?;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"namespace": OPERATOR, "name": "baton-operator-identity"},
            "data": {"keyring.json": STANDARD.encode(serde_json::to_vec(&keyring)?)}});
        store.put("secrets", secret);
        let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "baton-injector"}});
        store.put("mutatingwebhookconfigurations", webhook);
        let authority = keyring.signer(now).context("a new CA does not sign")?;
        Ok(Self { size, store, authority, roots: keyring.roots(), next: AtomicU64::new(1) })
    }

    /// Fills it with groups that have run for a while; answers their agents.
    pub(crate) fn fill(&self) -> Result<Vec<Agent>> {
        for namespace in 0..self.size.namespaces {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("team-{namespace}")}});
            self.store.put("namespaces", object);
        }
        let mut agents = Vec::new();
        for group in 0..self.size.groups {
            agents.extend(self.found(group)?);
        }
        Ok(agents)
    }

    /// A new pod of the group of another.
    pub(crate) fn replacement(&self, of: &Pod) -> Agent {
        let pod = self.place(&of.namespace, &of.group);
        Agent { replica: self.number() << 20, pod, list: None, authority: None, is_narrow: false }
    }

    /// The object of a pod, of which only the scheduler knows yet.
    pub(crate) fn create(&self, pod: &Pod) {
        self.store.put("pods", pod::object(pod, false));
    }

    /// A pod's containers are ready.
    pub(crate) fn become_ready(&self, pod: &Pod) {
        self.store.change("pods", &place(pod), |object| object["status"] = pod::status(pod, true));
    }

    /// A pod is marked for deletion.
    pub(crate) fn mark(&self, pod: &Pod) {
        self.store.change("pods", &place(pod), |object| {
            object["metadata"]["deletionTimestamp"] = json!(jiff::Timestamp::now());
            object["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        });
    }

    /// A pod's containers have ended.
    pub(crate) fn finish(&self, member: &Member) {
        self.store
            .change("pods", &place(&member.pod), |object| object["status"] = pod::ended(&member.pod, member.replica));
    }

    /// A pod is gone.
    pub(crate) fn remove(&self, pod: &Pod) {
        self.store.remove("pods", &place(pod));
    }

    /// Who is listed in a group.
    pub(crate) fn listed(&self, pod: &Pod) -> Result<MembershipSpec> {
        let found = self.store.get("memberships", &(pod.namespace.clone(), pod.group.clone()));
        let found: Membership = serde_json::from_value(found.context("a group without a list")?)?;
        Ok(found.spec)
    }

    /// Who holds the operators' lease.
    pub(crate) fn holder(&self) -> Option<String> {
        let lease = self.store.get("leases", &(OPERATOR.to_owned(), "baton-operator".to_owned()))?;
        lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn place(&self, namespace: &str, group: &str) -> Pod {
        let number = self.number();
        let node = number % 200;
        Pod {
            namespace: namespace.to_owned(),
            group: group.to_owned(),
            name: format!("{group}-7c5ddbdf54-{number:05x}"),
            uid: format!("5b7c0f3e-9a51-4f3e-8d7a-{number:012x}"),
            node: format!("ip-10-0-{node}-17.eu-central-1.compute.internal"),
            address: format!("10.{}.{}.{}:7072", number >> 16 & 255, number >> 8 & 255, number & 255),
        }
    }

    /// A group, its workload, its pods and its list.
    fn found(&self, number: u64) -> Result<Vec<Agent>> {
        let (namespace, name) = (format!("team-{}", number % self.size.namespaces), format!("app-{number}"));
        let meta = json!({"namespace": namespace, "name": name});
        self.store.put(
            "handoffgroups",
            json!({"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup", "metadata": meta,
            "spec": {"selector": {"matchLabels": {"app": name}}}}),
        );
        self.store.put("deployments", self.deployment(&meta, &name));
        self.store.put("replicasets", json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
            "namespace": namespace, "name": format!("{name}-7c5ddbdf54"),
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": "d", "controller": true}]}}));
        let pods: Vec<(Pod, u64)> =
            (0..self.size.pods).map(|_| (self.place(&namespace, &name), self.number() << 20)).collect();
        for (pod, _) in &pods {
            self.store.put("pods", pod::object(pod, true));
        }
        let rows: Vec<MemberRow> = pods.iter().map(|(pod, replica)| row(pod, *replica)).collect();
        let spec = MembershipSpec {
            number: 1,
            first: rows.first().map(|row| row.replica),
            members: rows,
            follows: Vec::new(),
        };
        let mut list = Membership::new(&name, spec);
        list.metadata.namespace = Some(namespace.clone());
        let mut list = serde_json::to_value(list)?;
        let owner = self.store.get("handoffgroups", &(namespace.clone(), name.clone())).context("no group")?;
        list["metadata"]["ownerReferences"] = json!([{"apiVersion": "baton.dev/v1alpha1", "kind": "HandoffGroup",
            "name": name, "uid": owner["metadata"]["uid"], "controller": true}]);
        self.store.put("memberships", list);
        let uid = self.store.get("memberships", &(namespace, name)).context("no list")?["metadata"]["uid"].clone();
        let known = wire::Membership {
            version: Some(wire::Version { uid: uid.as_str().unwrap_or_default().to_owned(), number: 1 }),
            members: pods.iter().map(|(pod, replica)| member(pod, *replica)).collect(),
            ..wire::Membership::default()
        };
        let agents = pods.into_iter().enumerate().map(|(at, (pod, replica))| Agent {
            pod,
            replica,
            list: Some(known.clone()),
            authority: Some(self.authority.clone()),
            is_narrow: at == 0,
        });
        Ok(agents.collect())
    }

    fn deployment(&self, meta: &Value, name: &str) -> Value {
        let (pods, labels) = (self.size.pods, json!({"app": name}));
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}},
            "status": {"observedGeneration": 1, "replicas": pods, "updatedReplicas": pods}})
    }
}

fn place(pod: &Pod) -> Place {
    (pod.namespace.clone(), pod.name.clone())
}

fn row(pod: &Pod, replica: u64) -> MemberRow {
    MemberRow {
        replica: ReplicaId(replica),
        pod_name: pod.name.clone(),
        pod_uid: pod.uid.clone(),
        node: pod.node.clone(),
        zone: String::new(),
        controller: format!("Deployment/{}", pod.group),
        revision: 1,
        address: pod.address.clone(),
        phase: MemberPhase::Active,
        held_state: true,
        keeper: false,
        forgotten: false,
        grace_seconds: 0,
        settlement: None,
        unknown: Default::default(),
    }
}

fn member(pod: &Pod, replica: u64) -> wire::Member {
    wire::Member {
        replica,
        pod_name: pod.name.clone(),
        pod_uid: pod.uid.clone(),
        node: pod.node.clone(),
        controller: format!("Deployment/{}", pod.group),
        revision: 1,
        address: pod.address.clone(),
        phase: wire::Phase::Active.into(),
        held_state: true,
        ..wire::Member::default()
    }
}
