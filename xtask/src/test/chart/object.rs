//! One rendered object, and whether its kind has all the fields that it names.

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::monitoring;

/// One object.
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) value: Value,
}

// === impl Object ===

impl Object {
    /// All objects of what Helm prints.
    pub(super) fn read(text: &str) -> Result<Vec<Self>> {
        let documents = text.split("\n---").map(|part| part.trim_start_matches("---"));
        let values = documents.map(|part| serde_saphyr::from_str::<Option<Value>>(part).context("no YAML"));
        let objects = values.filter_map(|value| value.transpose()).map(|value| {
            let value = value?;
            let text = |path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
            let kind = text("/kind").context("an object without a kind")?;
            let name = text("/metadata/name").with_context(|| format!("a {kind} without a name"))?;
            Ok(Self { kind, name, value })
        });
        objects.collect()
    }

    /// Whether it is one of its kind.
    pub(super) fn check(&self) -> Result<()> {
        let value = &self.value;
        match self.kind.as_str() {
            "ClusterRole" => keeps_all::<ClusterRole>(value),
            "ClusterRoleBinding" => keeps_all::<ClusterRoleBinding>(value),
            "ConfigMap" => keeps_all::<ConfigMap>(value).and_then(|()| monitoring::dashboard(value)),
            "CustomResourceDefinition" => keeps_all::<CustomResourceDefinition>(value),
            "Deployment" => keeps_all::<Deployment>(value),
            "MutatingWebhookConfiguration" => keeps_all::<MutatingWebhookConfiguration>(value),
            "NetworkPolicy" => keeps_all::<NetworkPolicy>(value),
            "Pod" => keeps_all::<Pod>(value),
            "PodDisruptionBudget" => keeps_all::<PodDisruptionBudget>(value),
            "Role" => keeps_all::<Role>(value),
            "RoleBinding" => keeps_all::<RoleBinding>(value),
            "Service" => keeps_all::<Service>(value),
            "ServiceAccount" => keeps_all::<ServiceAccount>(value),
            "ServiceMonitor" | "PodMonitor" | "PrometheusRule" => monitoring::check(&self.kind, value),
            other => bail!("nobody checks objects of kind {other}"),
        }
    }
}

/// Whether a kind has every field of an object: what it does not know is lost when it is read and written.
fn keeps_all<K: DeserializeOwned + Serialize>(value: &Value) -> Result<()> {
    let read: K = serde_json::from_value(value.clone()).context("it is none of its kind")?;
    covers(&serde_json::to_value(read)?, value, "")
}

fn covers(kept: &Value, value: &Value, path: &str) -> Result<()> {
    match (kept, value) {
        (Value::Object(kept), Value::Object(value)) => value.iter().try_for_each(|(name, value)| {
            let path = format!("{path}.{name}");
            if value.is_null() {
                return Ok(());
            }
            covers(kept.get(name).with_context(|| format!("there is no field {path}"))?, value, &path)
        }),
        (Value::Array(kept), Value::Array(value)) => {
            ensure!(kept.len() == value.len(), "{path} is another list");
            kept.iter().zip(value).try_for_each(|(kept, value)| covers(kept, value, &format!("{path}[]")))
        }
        (Value::Number(kept), Value::Number(value)) if kept.as_f64() == value.as_f64() => Ok(()),
        _ => {
            ensure!(kept == value, "{path} is {value}, and is read as {kept}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_its_kind_does_not_have_is_found() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1, targetPort: x}]}\n";
        assert!(Object::read(text).expect("objects")[0].check().is_ok());
        let wrong = text.replace("targetPort", "targetport");
        let error = Object::read(&wrong).expect("objects")[0].check().expect_err("an error");
        assert!(error.to_string().contains(".spec.ports[].targetport"), "{error:#}");
    }
}
