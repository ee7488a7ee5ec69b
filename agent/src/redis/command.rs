//! The commands, family by family.

mod channel;
mod client;
mod connection;
mod counter;
mod draw;
mod expiry;
mod hash;
mod inspect;
mod key;
mod options;
mod page;
pub(super) mod refused;
mod rename;
mod scan;
mod server;
mod set;
mod sorted_set;
mod string;
mod substring;
mod transaction;

use crate::redis::table::Command;

/// All families.
pub(super) const FAMILIES: &[&[Command]] = &[
    channel::COMMANDS,
    client::COMMANDS,
    connection::COMMANDS,
    counter::COMMANDS,
    expiry::COMMANDS,
    hash::COMMANDS,
    inspect::COMMANDS,
    key::COMMANDS,
    rename::COMMANDS,
    scan::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    string::COMMANDS,
    substring::COMMANDS,
    transaction::COMMANDS,
];
