//! Who agents and operators are, and how they prove it to each other.
//!
//! A certificate holds one URI, an [`Identity`]. A [`Wallet`] holds what one process shows and whom it trusts; both are
//! exchanged while connections are up, and each handshake takes what is there. [`Expected`] says whom a side talks to,
//! a [`Refusal`] why it does not. With the feature `authority` this crate also issues: an `Authority` signs, a
//! `Keyring` renews it, with roots that overlap.

mod accept;
#[cfg(feature = "authority")]
mod authority;
mod connect;
mod credential;
mod expected;
#[cfg(feature = "authority")]
mod keyring;
mod name;
mod refusal;
mod verifier;
mod wallet;

pub use accept::{Incoming, incoming};
#[cfg(feature = "authority")]
pub use authority::{Authority, AuthorityError, Issued};
pub use connect::{ConnectError, connect};
pub use credential::{Credential, CredentialError, KeyRequest, certified_key};
pub use expected::Expected;
#[cfg(feature = "authority")]
pub use keyring::{Keyring, LEAF_LIFE, Seat};
pub use name::{Identity, Member, NameError, TrustDomain};
pub use refusal::Refusal;
pub use rustls::ClientConfig;
pub use rustls::pki_types::CertificateDer;
pub use tokio_rustls::{client, server};
pub use wallet::Wallet;
