//! Messages about one shard.

use baton_replica::{
    Applied, Chunk, ChunkItem, Digest, Dot, Entry, Hlc, Key, MembershipVersion, Owner, Range, RangeItem, ReplicaId,
    Settle, ShardMessage, Sum, Value, Version, VersionVector,
};
use bytes::Bytes;

use crate::convert::WireError;
use crate::peer as wire;
use crate::peer::shard_frame::Body;

/// Most replicas in one version vector: far above any group's size, far below what could hurt.
const MAX_REPLICAS: usize = 65_536;

/// What a message says once for all of its items.
#[derive(Clone, Copy)]
struct Common {
    /// Whose most versions are.
    origin: u64,
    /// What times are counted from.
    hlc: u64,
}

/// A message from the wire.
pub fn shard_message_from_wire(body: Body) -> Result<ShardMessage, WireError> {
    Ok(match body {
        Body::Applied(applied) => ShardMessage::Applied(Applied {
            clock: clock_from_wire(applied.clock)?,
            full: applied.full,
            answers_range: applied.answers_range,
            heard_leaving: applied.heard_leaving,
            leaving: applied.leaving,
        }),
        Body::Range(range) => ShardMessage::Range(range_from_wire(range)?),
        Body::Pull(pull) => ShardMessage::Pull { origin: replica(pull.origin)?, from: pull.from },
        Body::Behind(behind) => ShardMessage::Behind { origin: replica(behind.origin)? },
        Body::Fetch(fetch) => ShardMessage::Fetch { transfer: fetch.transfer },
        Body::Chunk(chunk) => ShardMessage::Chunk(chunk_from_wire(chunk)?),
        Body::ChunkSeen(seen) => ShardMessage::ChunkSeen { transfer: seen.transfer, index: seen.index },
        Body::Settle(settle) => ShardMessage::Settle(settle_from_wire(settle)?),
        Body::Digest(digest) => ShardMessage::Digest(digest_from_wire(digest)?),
    })
}

/// A message for the wire.
pub fn shard_message_to_wire(message: ShardMessage) -> Body {
    match message {
        ShardMessage::Applied(applied) => Body::Applied(wire::Applied {
            clock: Some(clock_to_wire(&applied.clock)),
            full: applied.full,
            answers_range: applied.answers_range,
            heard_leaving: applied.heard_leaving,
            leaving: applied.leaving,
        }),
        ShardMessage::Range(range) => Body::Range(range_to_wire(range)),
        ShardMessage::Pull { origin, from } => Body::Pull(wire::Pull { origin: origin.bits(), from }),
        ShardMessage::Behind { origin } => Body::Behind(wire::Behind { origin: origin.bits() }),
        ShardMessage::Fetch { transfer } => Body::Fetch(wire::Fetch { transfer }),
        ShardMessage::Chunk(chunk) => Body::Chunk(chunk_to_wire(chunk)),
        ShardMessage::ChunkSeen { transfer, index } => Body::ChunkSeen(wire::ChunkSeen { transfer, index }),
        ShardMessage::Settle(settle) => Body::Settle(settle_to_wire(settle)),
        ShardMessage::Digest(digest) => Body::Digest(wire::Digest {
            membership: Some(version_number_to_wire(digest.membership)),
            clock: Some(clock_to_wire(&digest.clock)),
            sum: digest.sum.bits().to_le_bytes().to_vec().into(),
        }),
    }
}

fn replica(bits: u64) -> Result<ReplicaId, WireError> {
    ReplicaId::new(bits).ok_or(WireError::Missing("a replica id"))
}

fn clock_from_wire(clock: Option<wire::VersionVector>) -> Result<VersionVector, WireError> {
    let Some(clock) = clock else { return Ok(VersionVector::new()) };
    let ordered = clock.replicas.is_sorted_by(|a, b| a < b);
    if clock.replicas.len() != clock.counters.len() || clock.replicas.len() > MAX_REPLICAS || !ordered {
        return Err(WireError::Malformed("a version vector"));
    }
    let pairs = clock.replicas.into_iter().zip(clock.counters);
    pairs.map(|(bits, counter)| Ok((replica(bits)?, counter))).collect()
}

fn clock_to_wire(clock: &VersionVector) -> wire::VersionVector {
    let (replicas, counters) = clock.iter().map(|(replica, counter)| (replica.bits(), counter)).unzip();
    wire::VersionVector { replicas, counters }
}

