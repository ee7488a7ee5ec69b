//! A CA and what it signs.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};

use crate::name::Identity;

/// Certificates are valid a little before they are made, for clocks that are behind.
const SKEW: Duration = Duration::from_secs(600);

/// A CA: its certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// When its certificate ends.
    pub ends: SystemTime,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, in PEM.
    pub pem: String,
    /// The same in DER.
    pub der: Vec<u8>,
    /// When it ends.
    pub ends: SystemTime,
}

/// A certificate could not be made. What there was before stays.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The request is none, or was not made by the holder of its key.
    #[error("the request for a certificate cannot be used: {0}")]
    Request(rcgen::Error),
    /// A key or a certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
}

// === impl Authority ===

impl Authority {
    /// A new CA of this name, valid for so long.
    pub fn new(name: &str, now: SystemTime, valid: Duration) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let ends = now + valid;
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        date(&mut params, now, ends);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem(), ends })
    }

    /// Signs a request, PKCS #10 in DER, for somebody who has proved who they are. Nothing but the key is taken from it.
    pub fn sign(
        &self,
        request: &[u8],
        identity: &Identity,
        now: SystemTime,
        valid: Duration,
    ) -> Result<Issued, AuthorityError> {
        let request = CertificateSigningRequestParams::from_der(&request.into()).map_err(AuthorityError::Request)?;
        self.issue_to(&request.public_key, identity, now, valid)
    }

    /// A certificate for an identity with a new key, which is answered in PEM beside it.
    pub fn issue(
        &self,
        identity: &Identity,
        now: SystemTime,
        valid: Duration,
    ) -> Result<(Issued, String), AuthorityError> {
        let key = KeyPair::generate()?;
        Ok((self.issue_to(&key, identity, now, valid)?, key.serialize_pem()))
    }

    /// A certificate for a server of these host names with a new key, which is answered in PEM beside it.
    pub fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
        valid: Duration,
    ) -> Result<(Issued, String), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = called(names.first().map_or("baton-operator", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok((self.leaf(params, &key, now, valid)?, key.serialize_pem()))
    }

    fn issue_to(
        &self,
        key: &impl PublicKeyData,
        identity: &Identity,
        now: SystemTime,
        valid: Duration,
    ) -> Result<Issued, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.leaf(params, key, now, valid)
    }

    fn leaf(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        now: SystemTime,
        valid: Duration,
    ) -> Result<Issued, AuthorityError> {
        let ends = (now + valid).min(self.ends);
        date(&mut params, now, ends);
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key)?)?;
        let leaf = params.signed_by(key, &issuer)?;
        Ok(Issued { pem: leaf.pem(), der: leaf.der().to_vec(), ends })
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

/// Makes a certificate valid until then.
fn date(params: &mut CertificateParams, now: SystemTime, ends: SystemTime) {
    params.not_before = (now - SKEW).into();
    params.not_after = ends.into();
}
