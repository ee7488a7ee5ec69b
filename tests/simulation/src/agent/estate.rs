//! What a leaver owns, and what its group's holds wait for.

use baton_replica::{Completion, Entry, Key};

use super::Agent;

// === impl Agent ===

impl Agent {
    /// What its group's holds wait for.
    pub(crate) fn completion(&self) -> Completion {
        self.list.as_ref().map(|list| list.settings.completion).unwrap_or_default()
    }

    /// It begins to leave: what it owns now is to be handed over.
    pub(super) fn take_stock(&mut self) {
        if self.estate.is_some() {
            return;
        }
        let rows = self.shards.iter().enumerate().flat_map(|(index, shard)| {
            shard.entries().filter_map(move |(key, entry)| Some(((index, key), *entry.owner()?)))
        });
        self.estate = Some(rows.filter(|(_, owner)| owner.replica == Some(self.id)).collect());
    }

    /// Its app has written. What it claims while it leaves is to be handed over too, and what it gives up itself, by a
    /// delete or a release, is not.
    pub(crate) fn note_own_write(&mut self, index: usize, key: &Key, before: &Entry, after: &Entry) {
        let me = self.id;
        let mine = |entry: &Entry| entry.owner().filter(|owner| owner.replica == Some(me)).copied();
        let Some(estate) = &mut self.estate else { return };
        match (mine(before), mine(after)) {
            (_, Some(owner)) => drop(estate.insert((index, key.clone()), owner)),
            (Some(_), None) => drop(estate.remove(&(index, key.clone()))),
            (None, None) => {}
        }
    }
}