fn range_from_wire(range: wire::Range) -> Result<Range, WireError> {
    let common = Common { origin: range.origin, hlc: range.hlc };
    let item = |mut item: wire::Item| {
        let slots = std::mem::take(&mut item.slots);
        let (key, entry) = common.item_from_wire(item, slots.last().copied())?;
        Ok(RangeItem { key, slots, entry })
    };
    let items: Result<Vec<RangeItem>, WireError> = range.items.into_iter().map(item).collect();
    let (pairs, rest) = range.closed.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(WireError::Malformed("the closed parts of a range"));
    }
    Ok(Range {
        origin: replica(range.origin)?,
        from: range.from,
        to: range.to,
        items: items?,
        closed: pairs.iter().map(|[from, to]| (*from, *to)).collect(),
        continued: range.continued,
        token: range.token,
    })
}

fn range_to_wire(range: Range) -> wire::Range {
    let origin = range.origin.bits();
    let common = Common { origin, hlc: first_time(range.items.iter().map(|item| &item.entry)) };
    wire::Range {
        origin,
        from: range.from,
        to: range.to,
        items: range.items.into_iter().map(|item| common.item_to_wire(item.key, item.slots, &item.entry)).collect(),
        closed: range.closed.into_iter().flat_map(|(from, to)| [from, to]).collect(),
        continued: range.continued,
        token: range.token,
        hlc: common.hlc,
    }
}

fn settle_from_wire(settle: wire::Settle) -> Result<Settle, WireError> {
    let common = Common { origin: settle.origin, hlc: settle.hlc };
    let items: Result<Vec<ChunkItem>, WireError> =
        settle.items.into_iter().map(|item| common.chunk_item_from_wire(item)).collect();
    Ok(Settle {
        origin: replica(settle.origin)?,
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: items?,
        token: settle.token,
    })
}

fn settle_to_wire(settle: Settle) -> wire::Settle {
    let origin = settle.origin.bits();
    let common = Common { origin, hlc: first_time(settle.items.iter().map(|item| &item.entry)) };
    wire::Settle {
        origin,
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: settle.items.into_iter().map(|item| common.item_to_wire(item.key, Vec::new(), &item.entry)).collect(),
        token: settle.token,
        hlc: common.hlc,
    }
}

fn digest_from_wire(digest: wire::Digest) -> Result<Digest, WireError> {
    let membership = digest.membership.ok_or(WireError::Missing("a membership version"))?;
    let sum = digest.sum.as_ref().try_into().map_err(|_| WireError::Malformed("a sum"))?;
    Ok(Digest {
        membership: MembershipVersion { uid: membership.uid, number: membership.number },
        clock: clock_from_wire(digest.clock)?,
        sum: Sum::from_bits(u128::from_le_bytes(sum)),
    })
}

fn version_number_to_wire(version: MembershipVersion) -> crate::directory::Version {
    crate::directory::Version { uid: version.uid, number: version.number }
}

fn chunk_from_wire(chunk: wire::Chunk) -> Result<Chunk, WireError> {
    let bound = |key: Option<Bytes>| key.map(|key| Key::from_wire(&key)).transpose();
    let common = Common { origin: chunk.origin, hlc: chunk.hlc };
    let items: Result<Vec<ChunkItem>, WireError> =
        chunk.items.into_iter().map(|item| common.chunk_item_from_wire(item)).collect();
    let listed: Result<Vec<ReplicaId>, WireError> = chunk.listed.into_iter().map(replica).collect();
    let listed = listed?;
    if !listed.is_sorted() || listed.len() > MAX_REPLICAS {
        return Err(WireError::Malformed("the ids that a chunk lists"));
    }
    let through = bound(chunk.through)?;
    if through.is_none() != chunk.last {
        return Err(WireError::Malformed("a chunk's end"));
    }
    Ok(Chunk {
        transfer: chunk.transfer,
        index: chunk.index,
        clock: clock_from_wire(chunk.clock)?,
        listed,
        token: chunk.token,
        after: bound(chunk.after)?,
        through,
        items: items?,
    })
}

fn chunk_to_wire(chunk: Chunk) -> wire::Chunk {
    let entries = || chunk.items.iter().map(|item| &item.entry);
    let first = entries().find_map(|entry| entry.versions().first());
    let common = Common { origin: first.map_or(0, |version| version.dot.replica.bits()), hlc: first_time(entries()) };
    wire::Chunk {
        last: chunk.is_last(),
        transfer: chunk.transfer,
        index: chunk.index,
        clock: Some(clock_to_wire(&chunk.clock)),
        after: chunk.after.map(|key| key.as_bytes().clone()),
        through: chunk.through.map(|key| key.as_bytes().clone()),
        items: chunk.items.into_iter().map(|item| common.item_to_wire(item.key, Vec::new(), &item.entry)).collect(),
        listed: chunk.listed.into_iter().map(ReplicaId::bits).collect(),
        token: chunk.token,
        origin: common.origin,
        hlc: common.hlc,
    }
}

