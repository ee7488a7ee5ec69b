//! How pods left: receipts from agents and from pod status, brought to one conclusion per replica, and kept as a record.

mod archive;
mod former;
mod ledger;
mod receipt;
mod record;
mod untold;

#[cfg(test)]
mod tests;

pub use archive::Archive;
pub use former::Former;
pub use ledger::{Happening, Ledger};
pub use receipt::{Receipt, Stage};
#[cfg(test)]
pub(crate) use record::Verdict;
pub use record::{departure_reason, record, record_name};
pub use untold::Untold;
