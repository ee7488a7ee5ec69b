//! What a change is called.

use baton_replica::{Change, State};

use crate::collection::{MEMBER, SCORE};

/// An event, and the letter of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) class: u8,
    pub(super) name: &'static str,
}

/// How a key ends, if nothing else of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Deleted,
    Expired,
}

/// What a field is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Hash,
    Set,
    SortedSet,
}

// === impl Event ===

impl Event {
    /// The event that a change is, and for a field, how the key ends if it was the last; `None` if only the owner changed.
    pub(super) fn of(change: &Change, now: u64) -> Option<(Self, Option<Gone>)> {
        let part = change.key.field().and(change.before.as_ref().or(change.after.as_ref())).map(Part::of);
        match (&change.before, &change.after) {
            (Some(before), None) => {
                let gone = if before.expires_at.is_some_and(|end| end <= now) { Gone::Expired } else { Gone::Deleted };
                Some(part.map_or((Self::of_key(gone), None), |part| (part.removed(), Some(gone))))
            }
            (Some(before), Some(after)) if before.value == after.value => {
                let event = if before.expires_at != after.expires_at {
                    let name = if after.expires_at.is_some() { "expire" } else { "persist" };
                    Self { class: b'g', name }
                } else if before.tag != after.tag {
                    Self::put(part)
                } else {
                    return None;
                };
                Some((event, None))
            }
            (_, Some(_)) => Some((Self::put(part), None)),
            (None, None) => None,
        }
    }

    pub(super) const fn of_key(gone: Gone) -> Self {
        match gone {
            Gone::Deleted => Self { class: b'g', name: "del" },
            Gone::Expired => Self { class: b'x', name: "expired" },
        }
    }

    fn put(part: Option<Part>) -> Self {
        match part {
            None => Self { class: b'$', name: "set" },
            Some(Part::Hash) => Self { class: b'h', name: "hset" },
            Some(Part::Set) => Self { class: b's', name: "sadd" },
            Some(Part::SortedSet) => Self { class: b'z', name: "zadd" },
        }
    }
}

// === impl Part ===

impl Part {
    fn of(state: &State) -> Self {
        match &*state.value.content_type {
            MEMBER => Self::Set,
            SCORE => Self::SortedSet,
            _ => Self::Hash,
        }
    }

    const fn removed(self) -> Event {
        match self {
            Self::Hash => Event { class: b'h', name: "hdel" },
            Self::Set => Event { class: b's', name: "srem" },
            Self::SortedSet => Event { class: b'z', name: "zrem" },
        }
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{Key, MapName, Value};

    use super::*;

    fn state(content_type: &str, body: &'static str, counter: u64, expires_at: Option<u64>) -> Option<State> {
        let value = Value { content_type: content_type.into(), body: body.into() };
        let tag = format!("00000000000000aa.{counter}").parse().expect("a tag");
        Some(State { value, tag, owner: None, expires_at })
    }

    fn named(field: Option<&str>, before: Option<State>, after: Option<State>) -> Option<(&'static str, Option<Gone>)> {
        let key = Key::new(&MapName::parse("redis").expect("a name"), b"k").expect("a key");
        let key = field.map_or(key.clone(), |field| key.with_field(field.as_bytes()).expect("short"));
        Event::of(&Change { key, before, after }, 1_000).map(|(event, gone)| (event.name, gone))
    }

    #[test]
    fn strings_are_set_and_end_by_a_delete_or_their_deadline() {
        let (old, new) = (state("", "a", 1, None), state("", "b", 2, None));
        assert_eq!(named(None, None, new.clone()), Some(("set", None)));
        assert_eq!(named(None, old.clone(), new), Some(("set", None)));
        assert_eq!(named(None, old.clone(), state("", "a", 3, None)), Some(("set", None)));
        assert_eq!(named(None, old.clone(), state("", "a", 3, Some(9))), Some(("expire", None)));
        assert_eq!(named(None, state("", "a", 3, Some(9)), old.clone()), Some(("persist", None)));
        assert_eq!(named(None, old.clone(), None), Some(("del", None)));
        assert_eq!(named(None, state("", "a", 1, Some(1_000)), None), Some(("expired", None)));
        assert_eq!(named(None, state("", "a", 1, Some(1_001)), None), Some(("del", None)));
        assert_eq!(named(None, old.clone(), old), None, "another owner");
    }

    #[test]
    fn fields_are_named_by_what_they_are_a_part_of() {
        let member = state(MEMBER, "", 1, None);
        assert_eq!(named(Some("f"), None, member.clone()), Some(("sadd", None)));
        assert_eq!(named(Some("f"), member, None), Some(("srem", Some(Gone::Deleted))));
        assert_eq!(named(Some("f"), None, state(SCORE, "5", 1, None)), Some(("zadd", None)));
        assert_eq!(named(Some("f"), None, state("", "5", 1, None)), Some(("hset", None)));
        let expired = state("", "5", 1, Some(10));
        assert_eq!(named(Some("f"), expired, None), Some(("hdel", Some(Gone::Expired))));
    }
}
