//! When keys end: EXPIRE, TTL and the like.
//!
//! A key with fields ends when its fields do: each of them gets the deadline, and commands that add fields give them that
//! of the others.

use baton_replica::{Key, Operation};

use crate::engine::{Turn, wall_millis};
use crate::redis::call::Call;
use crate::redis::command::options::Clock;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

pub(super) const COMMANDS: &[Command] = &[
    write("expire", -3, |call| end(call, Clock { millis: 1000, absolute: false })),
    write("expireat", -3, |call| end(call, Clock { millis: 1000, absolute: true })),
    write("pexpire", -3, |call| end(call, Clock { millis: 1, absolute: false })),
    write("pexpireat", -3, |call| end(call, Clock { millis: 1, absolute: true })),
    write("persist", 2, persist),
    read("ttl", |call| tell(call, |at, now| (at.saturating_sub(now) + 500) / 1000)),
    read("pttl", |call| tell(call, |at, now| at.saturating_sub(now))),
    read("expiretime", |call| tell(call, |at, _| at / 1000)),
    read("pexpiretime", |call| tell(call, |at, _| at)),
];

const fn read(name: &'static str, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity: 2, flags: Flags::READ.and(Flags::FAST), keys: Keys::FIRST, run }
}

const fn write(name: &'static str, arity: i16, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity, flags: Flags::WRITE.and(Flags::FAST), keys: Keys::FIRST, run }
}

/// What must hold of the deadline that a key has for it to get another.
#[derive(Clone, Copy, Debug, Default)]
struct Only {
    absent: bool,
    present: bool,
    later: bool,
    earlier: bool,
}

/// Gives a key another deadline, or none, with all of its fields or none of them. What was to end before now ends now.
pub(super) fn expire(turn: &mut Turn<'_>, key: &Key, expires_at: Option<u64>) -> Result<(), Failure> {
    if expires_at.is_some_and(|at| at <= turn.now()) {
        turn.remove(key)?;
        return Ok(());
    }
    Ok(turn.write_whole(key, &Operation::Touch { expires_at })?)
}

fn end(call: &mut Call<'_>, clock: Clock) -> Result<(), Failure> {
    let key = call.key(1)?;
    let at = clock.parse(call.arguments.get(2), wall_millis(), call.command.name)?;
    let at = u64::try_from(at).unwrap_or(0);
    let only = Only::parse(call)?;
    let done = call.state.turn([&key], |turn| {
        let wanted = turn.exists(&key)? && only.allows(turn.deadline(&key)?, at);
        if wanted {
            expire(turn, &key, Some(at))?;
        }
        Ok::<_, Failure>(wanted)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

fn persist(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let done = call.state.turn([&key], |turn| {
        let ends = turn.deadline(&key)?.is_some();
        if ends {
            expire(turn, &key, None)?;
        }
        Ok::<_, Failure>(ends)
    })?;
    call.reply.integer(done.into());
    Ok(())
}

/// -2 if there is no such key, -1 if it does not end.
fn tell(call: &mut Call<'_>, shown: fn(u64, u64) -> u64) -> Result<(), Failure> {
    let key = call.key(1)?;
    let told = call.state.turn([&key], |turn| match turn.deadline(&key)? {
        Some(at) => Ok(shown(at, turn.now()) as i64),
        None if turn.exists(&key)? => Ok(-1),
        None => Ok::<_, Failure>(-2),
    })?;
    call.reply.integer(told);
    Ok(())
}

// === impl Only ===

impl Only {
    fn parse(call: &Call<'_>) -> Result<Self, Failure> {
        let mut only = Self::default();
        for option in call.arguments.from(3) {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => only.absent = true,
                b"xx" => only.present = true,
                b"gt" => only.later = true,
                b"lt" => only.earlier = true,
                other => {
                    let text = format!("ERR Unsupported option {}", other.escape_ascii());
                    return Err(Failure::Text(text.into()));
                }
            }
        }
        if only.absent && (only.present || only.later || only.earlier) {
            return Err(Failure::text("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if only.later && only.earlier {
            return Err(Failure::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(only)
    }

    /// What does not end ends later than anything.
    fn allows(self, present: Option<u64>, at: u64) -> bool {
        let Self { absent, present: must_end, later, earlier } = self;
        !(absent && present.is_some()
            || must_end && present.is_none()
            || later && present.is_none_or(|present| at <= present)
            || earlier && present.is_some_and(|present| at >= present))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_does_not_end_ends_later_than_anything() {
        let later = Only { later: true, ..Only::default() };
        let earlier = Only { earlier: true, ..Only::default() };
        assert!(!later.allows(None, 5) && later.allows(Some(4), 5) && !later.allows(Some(5), 5));
        assert!(earlier.allows(None, 5) && !earlier.allows(Some(4), 5) && earlier.allows(Some(6), 5));
        let (absent, present) = (Only { absent: true, ..Only::default() }, Only { present: true, ..Only::default() });
        assert!(absent.allows(None, 5) && !absent.allows(Some(4), 5));
        assert!(!present.allows(None, 5) && present.allows(Some(4), 5));
    }
}
