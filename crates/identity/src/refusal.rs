//! Why somebody is not talked to.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use crate::name::NameError;

/// Why somebody is not talked to. The connection ends before a byte of it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not speak TLS.
    #[error("it does not speak TLS")]
    NoTls,
    /// It has no certificate.
    #[error("it has no certificate")]
    NoCertificate,
    /// Its certificate has ended.
    #[error("its certificate has ended")]
    Expired,
    /// Its certificate is not valid yet: one of the clocks is wrong.
    #[error("its certificate is not valid yet; one of the clocks is wrong")]
    NotYetValid,
    /// Its certificate is of a CA that is not trusted, or was changed.
    #[error("its certificate is of no CA that is trusted here")]
    Untrusted,
    /// Its certificate holds no identity.
    #[error("its certificate holds no identity: {0}")]
    Nameless(#[from] NameError),
    /// It is of another installation.
    #[error("it is of another trust domain")]
    OtherTrustDomain,
    /// It is of another namespace.
    #[error("it is of another namespace")]
    OtherNamespace,
    /// It is of another group.
    #[error("it is of another group")]
    OtherGroup,
    /// It is no operator.
    #[error("it is no operator")]
    NoOperator,
    /// It is no pod of a group.
    #[error("it is no member of a group")]
    NoMember,
    /// This side has no certificate yet.
    #[error("this side has no certificate yet")]
    NotReady,
    /// It did not end its handshake in time.
    #[error("it did not end its handshake in time")]
    Slow,
    /// The other side refused, or the handshake failed otherwise.
    #[error("the handshake failed: {0}")]
    Handshake(String),
}

// === impl Refusal ===

impl Refusal {
    /// Every code there is.
    pub const CODES: [&str; 14] = [
        "no_tls",
        "no_certificate",
        "expired",
        "not_yet_valid",
        "untrusted",
        "nameless",
        "other_trust_domain",
        "other_namespace",
        "other_group",
        "no_operator",
        "no_member",
        "not_ready",
        "slow",
        "handshake",
    ];

    /// A short name of the reason, one of [`Self::CODES`]: for counting.
    pub const fn code(&self) -> &'static str {
        Self::CODES[match self {
            Self::NoTls => 0,
            Self::NoCertificate => 1,
            Self::Expired => 2,
            Self::NotYetValid => 3,
            Self::Untrusted => 4,
            Self::Nameless(_) => 5,
            Self::OtherTrustDomain => 6,
            Self::OtherNamespace => 7,
            Self::OtherGroup => 8,
            Self::NoOperator => 9,
            Self::NoMember => 10,
            Self::NotReady => 11,
            Self::Slow => 12,
            Self::Handshake(_) => 13,
        }]
    }

    /// Why a handshake failed.
    pub fn of(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidMessage(_)) => Self::NoTls,
            Some(rustls::Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(rustls::Error::InvalidCertificate(error)) => Self::of_certificate(error),
            Some(error) => Self::Handshake(error.to_string()),
            None => Self::Handshake(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired => Self::Expired,
            CertificateError::NotValidYet => Self::NotYetValid,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            CertificateError::Other(other) => {
                let refusal = other.source().and_then(|cause| cause.downcast_ref::<Self>()).cloned();
                refusal.unwrap_or(Self::Untrusted)
            }
            _ => Self::Untrusted,
        }
    }
}

impl From<webpki::Error> for Refusal {
    fn from(error: webpki::Error) -> Self {
        match error {
            webpki::Error::CertExpired { .. } => Self::Expired,
            webpki::Error::CertNotValidYet { .. } => Self::NotYetValid,
            _ => Self::Untrusted,
        }
    }
}

impl From<Refusal> for rustls::Error {
    /// The other side hears as much as TLS has words for.
    fn from(refusal: Refusal) -> Self {
        Self::InvalidCertificate(match refusal {
            Refusal::Expired => CertificateError::Expired,
            Refusal::NotYetValid => CertificateError::NotValidYet,
            Refusal::Untrusted => CertificateError::UnknownIssuer,
            refusal => CertificateError::Other(OtherError(Arc::new(refusal))),
        })
    }
}
