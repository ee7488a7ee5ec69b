//! What a leaver owns, and what its hold waits for beyond its coverage.

use baton_replica::{Completion, Handover, Key, Owner, Shard};

use super::Agent;

// === impl Agent ===

impl Agent {
    /// What its group's holds wait for.
    pub(crate) fn completion(&self) -> Completion {
        self.list.as_ref().map(|list| list.settings.completion).unwrap_or_default()
    }

    /// Whether nothing is left that the hold waits for beyond its coverage.
    pub(super) fn is_handed_over(&self) -> bool {
        let handover = self.shards.iter().map(Shard::handover).fold(Handover::default(), Handover::and);
        handover.awaited(self.completion()) == Handover::default()
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

    /// Its app has claimed a key; if it is leaving, that is to be handed over too.
    pub(crate) fn note_claim(&mut self, index: usize, key: &Key, owner: &Owner) {
        if let Some(estate) = self.estate.as_mut().filter(|_| owner.replica == Some(self.id)) {
            estate.insert((index, key.clone()), *owner);
        }
    }
}
