//! Messages about one shard.

use baton_replica::{
    Applied, Chunk, Digest, Key, MembershipVersion, Packed, Packer, Range, RangeItem, ReplicaId, Settle, ShardMessage,
    Sum, VersionVector, unpack,
};
use bytes::Bytes;

use crate::convert::WireError;
use crate::peer as wire;
use crate::peer::shard_frame::Body;

/// Most replicas in one version vector: far above any group's size, far below what could hurt.
const MAX_REPLICAS: usize = 65_536;

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
    let items = unpack(&range.items)?.into_iter().map(|(key, slots, entry)| RangeItem { key, slots, entry });
    Ok(Range {
        origin: replica(range.origin)?,
        from: range.from,
        to: range.to,
        items: items.collect(),
        continued: range.continued,
        token: range.token,
        level: range.level,
    })
}

fn range_to_wire(range: Range) -> wire::Range {
    let mut packer = Packer::default();
    range.items.iter().for_each(|item| packer.add(&item.key, &item.slots, &item.entry));
    wire::Range {
        origin: range.origin.bits(),
        from: range.from,
        to: range.to,
        items: packer.finish().into_bytes(),
        continued: range.continued,
        token: range.token,
        level: range.level,
    }
}

fn settle_from_wire(settle: wire::Settle) -> Result<Settle, WireError> {
    Ok(Settle {
        origin: replica(settle.origin)?,
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: Packed::from_bytes(settle.items).items()?,
        token: settle.token,
    })
}

fn settle_to_wire(settle: Settle) -> wire::Settle {
    wire::Settle {
        origin: settle.origin.bits(),
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: settle.items.into_iter().collect::<Packed>().into_bytes(),
        token: settle.token,
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
        keys: chunk.keys,
        items: Packed::from_bytes(chunk.items),
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
        keys: chunk.keys,
        items: chunk.items.into_bytes(),
        listed: ids_to_wire(chunk.listed),
        founders: ids_to_wire(chunk.founders),
        token: chunk.token,
        level: chunk.level,
    }
}

#[cfg(test)]
mod tests;
