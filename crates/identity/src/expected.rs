//! Whom a side of a connection talks to.

use crate::name::Identity;
use crate::refusal::Refusal;

/// Whom a side of a connection talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Pods of its own group.
    OwnGroup,
    /// An operator.
    Operator,
    /// Pods of any group, operators, and whoever has no certificate yet. What they may do is decided for each call.
    Anybody,
}

// === impl Expected ===

impl Expected {
    /// Whether somebody who proved to be `other` is whom `own` talks to.
    pub(crate) fn check(self, own: Option<&Identity>, other: &Identity) -> Result<(), Refusal> {
        if own.is_some_and(|own| own.trust_domain() != other.trust_domain()) {
            return Err(Refusal::OtherTrustDomain);
        }
        match (self, other) {
            (Self::Operator, Identity::Operator(_)) | (Self::Anybody, Identity::Member(..) | Identity::Operator(_)) => {
                Ok(())
            }
            (Self::Operator, Identity::Member(..)) => Err(Refusal::NoOperator),
            (Self::OwnGroup, Identity::Operator(_)) => Err(Refusal::NoMember),
            (Self::OwnGroup, Identity::Member(_, other)) => {
                // Without a certificate of its own a process has no group.
                let own = own.and_then(Identity::member).ok_or(Refusal::NotReady)?;
                if own.namespace != other.namespace {
                    return Err(Refusal::OtherNamespace);
                }
                if own.group != other.group {
                    return Err(Refusal::OtherGroup);
                }
                Ok(())
            }
        }
    }

    /// Whether the other side must have a certificate.
    pub(crate) fn is_mandatory(self) -> bool {
        match self {
            Self::OwnGroup | Self::Operator => true,
            Self::Anybody => false,
        }
    }
}
