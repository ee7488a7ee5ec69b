//! How pods left: receipts from agents and from pod status, brought to one conclusion per replica.

mod ledger;
mod receipt;

#[cfg(test)]
mod tests;

pub use ledger::{Happening, Ledger};
pub use receipt::{Receipt, Stage};
