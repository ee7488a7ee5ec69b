//! HSCAN, SSCAN and ZSCAN: the fields of a key, page by page.

use baton_replica::{Key, Listed};
use baton_resp::{Encoder, parse_integer};

use crate::engine::Range;
use crate::glob;
use crate::redis::call::Call;
use crate::redis::cursor::Place;
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};

/// Fields looked at for one page, if the client does not say.
const DEFAULT_COUNT: usize = 10;

/// The most that are.
const MAX_COUNT: usize = 10_000;

const NO_CURSOR: Failure = Failure::text("ERR invalid cursor");
const FORGOTTEN: Failure = Failure::text("ERR this cursor is not known any more; begin the scan again with 0");

/// What a scan asks for.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) cursor: u64,
    pub(super) pattern: Option<&'a [u8]>,
    pub(super) count: usize,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    /// A cursor, and the options after it.
    pub(super) fn parse(arguments: &mut impl Iterator<Item = &'a [u8]>) -> Result<Self, Failure> {
        let cursor = arguments.next().and_then(parse_integer).and_then(|number| u64::try_from(number).ok());
        let mut scan = Self { cursor: cursor.ok_or(NO_CURSOR)?, pattern: None, count: DEFAULT_COUNT };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or(Failure::Syntax)?;
            if option.eq_ignore_ascii_case(b"match") {
                scan.pattern = Some(value);
            } else if option.eq_ignore_ascii_case(b"count") {
                let count = parse_integer(value).ok_or(Failure::NotAnInteger)?;
                scan.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Failure::Syntax)?;
                scan.count = scan.count.min(MAX_COUNT);
            } else {
                return Err(Failure::Syntax);
            }
        }
        Ok(scan)
    }

    /// Whether a name is asked for.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

/// A page of a key's fields. `show` writes one, as so many elements of the reply.
pub(super) fn fields(
    call: &mut Call<'_>,
    kind: Kind,
    elements: usize,
    show: impl Fn(&mut Encoder, &Listed),
) -> Result<(), Failure> {
    let key = call.key(1)?;
    let scan = Scan::parse(&mut call.arguments.from(2))?;
    let after = match scan.cursor {
        0 => None,
        cursor => {
            let place = call.front.cursors.find(cursor).and_then(|place| place.after);
            Some(place.filter(|field| field.without_field() == key).ok_or(FORGOTTEN)?)
        }
    };
    // One more tells whether there is another page.
    let after = after.as_ref().and_then(Key::field);
    let range = Range { prefix: b"", after, limit: scan.count + 1 };
    let mut listed = call.state.turn([&key], |turn| {
        kind.exists(turn, &key)?;
        Ok::<_, Failure>(turn.fields(&key, range)?)
    })?;
    let more = listed.len() > scan.count;
    listed.truncate(scan.count);
    let last = listed.last().filter(|_| more).map(|last| last.key.clone());
    let next = last.map_or(0, |last| call.front.cursors.next(scan.cursor, Place { shard: 0, after: Some(last) }));
    listed.retain(|listed| kind.fits(&listed.read) && scan.wants(name_of(listed)));
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    call.reply.array(elements * listed.len());
    listed.iter().for_each(|listed| show(call.reply, listed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Scan<'static>, Failure> {
        Scan::parse(&mut text.split(' ').map(str::as_bytes))
    }

    #[test]
    fn options_come_in_any_order_and_have_values() {
        let scan = parse("7 COUNT 20 match a*").expect("sound");
        assert_eq!((scan.cursor, scan.count, scan.pattern), (7, 20, Some(&b"a*"[..])));
        assert!(scan.wants(b"ab") && !scan.wants(b"ba"));
        let plain = parse("0").expect("sound");
        assert!(plain.count == DEFAULT_COUNT && plain.wants(b"x"));
    }

    #[test]
    fn what_is_no_scan_is_refused() {
        assert!(parse("x").is_err_and(|failure| failure == NO_CURSOR));
        assert!(parse("-1").is_err_and(|failure| failure == NO_CURSOR));
        assert!(matches!(parse("0 count"), Err(Failure::Syntax)));
        assert!(matches!(parse("0 count 0"), Err(Failure::Syntax)));
        assert!(matches!(parse("0 count x"), Err(Failure::NotAnInteger)));
        assert!(matches!(parse("0 type hash"), Err(Failure::Syntax)));
    }
}
