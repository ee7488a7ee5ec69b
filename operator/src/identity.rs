//! Who is who: the operator's CA, and the certificates that it signs for agents.
//!
//! The [`Custodian`] keeps the CAs in a Secret and the operator's own certificate, the [`Herald`] has agents trust the
//! CAs by a ConfigMap in each namespace with a group, and the [`IdentityService`] signs for agents that prove by a
//! token which pod they are in.

mod custodian;
mod herald;
mod issuer;
mod service;
mod token;

#[cfg(test)]
mod tests;

pub use custodian::Custodian;
pub use herald::Herald;
pub use issuer::Issuer;
pub use service::IdentityService;

/// The audience of the tokens that agents show: a token for somebody else is none for the operator, and the other way
/// round.
pub const AUDIENCE: &str = "baton.dev/operator";

/// The ConfigMap with the CAs in each namespace with a group and in the operator's own, and its key.
pub const ROOTS: (&str, &str) = ("baton-roots", "roots.pem");
