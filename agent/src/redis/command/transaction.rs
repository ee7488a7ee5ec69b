//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! EXEC holds all shards of this agent: no other command of any client comes between its commands, whatever keys they
//! have. As in Redis, a command that fails does not undo the others.

use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};
use crate::redis::transaction::Transaction;

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "multi", arity: 1, flags: Flags::FAST, keys: Keys::NONE, run: multi },
    Command { name: "exec", arity: 1, flags: Flags::NONE, keys: Keys::NONE, run: exec },
    Command { name: "discard", arity: 1, flags: Flags::FAST, keys: Keys::NONE, run: discard },
    Command { name: "watch", arity: -2, flags: Flags::FAST, keys: Keys::ALL, run: watch },
    Command { name: "unwatch", arity: 1, flags: Flags::FAST, keys: Keys::NONE, run: unwatch },
];

fn multi(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.session.transaction.is_some() {
        return Err(Failure::text("ERR MULTI calls can not be nested"));
    }
    call.session.transaction = Some(Transaction::default());
    call.ok()
}

fn discard(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.session.transaction.take().is_none() {
        return Err(Failure::text("ERR DISCARD without MULTI"));
    }
    call.session.watched.clear();
    call.ok()
}

fn watch(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.session.transaction.is_some() {
        return Err(Failure::text("ERR WATCH inside MULTI is not allowed"));
    }
    let watched = &mut call.session.watched;
    for at in 1..call.arguments.len() {
        let key = call.session.database.key(call.arguments.get(at))?;
        call.state.turn([&key], |turn| watched.push(turn, key.clone()))?;
    }
    call.ok()
}

fn unwatch(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.watched.clear();
    call.ok()
}

fn exec(call: &mut Call<'_>) -> Result<(), Failure> {
    let Some(transaction) = call.session.transaction.take() else {
        return Err(Failure::text("ERR EXEC without MULTI"));
    };
    let watched = std::mem::take(&mut call.session.watched);
    let queued = transaction.into_queued()?;
    let Some(mut state) = call.state.hold_all() else { unreachable!("EXEC is not kept for EXEC") };
    let unchanged = state.turn([], |turn| watched.are_unchanged(turn));
    if !matches!(unchanged, Ok(true)) {
        state.let_go();
        call.reply.null_array();
        return unchanged.map(drop);
    }
    call.reply.array(queued.len());
    let Call { command, front, session, arguments, reply, .. } = call;
    let (command, front, arguments) = (*command, *front, *arguments);
    let mut inner = Call { command, front, state, session, arguments, reply };
    for request in &queued {
        inner.command = request.command;
        inner.arguments = request.arguments.arguments();
        let start = inner.reply.len();
        if let Err(failure) = (request.command.run)(&mut inner) {
            let end = inner.reply.len();
            inner.reply.replace(start..end, &failure.to_string());
        }
    }
    inner.state.let_go();
    Ok(())
}
