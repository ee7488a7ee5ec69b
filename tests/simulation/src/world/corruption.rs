//! Entries that are lost on their way, as by a corruption that no layer below has noticed, and how they are found again.

use baton_replica::{Entry, Shard, ShardMessage};

use super::{Corruption, World};
use crate::invariant::{self, Invariant, Violation};
use crate::network::Body;

/// Who lacks something may get it from one who lacked it too: so often everybody compares what it holds.
const COMPARISONS: usize = 4;

// === impl World ===

impl World {
    /// Some range that is on its way loses an entry. Only one that supersedes nothing: what is left is then short of a
    /// write, and not of the end of another. Nobody comes on meanwhile: who takes the whole state from one who lacks an
    /// entry takes that for its end, and what one link has lost could be lost by all.
    pub(super) fn corrupt(&mut self, at: u64) {
        let open: Vec<usize> = self.network.open().collect();
        let first = (at % open.len().max(1) as u64) as usize;
        for wire in open.iter().cycle().skip(first).take(open.len()) {
            let waiting = self.network.wires[*wire].ends.iter_mut().flat_map(|end| end.queue.iter_mut());
            let items = waiting.flat_map(|envelope| match &mut envelope.body {
                Body::Shard(_, ShardMessage::Range(range)) => range.items.as_mut_slice(),
                _ => &mut [],
            });
            let new = |entry: &Entry| {
                entry.context().is_empty() && matches!(entry.versions(), [only] if only.expires_at.is_none())
            };
            if let Some(item) = items.into_iter().find(|item| new(&item.entry)) {
                item.entry = Entry::default();
                self.corruption = Corruption::Present;
                return;
            }
        }
    }

    /// Everybody compares what it holds with everybody else.
    pub(super) fn compare(&mut self) -> Result<(), Violation> {
        if self.corruption == Corruption::None {
            return Ok(());
        }
        for _ in 0..COMPARISONS {
            let before = invariant::digest::look(self);
            for id in self.agents.keys().copied().collect::<Vec<_>>() {
                let Some(agent) = self.agents.get_mut(&id) else { continue };
                for index in 0..agent.shards.len() {
                    agent.with_shard(index, None, Shard::offer_digest);
                }
                self.after(id)?;
            }
            self.rest()?;
            Invariant::Digest.of(invariant::digest::check(self, before))?;
        }
        self.corruption = Corruption::Repaired;
        Ok(())
    }
}
