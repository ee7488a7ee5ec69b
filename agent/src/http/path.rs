//! Keys in paths and in JSON: percent-encoded bytes.

use axum::http::Uri;
use baton_replica::{Key, MapName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::problem::Problem;

const MAPS: &str = "/v1/maps/";

/// Everything but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The key, or field, that a path of the API names.
///
/// The framework's own extractor would refuse keys that are not UTF-8.
pub(super) fn key(uri: &Uri) -> Result<Key, Problem> {
    let Split { map, has_fields, rest } = split(uri);
    compose(map, has_fields, rest)
}

/// The key and the action of a path such as `…/entries/{key}:claim`; `None` if it names no action. A key may hold colons
/// too: what follows the last one is the action.
pub(super) fn key_and_action(uri: &Uri) -> Result<Option<(Key, &str)>, Problem> {
    let Split { map, has_fields, rest } = split(uri);
    let Some((key, action)) = rest.rsplit_once(':') else { return Ok(None) };
    Ok(Some((compose(map, has_fields, key)?, action)))
}

/// The map that a path of the API names.
pub(super) fn map_of(uri: &Uri) -> Result<MapName, Problem> {
    map(split(uri).map)
}

/// A key from its parts, as they are in paths and in JSON.
pub(super) fn parse(map: &str, key: &str, field: Option<&str>) -> Result<Key, Problem> {
    let key = Key::new(&self::map(map)?, &decode(key, "key")?)?;
    Ok(match field {
        Some(field) => key.with_field(&decode(field, "field")?)?,
        None => key,
    })
}

/// Decodes once, and refuses what only looks encoded.
pub(super) fn decode(text: &str, what: &str) -> Result<Vec<u8>, Problem> {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let broken = |at: usize| bytes[at] == b'%' && !(hex(bytes.get(at + 1)) && hex(bytes.get(at + 2)));
    if (0..bytes.len()).any(broken) {
        let code = match what {
            "key" => "bad_key",
            "field" => "bad_field",
            _ => "bad_query",
        };
        let message = format!("the {what} has a % that is not followed by two hexadecimal digits");
        return Err(Problem::invalid(code, message, "percent-encode it; % itself is %25"));
    }
    Ok(percent_decode_str(text).collect())
}

/// A key as it goes into a path.
pub(super) fn encode(key: &[u8]) -> String {
    percent_encode(key, ESCAPED).to_string()
}

fn map(text: &str) -> Result<MapName, Problem> {
    let name = percent_decode_str(text).decode_utf8_lossy();
    Ok(MapName::parse(&name)?)
}

fn compose(map: &str, has_fields: bool, rest: &str) -> Result<Key, Problem> {
    match rest.split_once('/').filter(|_| has_fields) {
        Some((key, field)) => parse(map, key, Some(field)),
        None => parse(map, rest, None),
    }
}

/// The parts of a path that the router has matched.
struct Split<'a> {
    map: &'a str,
    /// Whether what follows the key's first slash is a field.
    has_fields: bool,
    rest: &'a str,
}

fn split(uri: &Uri) -> Split<'_> {
    let rest = uri.path().strip_prefix(MAPS).unwrap_or_default();
    let (map, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let (collection, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Split { map, has_fields: matches!(collection, "hashes" | "sets" | "presences"), rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(path: &str) -> Result<Vec<u8>, Problem> {
        Ok(key(&path.parse().expect("a path"))?.name().to_vec())
    }

    #[test]
    fn the_rest_of_the_path_is_the_key_decoded_once() {
        let name = |path: &str| key_of(path).expect("valid");
        assert_eq!(name("/v1/maps/m/entries/a/b%2Fc?x=y"), b"a/b/c");
        assert_eq!(name("/v1/maps/m/counters/a/b"), b"a/b");
        assert_eq!(name("/v1/maps/m/entries/%2525"), b"%25");
        assert_eq!(name("/v1/maps/m/entries/%FF%00+"), b"\xff\0+");
        assert_eq!(name("/v1/maps/entries/entries/entries/"), b"entries/");
        assert_eq!(name("/v1/maps/m/entries//"), b"/");
    }

    #[test]
    fn what_follows_the_key_of_a_hash_or_set_is_a_field() {
        let split = |path: &str| {
            let key = key(&path.parse().expect("a path")).expect("valid");
            (key.name().to_vec(), key.field().map(<[u8]>::to_vec))
        };
        assert_eq!(split("/v1/maps/m/hashes/a%2Fb"), (b"a/b".to_vec(), None));
        assert_eq!(split("/v1/maps/m/hashes/a/b/c%20d"), (b"a".to_vec(), Some(b"b/c d".to_vec())));
        assert_eq!(split("/v1/maps/m/sets/a/"), (b"a".to_vec(), Some(Vec::new())));
    }

    #[test]
    fn an_action_follows_the_last_colon_of_the_path() {
        let action = |path: &str| {
            let path = path.parse().expect("a path");
            let found = key_and_action(&path).expect("valid");
            found.map(|(key, action)| (key.name().to_vec(), key.field().map(<[u8]>::to_vec), action.to_owned()))
        };
        let claim =
            |key: &[u8], field: Option<&[u8]>| Some((key.to_vec(), field.map(<[u8]>::to_vec), "claim".to_owned()));
        assert_eq!(action("/v1/maps/m/entries/a:b:claim"), claim(b"a:b", None));
        assert_eq!(action("/v1/maps/m/entries/a%3Ab:claim?acks=1"), claim(b"a:b", None));
        assert_eq!(action("/v1/maps/m/hashes/a/b:claim"), claim(b"a", Some(b"b")));
        assert_eq!(action("/v1/maps/m/entries/a%3Aclaim"), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let wrong = ["/v1/maps/m/entries/", "/v1/maps/m/entries/%", "/v1/maps/m/entries/%g0", "/v1/maps/M/entries/k"];
        for path in wrong.into_iter().chain(["/v1/maps/m/hashes//f", "/v1/maps/m/hashes/k/%"]) {
            assert!(key_of(path).is_err(), "{path}");
        }
    }

    #[test]
    fn an_encoded_key_decodes_to_itself() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all), "key").expect("valid"), all);
        assert_eq!(encode(b"a-b_c.d~e/f %"), "a-b_c.d~e%2Ff%20%25");
    }
}
