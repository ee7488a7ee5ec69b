//! How long a value lives, as clients write it: `30`, `30s`, `500ms`, `15m`, `12h`, `7d`.

use std::time::Duration;

/// A century: nothing that a client means lies beyond, and no clock overflows before.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Parses a time to live of at least a millisecond; a plain number is seconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    of_millis(number.checked_mul(millis)?)
}

/// A time to live that makes sense.
pub(crate) fn of_millis(millis: u64) -> Option<Duration> {
    let ttl = Duration::from_millis(millis);
    (Duration::from_millis(1)..=LONGEST).contains(&ttl).then_some(ttl)
}

/// When something ends that lives so long from now on, in Unix milliseconds.
pub(crate) fn deadline(ttl: Duration) -> u64 {
    crate::engine::wall_millis() + ttl.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_seconds_unless_it_has_a_unit() {
        let millis = |text| parse(text).map(|ttl| ttl.as_millis());
        assert_eq!(millis("30"), Some(30_000));
        assert_eq!(millis("30s"), Some(30_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("15m"), Some(900_000));
        assert_eq!(millis("12h"), Some(43_200_000));
        assert_eq!(millis("7d"), Some(604_800_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "s", "0", "0ms", "-1", "+1", "1.5", "1 s", "1w", "36601d", "18446744073709551615d", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
