//! What a process shows and whom it trusts, exchanged while connections are up.
//!
//! TLS is asked for 1.3 only and never resumes: a resumed session would go by a certificate that was checked earlier.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};

use crate::credential::{Credential, CredentialError};
use crate::expected::Expected;
use crate::name::Identity;
use crate::verifier::Verifier;

/// HTTP/2, which gRPC is.
const ALPN: &[u8] = b"h2";

/// What a process shows and whom it trusts. Each handshake takes what is there; connections that are up stay.
#[derive(Default)]
pub struct Wallet {
    held: RwLock<Held>,
}

struct Held {
    credential: Option<Arc<Credential>>,
    roots: Arc<RootCertStore>,
}

// === impl Wallet ===

impl Wallet {
    /// Shows this certificate from now on.
    pub fn hold(&self, credential: Credential) {
        self.held.write().credential = Some(Arc::new(credential));
    }

    /// Trusts these CAs, in PEM, and no others from now on. Without any in it, those before stay.
    pub fn trust(&self, roots: &str) -> Result<(), CredentialError> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root?)?;
        }
        if store.is_empty() {
            return Err(CredentialError::NoCertificate);
        }
        self.held.write().roots = Arc::new(store);
        Ok(())
    }

    /// Who this process is, once it has a certificate.
    pub fn identity(&self) -> Option<Identity> {
        self.held.read().credential.as_ref().map(|credential| credential.identity().clone())
    }

    /// What the accepting side of a connection goes by.
    pub fn server_config(self: &Arc<Self>, expected: Expected) -> Result<Arc<ServerConfig>, CredentialError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new(self.clone(), expected, provider.signature_verification_algorithms);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }

    /// What the connecting side of a connection goes by.
    pub fn client_config(self: &Arc<Self>, expected: Expected) -> Result<Arc<ClientConfig>, CredentialError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new(self.clone(), expected, provider.signature_verification_algorithms);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(self.clone());
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.held.read().roots.clone()
    }

    fn key(&self) -> Option<Arc<CertifiedKey>> {
        self.held.read().credential.as_ref().map(|credential| credential.key())
    }
}

impl Default for Held {
    /// Trusts nobody.
    fn default() -> Self {
        Self { credential: None, roots: Arc::new(RootCertStore::empty()) }
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Wallet {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key()
    }
}

impl ResolvesClientCert for Wallet {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key()
    }

    fn has_certs(&self) -> bool {
        self.held.read().credential.is_some()
    }
}
