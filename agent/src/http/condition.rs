//! `If-Match` and `If-None-Match`, with version tags as ETags, and `Baton-Token`.

use axum::http::HeaderValue;
use axum::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use baton_replica::{Tag, Token};

use crate::engine::{Precondition, Tags};
use crate::http::error::bad_etag;
use crate::problem::Problem;

/// The fencing token of the key's owner.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("baton-token");

/// Tags in one header: a client that merges siblings names a few.
const MAX_TAGS: usize = 64;

/// What a request asks of the key.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let (is, is_not) = (tags(headers, &IF_MATCH)?, tags(headers, &IF_NONE_MATCH)?);
    Ok(Precondition { is, is_not, token: token(headers)?, unowned: false })
}

/// A tag as an ETag.
pub(super) fn quoted(tag: &Tag) -> HeaderValue {
    // Hexadecimal digits, dots and plus signs are always a valid header.
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The tags that a text lists as `If-Match` would: `*`, or quoted tags with commas between.
pub(super) fn parse(text: &str) -> Option<Tags> {
    if text == "*" {
        return Some(Tags::Any);
    }
    // No tag of this API has a comma in it.
    let tags: Option<Vec<Tag>> = text.split(',').map(|text| tag(text.trim())).collect();
    tags.filter(|tags| tags.len() <= MAX_TAGS).map(Tags::Listed)
}

/// A fencing token that a client shows.
pub(super) fn parse_token(text: &str) -> Result<Token, Problem> {
    let wrong = |_| {
        let hint = "pass the token of the claim, or of the adoption, unchanged";
        Problem::invalid("bad_token", "this is no fencing token", hint)
    };
    text.trim().parse().map_err(wrong)
}

fn token(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(value) = headers.get(TOKEN) else { return Ok(None) };
    parse_token(value.to_str().unwrap_or_default()).map(Some)
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    let mut listed = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        given = true;
        let value = value.to_str().map_err(|_| bad_etag(name.as_str()))?;
        match parse(value.trim()).ok_or_else(|| bad_etag(name.as_str()))? {
            Tags::Any => return Ok(Some(Tags::Any)),
            Tags::Listed(more) => listed.extend(more),
        }
    }
    if listed.len() > MAX_TAGS {
        return Err(bad_etag(name.as_str()));
    }
    Ok(given.then_some(Tags::Listed(listed)))
}

/// A proxy may have made the tag weak; a version is the same bytes all the same.
fn tag(text: &str) -> Option<Tag> {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    quoted.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "\"00000000000000aa.1\"";
    const B: &str = "\"00000000000000aa.2\"";

    fn given(headers: &[(HeaderName, &str)]) -> Result<Precondition, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_str(value).expect("visible"));
        }
        precondition(&map)
    }

    fn listed(texts: &[&str]) -> Option<Tags> {
        Some(Tags::Listed(texts.iter().map(|text| tag(text).expect("a tag")).collect()))
    }

    #[test]
    fn headers_name_versions_and_a_token() {
        assert_eq!(given(&[]).expect("valid"), Precondition::default());
        assert_eq!(given(&[(IF_MATCH, "*")]).expect("valid").is, Some(Tags::Any));
        assert_eq!(given(&[(IF_NONE_MATCH, " * ")]).expect("valid").is_not, Some(Tags::Any));
        assert_eq!(given(&[(IF_MATCH, A), (IF_MATCH, &format!("W/{B}"))]).expect("valid").is, listed(&[A, B]));
        assert_eq!(given(&[(IF_NONE_MATCH, &format!("{A},{B}"))]).expect("valid").is_not, listed(&[A, B]));
        let token = "00000000000000090000000000000001";
        assert_eq!(given(&[(TOKEN, token)]).expect("valid").token.map(|token| token.to_string()), Some(token.into()));
    }

    #[test]
    fn what_is_no_tag_and_no_token_is_refused() {
        for text in ["", "x", "\"x\"", "00000000000000aa.1", "\"00000000000000aa.1", &format!("{A},"), "*, *"] {
            assert!(given(&[(IF_MATCH, text)]).is_err(), "{text}");
        }
        let many = vec![A; 65].join(",");
        assert!(given(&[(IF_MATCH, &many)]).is_err());
        let several = vec![(IF_MATCH, A); 65];
        assert!(given(&several).is_err());
        for text in ["", "7", "x"] {
            assert!(given(&[(TOKEN, text)]).is_err(), "{text}");
        }
    }
}
