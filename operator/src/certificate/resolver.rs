//! The certificate that the webhook serves with, changed between two handshakes.

use std::sync::Arc;

use baton_identity::{CredentialError, certified_key};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Bundle;

/// Holds the certificate that is served.
#[derive(Debug, Default)]
pub struct Resolver {
    current: RwLock<Option<Arc<CertifiedKey>>>,
}

// === impl Resolver ===

impl Resolver {
    /// Serves with this bundle's leaf from now on; with one that cannot be used, the one before stays.
    pub fn serve(&self, bundle: &Bundle) -> Result<(), CredentialError> {
        *self.current.write() = Some(Arc::new(certified_key(&bundle.leaf, &bundle.leaf_key)?));
        Ok(())
    }

    /// Whether there is a certificate to serve with.
    pub fn is_serving(&self) -> bool {
        self.current.read().is_some()
    }

    /// A TLS configuration that asks this resolver at each handshake.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config =
            config.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().clone()
    }
}
