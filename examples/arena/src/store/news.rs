//! What a store tells of its maps: all that is there, then what happens.

use serde_json::Value;

/// One piece of news.
#[derive(Debug)]
pub(crate) enum News {
    /// All that there is. What was told before and is not told again is gone.
    Everything(Everything),
    /// What is under a key now.
    Changed(Entry),
    /// The same, and this pod is to run it: the one that did has gone.
    Adopted(Entry),
    /// The same, and this pod is not to run it any more.
    Released(Entry),
    Members(Vec<Member>),
}

/// The beginning.
#[derive(Debug, Default)]
pub(crate) struct Everything {
    pub(crate) members: Vec<Member>,
    pub(crate) entries: Vec<Entry>,
    /// Those of them that this pod owns.
    pub(crate) owned: Vec<Entry>,
}

/// A key, and what is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) map: String,
    pub(crate) key: String,
    /// None if nothing is.
    pub(crate) value: Option<Value>,
    pub(crate) owner: Option<Owner>,
}

/// Who runs what a key stands for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    /// The id of a [`Member`].
    pub(crate) id: String,
    pub(crate) token: String,
    /// It has said that it does.
    pub(crate) confirmed: bool,
    /// It is this pod.
    pub(crate) mine: bool,
}

/// A pod of this group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) pod: String,
    pub(crate) leaving: bool,
    /// It is this one.
    pub(crate) me: bool,
}
