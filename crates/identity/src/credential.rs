//! A certificate with its key, and how a process asks for one.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem};
use rustls::sign::CertifiedKey;

use crate::name::{Identity, NameError};

/// A certificate that holds an identity, with its key.
#[derive(Clone, Debug)]
pub struct Credential {
    key: Arc<CertifiedKey>,
    identity: Identity,
}

/// A new key that never leaves the process, for which a certificate is asked.
#[derive(Debug)]
pub struct KeyRequest {
    key: KeyPair,
}

/// A certificate or its key cannot be used; what there was before stays.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It is no PEM.
    #[error("it is no PEM: {0}")]
    Pem(#[from] pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// The key does not fit, or the TLS library does not know it.
    #[error("it cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The certificate holds no identity.
    #[error("it holds no identity: {0}")]
    Name(#[from] NameError),
    /// A key could not be made, or a request of it.
    #[error("a key could not be made: {0}")]
    Key(#[from] rcgen::Error),
}

/// A certificate and its key, as TLS takes them, from PEM.
pub fn certified_key(chain: &str, key: &str) -> Result<CertifiedKey, CredentialError> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    certified(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CredentialError> {
    if chain.is_empty() {
        return Err(CredentialError::NoCertificate);
    }
    Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
}

// === impl Credential ===

impl Credential {
    /// A certificate and its key from PEM.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, CredentialError> {
        Self::of(certified_key(chain, key)?)
    }

    /// Who it says its holder is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    fn of(key: CertifiedKey) -> Result<Self, CredentialError> {
        let identity = Identity::of(key.end_entity_cert()?)?;
        Ok(Self { key: Arc::new(key), identity })
    }
}

// === impl KeyRequest ===

impl KeyRequest {
    /// Makes a key.
    pub fn new() -> Result<Self, CredentialError> {
        Ok(Self { key: KeyPair::generate()? })
    }

    /// The request for a certificate, PKCS #10 in DER. It names nobody: who this is, is proved otherwise.
    pub fn to_der(&self) -> Result<Vec<u8>, CredentialError> {
        Ok(CertificateParams::default().serialize_request(&self.key)?.der().to_vec())
    }

    /// The key with the certificate that was issued for it, in DER.
    pub fn into_credential(self, certificate: Vec<u8>) -> Result<Credential, CredentialError> {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        Credential::of(certified(vec![certificate.into()], key.into())?)
    }
}
