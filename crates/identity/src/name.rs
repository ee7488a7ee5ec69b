//! The URI in a certificate: `spiffe://TRUST-DOMAIN/operator`, or
//! `spiffe://TRUST-DOMAIN/ns/NAMESPACE/group/GROUP/pod/UID`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The longest URI, as SPIFFE has it.
const MAX_BYTES: usize = 2048;

const SCHEME: &str = "spiffe://";

/// The installation that identities belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustDomain(Arc<str>);

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// An operator.
    Operator(TrustDomain),
    /// A pod of a group.
    Member(TrustDomain, Member),
}

/// A pod of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The namespace of the group and its pods.
    pub namespace: String,
    /// The HandoffGroup's name.
    pub group: String,
    /// The pod's UID; without Kubernetes, the name of its row in the members file.
    pub pod: String,
}

/// Something is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The URI has another form.
    #[error("it is no identity of an agent or an operator")]
    Form,
    /// A part of the URI has characters that its kind does not have.
    #[error("the {0} in it is not one")]
    Part(&'static str),
    /// The certificate has no URI, or several.
    #[error("the certificate names {0} URIs, not one")]
    Count(usize),
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
}

// === impl TrustDomain ===

impl FromStr for TrustDomain {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(sound) {
            return Err(NameError::Part("trust domain"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Identity ===

impl Identity {
    /// The identity that a certificate holds. Whether the certificate is to be trusted is another question.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NameError> {
        let certificate = EndEntityCert::try_from(certificate).map_err(|_| NameError::Certificate)?;
        Self::in_certificate(&certificate)
    }

    /// The installation that it belongs to.
    pub fn trust_domain(&self) -> &TrustDomain {
        match self {
            Self::Operator(domain) | Self::Member(domain, _) => domain,
        }
    }

    /// The pod, if it is one.
    pub fn member(&self) -> Option<&Member> {
        match self {
            Self::Operator(_) => None,
            Self::Member(_, member) => Some(member),
        }
    }

    pub(crate) fn in_certificate(certificate: &EndEntityCert<'_>) -> Result<Self, NameError> {
        let mut names = certificate.valid_uri_names();
        let (first, others) = (names.next(), names.count());
        match first {
            Some(name) if others == 0 => name.parse(),
            _ => Err(NameError::Count(others + usize::from(first.is_some()))),
        }
    }
}

impl FromStr for Identity {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_BYTES).ok_or(NameError::Form)?;
        let mut parts = rest.split('/');
        let domain = parts.next().ok_or(NameError::Form)?.parse()?;
        let parts: Vec<&str> = parts.collect();
        match parts[..] {
            ["operator"] => Ok(Self::Operator(domain)),
            ["ns", namespace, "group", group, "pod", pod] => {
                Ok(Self::Member(domain, Member::new(namespace, group, pod)?))
            }
            _ => Err(NameError::Form),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(domain) => write!(f, "{SCHEME}{domain}/operator"),
            Self::Member(domain, Member { namespace, group, pod }) => {
                write!(f, "{SCHEME}{domain}/ns/{namespace}/group/{group}/pod/{pod}")
            }
        }
    }
}

// === impl Member ===

impl Member {
    /// A pod of a group; each part has the characters of a Kubernetes name.
    pub fn new(namespace: &str, group: &str, pod: &str) -> Result<Self, NameError> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        for (what, part) in [("namespace", namespace), ("group", group), ("pod", pod)] {
            let dots = part == "." || part == "..";
            if part.is_empty() || part.len() > 253 || dots || !part.bytes().all(sound) {
                return Err(NameError::Part(what));
            }
        }
        Ok(Self { namespace: namespace.to_owned(), group: group.to_owned(), pod: pod.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_its_uri() {
        for uri in ["spiffe://cluster.local/operator", "spiffe://td/ns/shop/group/web/pod/0f-1"] {
            assert_eq!(uri.parse::<Identity>().map(|identity| identity.to_string()), Ok(uri.to_owned()));
        }
    }

    #[test]
    fn another_form_is_no_identity() {
        let wrong = [
            "",
            "https://td/operator",
            "spiffe:///operator",
            "spiffe://td",
            "spiffe://td/operator/",
            "spiffe://td/ns/shop/group/web",
            "spiffe://td/ns/shop/group/web/pod/",
            "spiffe://td/ns/shop/group/web/pod/a/b",
            "spiffe://td/ns/shop/group/../pod/a",
            "spiffe://td/ns/shop/group/w%62/pod/a",
            "spiffe://TD/operator",
            "spiffe://td/sa/shop",
        ];
        for uri in wrong {
            assert!(uri.parse::<Identity>().is_err(), "{uri}");
        }
    }
}
