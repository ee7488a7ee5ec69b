//! The bundle in its Secret, and the CA in the webhook's configuration.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;

use super::Bundle;
use crate::api::{ApiError, ApiServer};
use crate::secret::{Fields, Found, SharedSecret};

/// The manager of the `caBundle`.
const FIELD_MANAGER: &str = "baton-operator-certificate";

/// Where the bundle and its trust are kept.
#[derive(Clone, Debug)]
pub(super) struct Store {
    secret: SharedSecret,
    webhook: String,
}

/// A bundle as it was read, with what a write over it must name.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    found: Found,
    /// The bundle; none if the Secret holds something else.
    pub(super) bundle: Option<Bundle>,
}

// === impl Store ===

impl Store {
    /// Keeps the bundle in this Secret of this namespace, and its CA in this webhook's configuration.
    pub(super) fn new(namespace: &str, secret: &str, webhook: &str) -> Self {
        let secret = SharedSecret { namespace: namespace.into(), name: secret.into(), manager: FIELD_MANAGER };
        Self { secret, webhook: webhook.into() }
    }

    /// Reads the Secret; none if there is none.
    pub(super) async fn read(&self, api: &ApiServer) -> Result<Option<Kept>, ApiError> {
        let found = self.secret.read(api).await?;
        Ok(found.map(|found| Kept { bundle: parse(&found.fields), found }))
    }

    /// Writes the Secret: as a new one, or over the one that was read.
    pub(super) async fn write(&self, api: &ApiServer, over: Option<&Kept>, bundle: &Bundle) -> Result<(), ApiError> {
        self.secret.write(api, over.map(|kept| &kept.found), compose(bundle)).await
    }

    /// Whether the API server trusts this CA.
    pub(super) async fn is_trusted(&self, api: &ApiServer, ca: &str) -> Result<bool, ApiError> {
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(api.client());
        let found = api.call(configurations.get(&self.webhook)).await?;
        let trusts = |bundle: &ByteString| std::str::from_utf8(&bundle.0).is_ok_and(|trusted| trusted.contains(ca));
        let webhooks = found.webhooks.unwrap_or_default();
        Ok(webhooks.iter().all(|webhook| webhook.client_config.ca_bundle.as_ref().is_some_and(trusts)))
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
        api.write(configurations.patch(&self.webhook, &params, &Patch::Apply(patch))).await.map(|_| true)
    }
}

fn compose(bundle: &Bundle) -> Fields {
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
    fields.map(|(field, value)| (field.to_owned(), ByteString(value.into_bytes()))).into()
}

fn parse(data: &Fields) -> Option<Bundle> {
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
        assert_eq!(parse(&compose(&bundle)), Some(bundle));
    }

    #[test]
    fn a_secret_with_something_else_holds_no_bundle() {
        let bundle = Bundle::new(&["a.svc".into()], Timestamp::now()).expect("a bundle");
        let mut fields = compose(&bundle);
        fields.remove("ca.key");
        assert_eq!(parse(&fields), None);
        assert_eq!(parse(&Fields::new()), None);
    }
}
