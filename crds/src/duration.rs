//! A length of time as users write it: `"20s"`, `"1m30s"`, `"500ms"`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time, written as whole numbers with the units `ms`, `s`, `m` and `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

/// The text is no duration. Nothing was changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no duration: write whole numbers with the units ms, s, m or h, for example 20s or 1m30s")]
pub struct InvalidDuration(String);

// === impl Duration ===

impl Duration {
    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The same length as the standard library's type.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(text.chars().take(32).collect());
        let mut rest = text;
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let amount: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = &rest[digits..];
            let (unit, width) = match rest.as_bytes() {
                [b'm', b's', ..] => (1, 2),
                [b's', ..] => (1_000, 1),
                [b'm', ..] => (60_000, 1),
                [b'h', ..] => (3_600_000, 1),
                _ => return Err(invalid()),
            };
            rest = &rest[width..];
            millis = amount.checked_mul(unit).and_then(|part| millis.checked_add(part)).ok_or_else(invalid)?;
        }
        if text.is_empty() {
            return Err(invalid());
        }
        Ok(Self(std::time::Duration::from_millis(millis)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{}s", self.0.as_secs()),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 16 })
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn units_add_up() {
        for (text, millis) in [("20s", 20_000), ("1m30s", 90_000), ("500ms", 500), ("1h", 3_600_000), ("0s", 0)] {
            let duration: Duration = text.parse().expect(text);
            assert_eq!(duration.get().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "20", "s", "20 s", "-1s", "1.5s", "1d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["20s", "1500ms"] {
            let duration: Duration = text.parse().expect(text);
            assert_eq!(duration.to_string(), text);
        }
    }
}
