//! What a client asks of a key before something is done to it. It is checked on this replica, under the shard's lock.

use baton_replica::{Condition, Read, Tag, Token};

/// What a request asks of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    /// It has one of these versions.
    pub(crate) is: Option<Tags>,
    /// It has none of these.
    pub(crate) is_not: Option<Tags>,
    /// Its owner has this fencing token.
    pub(crate) token: Option<Token>,
    /// Nobody owns it.
    pub(crate) unowned: bool,
}

/// Versions that a client names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Whichever.
    Any,
    Listed(Vec<Tag>),
}

/// What did not hold; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unmet {
    #[error("the key has {}", if current.is_some() { "another version than the request asks for" } else { "no value, and the request asks for one" })]
    Version { current: Option<Tag> },
    #[error("the key's owner has another fencing token than the request shows")]
    Token { current: Option<Tag> },
    #[error("somebody owns the key")]
    Owned { current: Option<Tag> },
}

// === impl Precondition ===

impl Precondition {
    /// Whether it holds of what there is.
    pub(crate) fn check(&self, read: Option<&Read>) -> Result<(), Unmet> {
        let current = read.map(|read| &read.tag);
        if !self.allows(current) {
            return Err(Unmet::Version { current: current.cloned() });
        }
        let owner = read.and_then(|read| read.owner.as_ref());
        if self.token.is_some() && owner.and_then(Token::of) != self.token {
            return Err(Unmet::Token { current: current.cloned() });
        }
        if self.unowned && owner.is_some_and(|owner| owner.replica.is_some()) {
            return Err(Unmet::Owned { current: current.cloned() });
        }
        Ok(())
    }

    /// The one condition that says the same, if there is one; it needs no look at the key first.
    pub(crate) fn simple(&self) -> Option<Condition> {
        if self.token.is_some() || self.unowned {
            return None;
        }
        match (&self.is, &self.is_not) {
            (None, None) => Some(Condition::Always),
            (Some(Tags::Any), None) => Some(Condition::Present),
            (None, Some(Tags::Any)) => Some(Condition::Absent),
            (Some(Tags::Listed(tags)), None) => match tags.as_slice() {
                [tag] => Some(Condition::Matches(tag.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    fn allows(&self, current: Option<&Tag>) -> bool {
        let matches = |tags: &Tags| current.is_some_and(|current| tags.contain(current));
        self.is.as_ref().is_none_or(matches) && !self.is_not.as_ref().is_some_and(matches)
    }
}

// === impl Tags ===

impl Tags {
    pub(crate) fn contain(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.contains(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(counter: u64) -> Tag {
        format!("00000000000000aa.{counter}").parse().expect("a tag")
    }

    fn listed(counters: &[u64]) -> Option<Tags> {
        Some(Tags::Listed(counters.iter().map(|counter| tag(*counter)).collect()))
    }

    #[test]
    fn what_the_shard_can_check_is_one_condition() {
        let none = Precondition::default;
        assert_eq!(none().simple(), Some(Condition::Always));
        assert_eq!(Precondition { is: Some(Tags::Any), ..none() }.simple(), Some(Condition::Present));
        assert_eq!(Precondition { is_not: Some(Tags::Any), ..none() }.simple(), Some(Condition::Absent));
        assert_eq!(Precondition { is: listed(&[1]), ..none() }.simple(), Some(Condition::Matches(tag(1))));
        assert_eq!(Precondition { is: listed(&[1, 2]), ..none() }.simple(), None);
        assert_eq!(Precondition { unowned: true, ..none() }.simple(), None);
    }

    #[test]
    fn several_tags_allow_any_of_them() {
        let any = Precondition { is: listed(&[1, 2]), ..Precondition::default() };
        assert!(any.allows(Some(&tag(1))) && any.allows(Some(&tag(2))) && !any.allows(None));
        let none = Precondition { is_not: listed(&[1, 2]), ..Precondition::default() };
        assert!(!none.allows(Some(&tag(1))) && none.allows(None) && none.allows(Some(&tag(3))));
        let both = Precondition { is: Some(Tags::Any), is_not: listed(&[1]), ..Precondition::default() };
        assert!(both.allows(Some(&tag(2))) && !both.allows(Some(&tag(1))) && !both.allows(None));
    }
}
