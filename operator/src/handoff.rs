//! How pods left: receipts from agents and from pod status, brought to one conclusion per replica.

mod former;
mod ledger;
mod receipt;

#[cfg(test)]
mod tests;

pub use former::Former;
pub use ledger::{Happening, Ledger};
pub use receipt::{Receipt, Stage};
