//! What a connection keeps between MULTI and EXEC, and what it watches.

use baton_replica::{Key, WriteError};
use baton_resp::{Arguments, KeptArguments};
use xxhash_rust::xxh3::Xxh3;

use crate::engine::{Range, Turn};
use crate::redis::Front;
use crate::redis::budget::Room;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags};

/// Commands of one transaction: all shards are held while they are carried out, which takes some 10 ms for as many.
const MAX_QUEUED: usize = 10_000;

/// Keys that a connection watches.
const MAX_WATCHED: usize = 1_024;

/// What a command takes besides its arguments.
const OVERHEAD: usize = 128;

/// Commands that are neither reads nor writes, and do the same in a transaction as outside.
const HARMLESS: [&str; 6] = ["echo", "ping", "publish", "select", "time", "unwatch"];

/// Commands that are not kept for EXEC.
const IMMEDIATE: [&str; 6] = ["discard", "exec", "multi", "quit", "reset", "watch"];

/// The commands that wait for EXEC.
#[derive(Default)]
pub(super) struct Transaction {
    queued: Vec<Queued>,
    bytes: usize,
    room: Room,
    /// A command was refused: EXEC carries out none.
    spoiled: bool,
}

/// One of them.
pub(super) struct Queued {
    pub(super) command: &'static Command,
    pub(super) arguments: KeptArguments,
}

/// Keys as they were when they were named.
#[derive(Default)]
pub(super) struct Watched(Vec<(Key, u128)>);

// === impl Transaction ===

impl Transaction {
    /// Whether a command waits for EXEC.
    pub(super) fn keeps(command: &Command) -> bool {
        !IMMEDIATE.contains(&command.name)
    }

    /// Keeps a command.
    pub(super) fn push(
        &mut self,
        front: &Front,
        command: &'static Command,
        arguments: Arguments<'_>,
    ) -> Result<(), Failure> {
        let touches_keys = command.flags.has(Flags::READ) || command.flags.has(Flags::WRITE);
        if !touches_keys && !HARMLESS.contains(&command.name) {
            return Err(Failure::text("ERR Command not allowed inside a transaction"));
        }
        let arguments = arguments.keep();
        self.bytes += OVERHEAD + arguments.size();
        if self.queued.len() >= MAX_QUEUED || self.room.take(&front.budget, self.bytes).is_err() {
            return Err(Failure::text("ERR the transaction is too large; make several of it"));
        }
        self.queued.push(Queued { command, arguments });
        Ok(())
    }

    /// A command was refused.
    pub(super) const fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// The commands, if none was refused.
    pub(super) fn into_queued(self) -> Result<Vec<Queued>, Failure> {
        if self.spoiled {
            return Err(Failure::text("EXECABORT Transaction discarded because of previous errors."));
        }
        Ok(self.queued)
    }
}

// === impl Watched ===

impl Watched {
    /// Watches a key from now on.
    pub(super) fn push(&mut self, turn: &Turn<'_>, key: Key) -> Result<(), Failure> {
        if self.0.len() >= MAX_WATCHED {
            return Err(Failure::text("ERR too many keys are watched"));
        }
        if self.0.iter().all(|(watched, _)| *watched != key) {
            let mark = mark_of(turn, &key)?;
            self.0.push((key, mark));
        }
        Ok(())
    }

    /// Watches nothing any more.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Whether all keys are as they were.
    pub(super) fn are_unchanged(&self, turn: &Turn<'_>) -> Result<bool, Failure> {
        for (key, mark) in &self.0 {
            if mark_of(turn, key)? != *mark {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Names what is there of a key and its fields: another write makes it another, whoever made it.
fn mark_of(turn: &Turn<'_>, key: &Key) -> Result<u128, WriteError> {
    let mut mark = Xxh3::new();
    if let Some(read) = turn.get(key)? {
        mark.update(read.tag.to_string().as_bytes());
    }
    for listed in turn.fields(key, Range { prefix: b"", after: None, limit: usize::MAX })? {
        mark.update(listed.key.as_bytes());
        mark.update(listed.read.tag.to_string().as_bytes());
    }
    Ok(mark.digest128())
}
