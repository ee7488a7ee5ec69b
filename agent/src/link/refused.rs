//! What shards without room have refused on one link. A later part of the same must not be taken for all of it.

use std::collections::BTreeSet;

use baton_replica::ShardMessage;

/// What was refused of what one peer sends; what follows on the link is passed over.
#[derive(Debug)]
pub(super) struct Refused(BTreeSet<Part>);

/// What a message to a shard is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Of what the peer has seen.
    State(usize),
    /// Of its word on members that are gone.
    Word(usize),
}

// === impl Refused ===

impl Refused {
    /// Nothing so far.
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether something goes on that was refused.
    pub(super) fn has(&self, part: Option<Part>) -> bool {
        part.is_some_and(|part| self.0.contains(&part))
    }

    /// A shard has refused this.
    pub(super) fn add(&mut self, part: Option<Part>) {
        self.0.extend(part);
    }

    /// The shards that have refused something.
    pub(super) fn shards(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|part| match part {
            Part::State(shard) | Part::Word(shard) => *shard,
        })
    }
}

// === impl Part ===

impl Part {
    /// What a message to this shard is a part of, if it is not whole in itself.
    pub(super) const fn of(shard: usize, message: &ShardMessage) -> Option<Self> {
        match message {
            ShardMessage::Range(_) | ShardMessage::Chunk(_) => Some(Self::State(shard)),
            ShardMessage::Settle(_) => Some(Self::Word(shard)),
            ShardMessage::Applied(_)
            | ShardMessage::Pull { .. }
            | ShardMessage::Behind { .. }
            | ShardMessage::Fetch { .. }
            | ShardMessage::ChunkSeen { .. }
            | ShardMessage::Digest(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use baton_replica::{ReplicaId, Settle};

    use super::*;

    /// The last part of a word may bring nothing, so that a full shard takes it.
    #[test]
    fn nobody_is_settled_by_the_last_part_of_a_word_of_which_the_first_was_refused() {
        let origin = ReplicaId::new(3).expect("not zero");
        let last = ShardMessage::Settle(Settle { origin, round: 0, seen: 0, last: true, items: Vec::new(), token: 0 });
        let pull = ShardMessage::Pull { origin, from: 0 };
        let mut refused = Refused::new();
        refused.add(Part::of(0, &pull));
        assert!(!refused.has(Part::of(0, &last)));
        refused.add(Part::of(0, &last));
        assert!(refused.has(Part::of(0, &last)) && !refused.has(Part::of(1, &last)));
        assert!(!refused.has(Part::of(0, &pull)));
        assert_eq!(refused.shards().collect::<Vec<_>>(), [0]);
    }
}
