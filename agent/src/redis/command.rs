//! The commands, family by family.

mod client;
mod connection;
mod counter;
mod expiry;
mod inspect;
mod key;
mod options;
pub(super) mod refused;
mod rename;
mod scan;
mod server;
mod string;
mod substring;

use crate::redis::table::Command;

/// All families.
pub(super) const FAMILIES: &[&[Command]] = &[
    client::COMMANDS,
    connection::COMMANDS,
    counter::COMMANDS,
    expiry::COMMANDS,
    inspect::COMMANDS,
    key::COMMANDS,
    rename::COMMANDS,
    scan::COMMANDS,
    server::COMMANDS,
    string::COMMANDS,
    substring::COMMANDS,
];
