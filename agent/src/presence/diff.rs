//! What a change means for those who are told who is there.

use baton_replica::{Change, Key, State};

use crate::collection::PRESENCE;
use crate::presence::Shown;

/// Who has come and who has gone by one change. Both, if what is told of somebody is another now.
pub(crate) struct Diff<'a> {
    /// The topic, with the field that has changed.
    pub(crate) at: &'a Key,
    pub(crate) joined: Option<Shown>,
    pub(crate) left: Option<Shown>,
}

/// Whether a change is one of a presence.
pub(crate) fn is_presence(change: &Change) -> bool {
    let is = |state: &State| &*state.value.content_type == PRESENCE;
    change.key.field().is_some() && (change.before.iter().any(is) || change.after.iter().any(is))
}

// === impl Diff ===

impl<'a> Diff<'a> {
    /// `None` if nobody has come or gone: the same is told of them, or nothing.
    pub(crate) fn of(change: &'a Change) -> Option<Self> {
        let shown = |state: &Option<State>| Shown::of(&change.key, &state.as_ref()?.value);
        let (left, joined) = (shown(&change.before), shown(&change.after));
        let name = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.phx_ref.clone());
        (name(&left) != name(&joined)).then_some(Self { at: &change.key, joined, left })
    }
}
