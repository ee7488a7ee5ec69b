//! The certificate that the webhook serves with, changed between two handshakes.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Bundle;

/// Holds the certificate that is served.
#[derive(Debug, Default)]
pub struct Resolver {
    current: RwLock<Option<Arc<CertifiedKey>>>,
}

/// The certificate cannot be served; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It is no PEM.
    #[error("the certificate or its key is no PEM: {0}")]
    Pem(#[from] pem::Error),
    /// The key does not fit, or the TLS library does not know it.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

// === impl Resolver ===

impl Resolver {
    /// Serves with this bundle's leaf from now on.
    pub fn serve(&self, bundle: &Bundle) -> Result<(), ServeError> {
        let chain = CertificateDer::pem_slice_iter(bundle.leaf.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(bundle.leaf_key.as_bytes())?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        *self.current.write() = Some(Arc::new(certified));
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
