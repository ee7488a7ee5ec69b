//! The bundle in its Secret, and the CA in the webhook's configuration.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde_json::json;

use super::Bundle;
use crate::api::{ApiError, ApiServer};

/// The manager of the `caBundle`.
const FIELD_MANAGER: &str = "baton-operator-certificate";

/// Where the bundle and its trust are kept.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) namespace: String,
    pub(super) secret: String,
    pub(super) webhook: String,
}

/// A bundle as it was read, with what a write over it must name.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) resource_version: Option<String>,
    /// The bundle; none if the Secret holds something else.
    pub(super) bundle: Option<Bundle>,
}

// === impl Store ===

impl Store {
    /// Reads the Secret; none if there is none.
    pub(super) async fn read(&self, api: &ApiServer) -> Result<Option<Kept>, ApiError> {
        let secret = api.call(self.secrets(api).get_opt(&self.secret)).await?;
        Ok(secret.map(|secret| Kept { bundle: parse(&secret), resource_version: secret.metadata.resource_version }))
    }

    /// Writes the Secret: as a new one, or over the one that was read. A conflict means that another operator
    /// was first; its bundle is as good.
    pub(super) async fn write(&self, api: &ApiServer, over: Option<&Kept>, bundle: &Bundle) -> Result<(), ApiError> {
        let mut secret = compose(&self.secret, bundle);
        let secrets = self.secrets(api);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        match over {
            None => api.call(secrets.create(&params, &secret)).await.map(drop),
            Some(kept) => {
                secret.metadata.resource_version.clone_from(&kept.resource_version);
                api.call(secrets.replace(&self.secret, &params, &secret)).await.map(drop)
            }
        }
    }

    /// Makes the API server trust these CAs; answers whether it did not before.
    pub(super) async fn trust(&self, api: &ApiServer, trusted: &str) -> Result<bool, ApiError> {
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(api.client());
        let found = api.call(configurations.get(&self.webhook)).await?;
        let wanted = ByteString(trusted.as_bytes().to_vec());
        let webhooks = found.webhooks.unwrap_or_default();
        if webhooks.iter().all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&wanted)) {
            return Ok(false);
        }
        let entries: Vec<_> = webhooks
            .iter()
            .map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": wanted } }))
            .collect();
        let patch = json!({
            "apiVersion": MutatingWebhookConfiguration::api_version(&()),
            "kind": MutatingWebhookConfiguration::kind(&()),
            "metadata": { "name": self.webhook },
            "webhooks": entries,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.call(configurations.patch(&self.webhook, &params, &Patch::Apply(patch))).await.map(|_| true)
    }

    fn secrets(&self, api: &ApiServer) -> Api<Secret> {
        Api::namespaced(api.client(), &self.namespace)
    }
}

fn compose(name: &str, bundle: &Bundle) -> Secret {
    let Bundle { ca, ca_key, ca_ends, ca_before, leaf, leaf_key, leaf_ends, names } = bundle;
    let fields = [
        ("ca.crt", ca.clone()),
        ("ca.key", ca_key.clone()),
        ("ca.ends", ca_ends.to_string()),
        ("ca-before.crt", ca_before.clone()),
        ("tls.crt", leaf.clone()),
        ("tls.key", leaf_key.clone()),
        ("tls.ends", leaf_ends.to_string()),
        ("tls.names", names.join(",")),
    ];
    let data = fields.map(|(field, value)| (field.to_owned(), ByteString(value.into_bytes())));
    let mut secret = Secret { type_: Some("Opaque".into()), data: Some(BTreeMap::from(data)), ..Secret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret
}

fn parse(secret: &Secret) -> Option<Bundle> {
    let data = secret.data.as_ref()?;
    let field = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok();
    let time = |name: &str| field(name)?.parse::<Timestamp>().ok();
    Some(Bundle {
        ca: field("ca.crt")?,
        ca_key: field("ca.key")?,
        ca_ends: time("ca.ends")?,
        ca_before: field("ca-before.crt")?,
        leaf: field("tls.crt")?,
        leaf_key: field("tls.key")?,
        leaf_ends: time("tls.ends")?,
        names: field("tls.names")?.split(',').map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_survives_its_secret() {
        let bundle = Bundle::new(&["a.svc".into(), "b.svc".into()], Timestamp::now()).expect("a bundle");
        assert_eq!(parse(&compose("webhook", &bundle)), Some(bundle));
    }

    #[test]
    fn a_secret_with_something_else_holds_no_bundle() {
        let bundle = Bundle::new(&["a.svc".into()], Timestamp::now()).expect("a bundle");
        let mut secret = compose("webhook", &bundle);
        secret.data.as_mut().and_then(|data| data.remove("ca.key"));
        assert_eq!(parse(&secret), None);
        assert_eq!(parse(&Secret::default()), None);
    }
}
