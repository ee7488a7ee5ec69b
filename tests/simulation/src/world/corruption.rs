//! Entries that are lost on their way, as by a corruption that no layer below has noticed, and how they are found again.

use baton_replica::{Chunk, ChunkItem, Entry, Packed, Shard, ShardMessage};

use super::{Corruption, World};
use crate::agent::Agent;
use crate::invariant::{self, Invariant, Violation};
use crate::network::{Body, End};

/// Who lacks something may get it from one who lacked it too: so often everybody compares what it holds.
const COMPARISONS: usize = 4;

// === impl World ===

impl World {
    /// Some message that is on its way loses an entry.
    pub(super) fn corrupt(&mut self, at: u64) {
        let open: Vec<usize> = self.network.open().collect();
        let first = (at % open.len().max(1) as u64) as usize;
        let Self { network, agents, .. } = self;
        for wire in open.iter().cycle().skip(first).take(open.len()) {
            for End { replica, queue, .. } in &mut network.wires[*wire].ends {
                let to = agents.get(replica);
                if queue.iter_mut().any(|envelope| lose_entry(&mut envelope.body, to)) {
                    self.corruption = Corruption::Present;
                    return;
                }
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

/// Takes an entry out of a range, or out of a chunk for one that joins, if there is one that can be missed: one that
/// supersedes nothing, so that what is left is short of a write, and not of the end of another.
fn lose_entry(body: &mut Body, to: Option<&Agent>) -> bool {
    let is_new =
        |entry: &Entry| entry.context().is_empty() && matches!(entry.versions(), [only] if only.expires_at.is_none());
    match body {
        Body::Shard(_, ShardMessage::Range(range)) => match range.items.iter_mut().find(|item| is_new(&item.entry)) {
            Some(item) => {
                item.entry = Entry::default();
                true
            }
            None => false,
        },
        // Who has the entry already would take it for deleted.
        Body::Shard(index, ShardMessage::Chunk(chunk)) => {
            let lacks = |item: &ChunkItem| to.is_some_and(|agent| agent.entry(*index, &item.key).is_none());
            lose_item(chunk, |item| is_new(&item.entry) && lacks(item))
        }
        _ => false,
    }
}

fn lose_item(chunk: &mut Chunk, may_lose: impl Fn(&ChunkItem) -> bool) -> bool {
    let mut items = chunk.items.items().unwrap_or_default();
    let Some(at) = items.iter().position(may_lose) else { return false };
    items.remove(at);
    chunk.items = items.into_iter().collect::<Packed>();
    true
}
