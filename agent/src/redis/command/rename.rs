//! RENAME and COPY: a key's value, or its fields, as another key's.
//!
//! Both keys are held meanwhile, so that nobody on this pod sees half of it. A counter becomes what it amounts to: what
//! another pod adds at that moment is added to the key that there was.

use baton_replica::{Key, Operation, Read};
use baton_resp::parse_integer;

use crate::engine::{Plan, Turn};
use crate::redis::call::Call;
use crate::redis::database::Database;
use crate::redis::failure::Failure;
use crate::redis::kind::name_of;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "copy", arity: -3, flags: Flags::WRITE, keys: Keys::TWO, run: copy },
    Command { name: "rename", arity: 3, flags: Flags::WRITE, keys: Keys::TWO, run: rename },
    Command { name: "renamenx", arity: 3, flags: Flags::WRITE, keys: Keys::TWO, run: renamenx },
];

/// One key becomes what another is.
struct Transfer<'a> {
    from: &'a Key,
    to: &'a Key,
    /// The other is not there any more then.
    ends: bool,
}

/// Plans some of what is to be done, or does it.
type Step<'a> = dyn FnMut(&mut Turn<'_>, Vec<(Key, Operation)>) -> Result<(), Failure> + 'a;

fn rename(call: &mut Call<'_>) -> Result<(), Failure> {
    let (from, to) = (call.key(1)?, call.key(2)?);
    call.state.turn([&from, &to], |turn| {
        if !turn.exists(&from)? {
            return Err(Failure::NoSuchKey);
        }
        if from != to {
            Transfer { from: &from, to: &to, ends: true }.carry_out(turn)?;
        } else {
            turn.vouch(&from)?;
        }
        Ok(())
    })?;
    call.ok()
}

fn renamenx(call: &mut Call<'_>) -> Result<(), Failure> {
    let (from, to) = (call.key(1)?, call.key(2)?);
    let done = call.state.turn([&from, &to], |turn| {
        if !turn.exists(&from)? {
            return Err(Failure::NoSuchKey);
        }
        if turn.exists(&to)? {
            return Ok(false);
        }
        Transfer { from: &from, to: &to, ends: true }.carry_out(turn)?;
        Ok(true)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

/// `COPY source destination [DB number] [REPLACE]`.
fn copy(call: &mut Call<'_>) -> Result<(), Failure> {
    let (mut database, mut replace, mut at) = (call.session.database, false, 3);
    while at < call.arguments.len() {
        at += match () {
            () if call.is(at, "replace") => {
                replace = true;
                1
            }
            () if call.is(at, "db") && at + 1 < call.arguments.len() => {
                let number = parse_integer(call.arguments.get(at + 1)).ok_or(Failure::NotAnInteger)?;
                database = Database::new(number).ok_or(Failure::text("ERR DB index is out of range"))?;
                2
            }
            () => return Err(Failure::Syntax),
        };
    }
    let (from, to) = (call.key(1)?, database.key(call.arguments.get(2))?);
    if from == to {
        return Err(Failure::text("ERR source and destination objects are the same"));
    }
    let done = call.state.turn([&from, &to], |turn| {
        let wanted = turn.exists(&from)? && (replace || !turn.exists(&to)?);
        if wanted {
            Transfer { from: &from, to: &to, ends: false }.carry_out(turn)?;
        }
        Ok::<_, Failure>(wanted)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

// === impl Transfer ===

impl Transfer<'_> {
    /// Makes one key what another is; if there is no room for all of it, both stay as they were.
    fn carry_out(&self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        let mut plan = Plan::default();
        self.each_step(turn, &mut |turn, changes| Ok(turn.plan(&mut plan, &changes)?))?;
        turn.decide(&plan)?;
        self.each_step(turn, &mut |turn, changes| {
            turn.carry_out(changes)?;
            Ok(())
        })
    }

    /// Goes through all that is to be done: first what is put, so that something is there all the time.
    fn each_step(&self, turn: &mut Turn<'_>, step: &mut Step<'_>) -> Result<(), Failure> {
        let &Self { from, to, ends } = self;
        let value = turn.get(from)?;
        let is_text = value.is_some();
        match value {
            Some(read) => step(turn, vec![copy_of(to.clone(), read)])?,
            None => turn.each_page(from, |turn, fields| {
                let copies: Result<Vec<_>, Failure> =
                    fields.into_iter().map(|row| Ok(copy_of(to.with_field(name_of(&row))?, row.read))).collect();
                step(turn, copies?)
            })?,
        }
        if !is_text {
            step(turn, vec![(to.clone(), Operation::Delete)])?;
        }
        turn.each_page(to, |turn, fields| {
            let mut others = Vec::with_capacity(fields.len());
            for row in fields {
                if is_text || turn.get(&from.with_field(name_of(&row))?)?.is_none() {
                    others.push((row.key, Operation::Delete));
                }
            }
            step(turn, others)
        })?;
        if !ends {
            return Ok(());
        }
        step(turn, vec![(from.clone(), Operation::Delete)])?;
        turn.each_page(from, |turn, fields| {
            step(turn, fields.into_iter().map(|row| (row.key, Operation::Delete)).collect())
        })
    }
}

fn copy_of(key: Key, read: Read) -> (Key, Operation) {
    let expires_at = read.expires_at();
    (key, Operation::Put { value: read.value, expires_at })
}
