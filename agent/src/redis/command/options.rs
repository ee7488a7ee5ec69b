//! When a value is to end, as options say it: EX, PX, EXAT, PXAT, KEEPTTL, PERSIST.

use baton_resp::parse_integer;

use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::ttl;

/// When a value is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// In Unix milliseconds.
    At(u64),
    /// When that which was there was to.
    Keep,
    Never,
}

/// How a time is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Seconds have a thousand.
    pub(super) millis: i64,
    /// Since 1970, or from now on.
    pub(super) absolute: bool,
}

// === impl Clock ===

impl Clock {
    /// What an option says, and whether a time follows it.
    fn of_option(option: &[u8]) -> Option<Self> {
        let (millis, absolute) = match option.to_ascii_lowercase().as_slice() {
            b"ex" => (1000, false),
            b"px" => (1, false),
            b"exat" => (1000, true),
            b"pxat" => (1, true),
            _ => return None,
        };
        Some(Self { millis, absolute })
    }

    /// The time in Unix milliseconds, which may be past. Nothing ends later than in a century.
    pub(super) fn parse(self, text: &[u8], now: u64, command: &'static str) -> Result<i64, Failure> {
        let number = parse_integer(text).ok_or(Failure::NotAnInteger)?;
        let base = if self.absolute { 0 } else { now as i64 };
        let at = number.checked_mul(self.millis).and_then(|millis| millis.checked_add(base));
        let sane = |at: &i64| *at <= now as i64 || ttl::of_millis(at.abs_diff(now as i64)).is_some();
        at.filter(sane).ok_or(Failure::ExpireTime(command))
    }
}

// === impl Ending ===

impl Ending {
    /// Takes an option at a place, if it is one of these, and says how many arguments it has. Only one may be said.
    pub(super) fn take(&mut self, call: &Call<'_>, at: usize, now: u64) -> Result<Option<usize>, Failure> {
        let option = call.arguments.get(at);
        let (ending, length) = match Clock::of_option(option) {
            Some(_) if at + 1 >= call.arguments.len() => return Err(Failure::Syntax),
            Some(clock) => {
                let name = call.command.name;
                let text = call.arguments.get(at + 1);
                let at = clock.parse(text, now, name)?;
                if parse_integer(text).is_none_or(|number| number <= 0) {
                    return Err(Failure::ExpireTime(name));
                }
                (Self::At(at as u64), 2)
            }
            None if option.eq_ignore_ascii_case(b"keepttl") => (Self::Keep, 1),
            None if option.eq_ignore_ascii_case(b"persist") => (Self::Never, 1),
            None => return Ok(None),
        };
        if *self != Self::Unsaid {
            return Err(Failure::Syntax);
        }
        *self = ending;
        Ok(Some(length))
    }
}
