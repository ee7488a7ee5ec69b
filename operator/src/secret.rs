//! A Secret that operators share: read as it is, written over what was read only.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;

use crate::api::{ApiError, ApiServer};

/// What a Secret holds, by field.
pub(crate) type Fields = BTreeMap<String, ByteString>;

/// A Secret of the operator's own namespace.
#[derive(Clone, Debug)]
pub(crate) struct SharedSecret {
    /// The namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Who writes it.
    pub(crate) manager: &'static str,
}

/// A Secret as it was read, with what a write over it must name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    resource_version: Option<String>,
    /// Its annotations. A write drops them.
    pub(crate) annotations: BTreeMap<String, String>,
    /// What it holds.
    pub(crate) fields: Fields,
}

// === impl SharedSecret ===

impl SharedSecret {
    /// Reads it; none if there is none.
    pub(crate) async fn read(&self, api: &ApiServer) -> Result<Option<Found>, ApiError> {
        let secret = api.call(self.secrets(api).get_opt(&self.name)).await?;
        Ok(secret.map(|secret| Found {
            resource_version: secret.metadata.resource_version,
            annotations: secret.metadata.annotations.unwrap_or_default(),
            fields: secret.data.unwrap_or_default(),
        }))
    }

    /// Writes it: as a new one, or over the one that was read. A conflict means that another operator was first; what
    /// that has written is as good.
    pub(crate) async fn write(&self, api: &ApiServer, over: Option<&Found>, fields: Fields) -> Result<(), ApiError> {
        let mut secret = Secret { type_: Some("Opaque".into()), data: Some(fields), ..Secret::default() };
        secret.metadata.name = Some(self.name.clone());
        let secrets = self.secrets(api);
        let params = PostParams { field_manager: Some(self.manager.into()), ..PostParams::default() };
        match over {
            None => api.write(secrets.create(&params, &secret)).await.map(drop),
            Some(found) => {
                secret.metadata.resource_version.clone_from(&found.resource_version);
                api.write(secrets.replace(&self.name, &params, &secret)).await.map(drop)
            }
        }
    }

    fn secrets(&self, api: &ApiServer) -> Api<Secret> {
        Api::namespaced(api.client(), &self.namespace)
    }
}
