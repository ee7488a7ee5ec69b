//! `If-Match` and `If-None-Match`, with version tags as ETags.

use axum::http::HeaderValue;
use axum::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use baton_replica::{Condition, Tag};

use crate::http::error::ApiError;

/// Tags in one header: a client that merges siblings names a few.
const MAX_TAGS: usize = 64;

/// What a request asks of the key's version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Listed(Vec<Tag>),
}

// === impl Preconditions ===

impl Preconditions {
    /// Takes them from the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self { if_match: tags(headers, &IF_MATCH)?, if_none_match: tags(headers, &IF_NONE_MATCH)? })
    }

    /// Whether a write may replace this version.
    pub(super) fn allow(&self, current: Option<&Tag>) -> bool {
        let matches = |tags: &Tags| current.is_some_and(|current| tags.contain(current));
        self.if_match.as_ref().is_none_or(matches) && !self.if_none_match.as_ref().is_some_and(matches)
    }

    /// Whether a read by a client that has this version may be answered with "not modified".
    pub(super) fn unmodified(&self, current: &Tag) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.contain(current))
    }

    /// Whether a read of this version is what the client asks for.
    pub(super) fn wants(&self, current: &Tag) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.contain(current))
    }

    /// The one condition that says the same, if there is one; it needs no look at the key first.
    pub(super) fn simple(&self) -> Option<Condition> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => Some(Condition::Always),
            (Some(Tags::Any), None) => Some(Condition::Present),
            (None, Some(Tags::Any)) => Some(Condition::Absent),
            (Some(Tags::Listed(tags)), None) if tags.len() == 1 => Some(Condition::Matches(tags[0].clone())),
            _ => None,
        }
    }
}

/// The condition that the key still has this version.
pub(super) fn unchanged(current: Option<Tag>) -> Condition {
    current.map_or(Condition::Absent, Condition::Matches)
}

/// A tag as an ETag.
pub(super) fn quoted(tag: &Tag) -> HeaderValue {
    // Hexadecimal digits, dots and plus signs are always a valid header.
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

// === impl Tags ===

impl Tags {
    fn contain(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.contains(tag),
        }
    }
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ApiError> {
    let mut listed = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        given = true;
        let value = value.to_str().map_err(|_| ApiError::bad_etag(name.as_str()))?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        // No tag of this API has a comma in it.
        for text in value.split(',') {
            listed.push(tag(text.trim()).ok_or_else(|| ApiError::bad_etag(name.as_str()))?);
        }
    }
    if listed.len() > MAX_TAGS {
        let message = format!("{name} names more than {MAX_TAGS} tags");
        return Err(ApiError::bad("bad_etag", message, "name the versions that you have read"));
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

    fn given(headers: &[(HeaderName, &str)]) -> Result<Preconditions, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_str(value).expect("visible"));
        }
        Preconditions::of(&map)
    }

    fn version(text: &str) -> Tag {
        tag(text).expect("a tag")
    }

    #[test]
    fn the_common_headers_are_one_condition() {
        let simple = |headers: &[(HeaderName, &str)]| given(headers).expect("valid").simple();
        assert_eq!(simple(&[]), Some(Condition::Always));
        assert_eq!(simple(&[(IF_MATCH, "*")]), Some(Condition::Present));
        assert_eq!(simple(&[(IF_NONE_MATCH, "*")]), Some(Condition::Absent));
        assert_eq!(simple(&[(IF_MATCH, A)]), Some(Condition::Matches(version(A))));
        assert_eq!(simple(&[(IF_MATCH, &format!("{A}, {B}"))]), None);
    }

    #[test]
    fn several_tags_allow_any_of_them() {
        let any = given(&[(IF_MATCH, A), (IF_MATCH, &format!("W/{B}"))]).expect("valid");
        assert!(any.allow(Some(&version(A))) && any.allow(Some(&version(B))) && !any.allow(None));
        let none = given(&[(IF_NONE_MATCH, &format!("{A},{B}"))]).expect("valid");
        assert!(!none.allow(Some(&version(A))) && none.allow(None));
        assert!(none.allow(Some(&version("\"00000000000000aa.3\""))));
        assert!(none.unmodified(&version(B)));
        let both = given(&[(IF_MATCH, "*"), (IF_NONE_MATCH, A)]).expect("valid");
        assert!(both.allow(Some(&version(B))) && !both.allow(Some(&version(A))) && !both.allow(None));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in ["", "x", "\"x\"", "00000000000000aa.1", "\"00000000000000aa.1", &format!("{A},"), "*, *"] {
            assert!(given(&[(IF_MATCH, text)]).is_err(), "{text}");
        }
        let many = vec![A; 65].join(",");
        assert!(given(&[(IF_MATCH, &many)]).is_err());
    }
}
