//! Numbers for people: ages as kubectl writes them, bytes, milliseconds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The time since then, with two or three digits of meaning: `45s`, `3m20s`, `11h`, `4d5h`.
pub(crate) fn age(since: Option<&Time>, now: Timestamp) -> String {
    since.map_or_else(|| "<unknown>".to_owned(), |since| span(now.as_second() - since.0.as_second()))
}

/// A length of time in seconds, likewise.
pub(crate) fn span(seconds: i64) -> String {
    let two = |big: i64, unit: char, rest: i64, small: char| match rest {
        0 => format!("{big}{unit}"),
        rest => format!("{big}{unit}{rest}{small}"),
    };
    match seconds {
        ..0 => "0s".to_owned(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(s / MINUTE, 'm', s % MINUTE, 's'),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(s / HOUR, 'h', s % HOUR / MINUTE, 'm'),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(s / DAY, 'd', s % DAY / HOUR, 'h'),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => two(s / YEAR, 'y', s % YEAR / DAY, 'd'),
        s => format!("{}y", s / YEAR),
    }
}

/// A number of bytes: `512`, `1.5Ki`, `3.0Mi`.
pub(crate) fn bytes(bytes: i64) -> String {
    const UNITS: [&str; 4] = ["Ki", "Mi", "Gi", "Ti"];
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut value = bytes as f64;
    let mut name = "";
    for unit in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, name) = (value / 1024.0, unit);
    }
    format!("{value:.1}{name}")
}

/// A number of milliseconds: `12ms`, `1.4s`, `3m20s`.
pub(crate) fn millis(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{:.1}s", millis as f64 / 1_000.0),
        _ => span(millis / 1_000),
    }
}

/// `1 key`, `2 keys`.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (601, "10m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 5 * MINUTE, "3h5m"),
            (11 * HOUR, "11h"),
            (4 * DAY + 5 * HOUR, "4d5h"),
            (100 * DAY, "100d"),
            (3 * YEAR + DAY, "3y1d"),
            (20 * YEAR, "20y"),
        ] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(age(None, Timestamp::UNIX_EPOCH), "<unknown>");
    }

    #[test]
    fn bytes_and_milliseconds_keep_two_or_three_digits() {
        assert_eq!([0, 1023, 1536, 3 << 20, 5 << 40].map(bytes), ["0", "1023", "1.5Ki", "3.0Mi", "5.0Ti"]);
        assert_eq!([0, 999, 1_400, 200_000].map(millis), ["0ms", "999ms", "1.4s", "3m20s"]);
        assert_eq!([0, 1, 2].map(|n| count(n, "key")), ["0 keys", "1 key", "2 keys"]);
    }
}
