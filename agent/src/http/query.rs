//! Query parameters. Unknown ones are refused: passing over a misspelt `acks` would promise what was not asked for.

use axum::http::Uri;
use baton_replica::{AckLevel, MAX_KEY_BYTES};

use crate::http::path::decode;
use crate::problem::Problem;
use crate::ttl;

/// Parameters by name; the value as bytes.
pub(super) struct Query(Vec<(String, Vec<u8>)>);

// === impl Query ===

impl Query {
    /// Takes the parameters of a request that may have those of `known`, each once.
    pub(super) fn of(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&name) {
                return Err(unknown(name, known));
            }
            if parameters.iter().any(|(before, _)| before == name) {
                return Err(Problem::invalid(
                    "bad_query",
                    format!("{name} is given twice"),
                    "give each parameter once",
                ));
            }
            parameters.push((name.to_owned(), decode(&value.replace('+', " "), name)?));
        }
        Ok(Self(parameters))
    }

    /// A parameter's bytes.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_slice())
    }

    /// What keys are to start with; empty if it is not said.
    pub(super) fn prefix(&self) -> Result<&[u8], Problem> {
        let prefix = self.bytes("prefix").unwrap_or_default();
        if prefix.len() > MAX_KEY_BYTES {
            let message = format!("nothing starts with more than {MAX_KEY_BYTES} bytes");
            return Err(Problem::invalid("bad_query", message, "use a shorter prefix"));
        }
        Ok(prefix)
    }

    /// A parameter that is `true` or `false`; false if it is not there.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.bytes(name) {
            None | Some(b"false") => Ok(false),
            Some(b"true") => Ok(true),
            Some(_) => {
                Err(Problem::invalid("bad_query", format!("{name} is neither true nor false"), "write true or false"))
            }
        }
    }

    /// A parameter that is a number in a range.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<usize>) -> Result<Option<usize>, Problem> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        let number = parse::<usize>(bytes).filter(|number| range.contains(number));
        let (start, end) = range.into_inner();
        let error =
            || Problem::invalid("bad_query", format!("{name} is not a number from {start} to {end}"), "correct it");
        number.map(Some).ok_or_else(error)
    }

    /// A parameter that is an integer of 64 bits.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        let wrong = || Problem::invalid("bad_query", format!("{name} is not an integer of 64 bits"), "correct it");
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.starts_with('+'));
        text.and_then(|text| text.parse().ok()).map(Some).ok_or_else(wrong)
    }

    /// When what is written expires, in Unix milliseconds, if the request says how long it lives.
    pub(super) fn expires_at(&self) -> Result<Option<u64>, Problem> {
        let Some(bytes) = self.bytes("ttl") else { return Ok(None) };
        let ttl = std::str::from_utf8(bytes).ok().and_then(ttl::parse);
        let hint = "write seconds, or a number with ms, s, m, h or d, such as 30s or 12h";
        let wrong = || Problem::invalid("bad_ttl", "ttl is no time to live", hint);
        ttl.map(|ttl| Some(ttl::deadline(ttl))).ok_or_else(wrong)
    }

    /// How many acknowledgements are asked for, if the request says.
    pub(super) fn acks(&self) -> Result<Option<AckLevel>, Problem> {
        match self.bytes("acks") {
            None => Ok(None),
            Some(b"majority") => Ok(Some(AckLevel::Majority)),
            Some(b"all") => Ok(Some(AckLevel::All)),
            Some(bytes) => match parse(bytes) {
                Some(count) => Ok(Some(AckLevel::Count(count))),
                None => Err(Problem::invalid("bad_acks", "acks is not a level", "write a number, majority or all")),
            },
        }
    }
}

/// Digits only: `+1` is no number here.
fn parse<N: std::str::FromStr>(bytes: &[u8]) -> Option<N> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let hint = match known {
        [] => "this request takes no parameters".to_owned(),
        known => format!("this request takes {}", known.join(", ")),
    };
    Problem::invalid("bad_query", format!("there is no parameter {name:?} here"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, Problem> {
        Query::of(&format!("/?{text}").parse().expect("a path"), &["acks", "limit", "prefix", "values"])
    }

    #[test]
    fn parameters_are_decoded_as_forms_are() {
        let query = query("prefix=a+b%2B%FF&values=true&limit=7&&acks=2").expect("valid");
        assert_eq!(query.bytes("prefix"), Some(b"a b+\xff".as_slice()));
        assert!(query.flag("values").expect("valid"));
        assert_eq!(query.number("limit", 1..=1000).expect("valid"), Some(7));
        assert_eq!(query.acks().expect("valid"), Some(AckLevel::Count(2)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["ttl=5", "acks=1&acks=2", "prefix=%f"] {
            assert!(query(text).is_err(), "{text}");
        }
        for text in ["values=yes", "values"] {
            assert!(query(text).expect("known").flag("values").is_err(), "{text}");
        }
        for text in ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=99999999999999999999"] {
            assert!(query(text).expect("known").number("limit", 1..=1000).is_err(), "{text}");
        }
        for text in ["acks=", "acks=-1", "acks=%2B1", "acks=most", "acks=4294967296"] {
            assert!(query(text).expect("known").acks().is_err(), "{text}");
        }
    }
}
