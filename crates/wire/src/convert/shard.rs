//! Messages about one shard.

mod packed;

use baton_replica::{
    Applied, Chunk, ChunkItem, Digest, Dot, Entry, Hlc, Key, MembershipVersion, Owner, Range, RangeItem, ReplicaId,
    Settle, ShardMessage, Sum, Value, Version, VersionVector,
};
use bytes::Bytes;

use crate::convert::WireError;
use crate::convert::shard::packed::{Packer, Unpacked, unpack};
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
            founders: ids_from_wire(applied.founders)?,
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
            founders: ids_to_wire(applied.founders),
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

fn ids_from_wire(ids: Vec<u64>) -> Result<Vec<ReplicaId>, WireError> {
    if !ids.is_sorted() || ids.len() > MAX_REPLICAS {
        return Err(WireError::Malformed("a list of replica ids"));
    }
    ids.into_iter().map(replica).collect()
}

fn ids_to_wire(ids: Vec<ReplicaId>) -> Vec<u64> {
    ids.into_iter().map(ReplicaId::bits).collect()
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
    let items = common.items(range.items, &range.packed)?;
    let items = items.into_iter().map(|(key, slots, entry)| RangeItem { key, slots, entry });
    let (pairs, rest) = range.closed.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(WireError::Malformed("the closed parts of a range"));
    }
    Ok(Range {
        origin: replica(range.origin)?,
        from: range.from,
        to: range.to,
        items: items.collect(),
        closed: pairs.iter().map(|[from, to]| (*from, *to)).collect(),
        continued: range.continued,
        token: range.token,
        level: range.level,
    })
}

fn range_to_wire(range: Range) -> wire::Range {
    wire::Range {
        origin: range.origin.bits(),
        from: range.from,
        to: range.to,
        packed: pack(range.items.iter().map(|item| (&item.key, &item.slots[..], &item.entry))),
        closed: range.closed.into_iter().flat_map(|(from, to)| [from, to]).collect(),
        continued: range.continued,
        token: range.token,
        level: range.level,
        ..wire::Range::default()
    }
}

fn settle_from_wire(settle: wire::Settle) -> Result<Settle, WireError> {
    let common = Common { origin: settle.origin, hlc: settle.hlc };
    Ok(Settle {
        origin: replica(settle.origin)?,
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: common.chunk_items(settle.items, &settle.packed)?,
        token: settle.token,
    })
}

fn settle_to_wire(settle: Settle) -> wire::Settle {
    wire::Settle {
        origin: settle.origin.bits(),
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        packed: pack(settle.items.iter().map(|item| (&item.key, &[][..], &item.entry))),
        token: settle.token,
        ..wire::Settle::default()
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
    let through = bound(chunk.through)?;
    if through.is_none() != chunk.last {
        return Err(WireError::Malformed("a chunk's end"));
    }
    Ok(Chunk {
        transfer: chunk.transfer,
        index: chunk.index,
        clock: clock_from_wire(chunk.clock)?,
        listed: ids_from_wire(chunk.listed)?,
        founders: ids_from_wire(chunk.founders)?,
        token: chunk.token,
        level: chunk.level,
        after: bound(chunk.after)?,
        through,
        items: common.chunk_items(chunk.items, &chunk.packed)?,
    })
}

fn chunk_to_wire(chunk: Chunk) -> wire::Chunk {
    wire::Chunk {
        last: chunk.is_last(),
        transfer: chunk.transfer,
        index: chunk.index,
        clock: Some(clock_to_wire(&chunk.clock)),
        after: chunk.after.map(|key| key.as_bytes().clone()),
        through: chunk.through.map(|key| key.as_bytes().clone()),
        packed: pack(chunk.items.iter().map(|item| (&item.key, &[][..], &item.entry))),
        listed: ids_to_wire(chunk.listed),
        founders: ids_to_wire(chunk.founders),
        token: chunk.token,
        level: chunk.level,
        ..wire::Chunk::default()
    }
}

fn pack<'a>(items: impl Iterator<Item = (&'a Key, &'a [u64], &'a Entry)>) -> Bytes {
    let mut packer = Packer::default();
    items.for_each(|(key, slots, entry)| packer.add(key, slots, entry));
    packer.finish()
}

// === impl Common ===

impl Common {
    /// Plain items, and then packed ones.
    fn items(self, plain: Vec<wire::Item>, packed: &[u8]) -> Result<Vec<Unpacked>, WireError> {
        let packed = unpack(packed)?;
        if plain.is_empty() {
            return Ok(packed);
        }
        let item = |mut item: wire::Item| {
            let slots = std::mem::take(&mut item.slots);
            let (key, entry) = self.item_from_wire(item, slots.last().copied())?;
            Ok((key, slots, entry))
        };
        let plain: Result<Vec<Unpacked>, WireError> = plain.into_iter().map(item).collect();
        Ok(plain?.into_iter().chain(packed).collect())
    }

    fn chunk_items(self, plain: Vec<wire::Item>, packed: &[u8]) -> Result<Vec<ChunkItem>, WireError> {
        let items = self.items(plain, packed)?;
        Ok(items.into_iter().map(|(key, _, entry)| ChunkItem { key, entry }).collect())
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

#[cfg(test)]
mod tests;