/// What the times of entries are counted from.
fn first_time<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> u64 {
    entries.find_map(|entry| entry.versions().first()).map_or(0, |version| version.hlc.bits())
}

// === impl Common ===

impl Common {
    fn chunk_item_from_wire(self, item: wire::Item) -> Result<ChunkItem, WireError> {
        let (key, entry) = self.item_from_wire(item, None)?;
        Ok(ChunkItem { key, entry })
    }

    fn item_from_wire(self, item: wire::Item, slot: Option<u64>) -> Result<(Key, Entry), WireError> {
        let version = |version| self.version_from_wire(version, slot);
        let versions: Result<Vec<Version>, WireError> = item.versions.into_iter().map(version).collect();
        let mut context = clock_from_wire(item.context)?;
        if item.superseded > 0 {
            context.raise(replica(self.origin)?, item.superseded);
        }
        Ok((Key::from_wire(&item.key)?, Entry::new(versions?, context)))
    }

    fn item_to_wire(self, key: Key, slots: Vec<u64>, entry: &Entry) -> wire::Item {
        let context = entry.context();
        let mut dots = context.iter();
        let superseded = match (dots.next(), dots.next()) {
            (Some((replica, counter)), None) if replica.bits() == self.origin => counter,
            _ => 0,
        };
        wire::Item {
            key: key.as_bytes().clone(),
            versions: entry.versions().iter().map(|version| self.version_to_wire(version, slots.last())).collect(),
            slots,
            context: (!context.is_empty() && superseded == 0).then(|| clock_to_wire(context)),
            superseded,
        }
    }

    fn version_from_wire(self, version: wire::EntryVersion, slot: Option<u64>) -> Result<Version, WireError> {
        let author = replica(if version.replica == 0 { self.origin } else { version.replica })?;
        let counter = if version.counter == 0 { slot.unwrap_or_default() } else { version.counter };
        if counter == 0 {
            return Err(WireError::Malformed("a version's counter"));
        }
        let value =
            Value { content_type: version.content_type.into_boxed_str(), body: Bytes::copy_from_slice(&version.body) };
        Ok(Version {
            dot: Dot { replica: author, counter },
            hlc: Hlc::from_bits(self.hlc.wrapping_add_signed(version.hlc)),
            writer: ReplicaId::new(version.writer).unwrap_or(author),
            value: (!version.contribution).then_some(value),
            added: version.added,
            owner: version.owner.map(owner_from_wire).transpose()?.map(Box::new),
            expires_at: (version.expires_at > 0).then_some(version.expires_at),
        })
    }

    fn version_to_wire(self, version: &Version, slot: Option<&u64>) -> wire::EntryVersion {
        let Dot { replica, counter } = version.dot;
        let own = replica.bits() == self.origin;
        let value = version.value.as_ref();
        wire::EntryVersion {
            replica: if own { 0 } else { replica.bits() },
            counter: if own && slot == Some(&counter) { 0 } else { counter },
            hlc: version.hlc.bits().wrapping_sub(self.hlc).cast_signed(),
            writer: if version.writer == replica { 0 } else { version.writer.bits() },
            body: value.map(|value| value.body.clone()).unwrap_or_default(),
            content_type: value.map(|value| value.content_type.to_string()).unwrap_or_default(),
            contribution: value.is_none(),
            added: version.added,
            owner: version.owner.as_deref().map(owner_to_wire),
            expires_at: version.expires_at.unwrap_or_default(),
        }
    }
}

fn owner_from_wire(owner: wire::Owner) -> Result<Owner, WireError> {
    if owner.dot_counter == 0 {
        return Err(WireError::Malformed("a change of owner"));
    }
    Ok(Owner {
        replica: ReplicaId::new(owner.replica),
        token: owner.token,
        dot: Dot { replica: replica(owner.dot_replica)?, counter: owner.dot_counter },
        confirmed: owner.confirmed,
    })
}

fn owner_to_wire(owner: &Owner) -> wire::Owner {
    wire::Owner {
        replica: owner.replica.map_or(0, ReplicaId::bits),
        token: owner.token,
        dot_replica: owner.dot.replica.bits(),
        dot_counter: owner.dot.counter,
        confirmed: owner.confirmed,
    }
}

#[cfg(test)]
mod tests;
