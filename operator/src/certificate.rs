//! The webhook's certificate: made by the operator, kept in a Secret, renewed without a restart.
//!
//! The Secret lets several operators and every restart agree. A new CA is trusted, in the webhook's
//! `caBundle`, before anything that it signed is served, and the CA before it stays trusted beside it.

mod bundle;
mod custodian;
mod resolver;
mod store;

pub use bundle::{Bundle, Renewal};
pub use custodian::Custodian;
pub use resolver::Resolver;
