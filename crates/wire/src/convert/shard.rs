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
        ShardMessage::Range(range) => Body::Range(wire::Range {
            origin: range.origin.bits(),
            from: range.from,
            to: range.to,
            items: range.items.into_iter().map(|item| item_to_wire(item.key, item.slots, item.entry)).collect(),
            closed: range.closed.into_iter().flat_map(|(from, to)| [from, to]).collect(),
            continued: range.continued,
            token: range.token,
        }),
        ShardMessage::Pull { origin, from } => Body::Pull(wire::Pull { origin: origin.bits(), from }),
        ShardMessage::Behind { origin } => Body::Behind(wire::Behind { origin: origin.bits() }),
        ShardMessage::Fetch { transfer } => Body::Fetch(wire::Fetch { transfer }),
        ShardMessage::Chunk(chunk) => Body::Chunk(wire::Chunk {
            last: chunk.is_last(),
            transfer: chunk.transfer,
            index: chunk.index,
            clock: Some(clock_to_wire(&chunk.clock)),
            after: chunk.after.map(|key| key.as_bytes().clone()),
            through: chunk.through.map(|key| key.as_bytes().clone()),
            items: chunk.items.into_iter().map(|item| item_to_wire(item.key, Vec::new(), item.entry)).collect(),
            listed: chunk.listed.into_iter().map(ReplicaId::bits).collect(),
            token: chunk.token,
        }),
        ShardMessage::ChunkSeen { transfer, index } => Body::ChunkSeen(wire::ChunkSeen { transfer, index }),
        ShardMessage::Settle(settle) => Body::Settle(wire::Settle {
            origin: settle.origin.bits(),
            round: settle.round,
            seen: settle.seen,
            last: settle.last,
            items: settle.items.into_iter().map(|item| item_to_wire(item.key, Vec::new(), item.entry)).collect(),
            token: settle.token,
        }),
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
    let item = |item: wire::Item| {
        let slots = item.slots.clone();
        let (key, entry) = item_from_wire(item)?;
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

fn settle_from_wire(settle: wire::Settle) -> Result<Settle, WireError> {
    let items: Result<Vec<ChunkItem>, WireError> = settle.items.into_iter().map(chunk_item_from_wire).collect();
    Ok(Settle {
        origin: replica(settle.origin)?,
        round: settle.round,
        seen: settle.seen,
        last: settle.last,
        items: items?,
        token: settle.token,
    })
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

fn chunk_item_from_wire(item: wire::Item) -> Result<ChunkItem, WireError> {
    let (key, entry) = item_from_wire(item)?;
    Ok(ChunkItem { key, entry })
}

fn chunk_from_wire(chunk: wire::Chunk) -> Result<Chunk, WireError> {
    let bound = |key: Option<Bytes>| key.map(|key| Key::from_wire(&key)).transpose();
    let items: Result<Vec<ChunkItem>, WireError> = chunk.items.into_iter().map(chunk_item_from_wire).collect();
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

fn item_from_wire(item: wire::Item) -> Result<(Key, Entry), WireError> {
    let versions: Result<Vec<Version>, WireError> = item.versions.into_iter().map(version_from_wire).collect();
    Ok((Key::from_wire(&item.key)?, Entry::new(versions?, clock_from_wire(item.context)?)))
}

fn item_to_wire(key: Key, slots: Vec<u64>, entry: Entry) -> wire::Item {
    let context = entry.context();
    wire::Item {
        key: key.as_bytes().clone(),
        slots,
        context: (!context.is_empty()).then(|| clock_to_wire(context)),
        versions: entry.versions().iter().map(version_to_wire).collect(),
    }
}

fn version_from_wire(version: wire::EntryVersion) -> Result<Version, WireError> {
    let author = replica(version.replica)?;
    if version.counter == 0 {
        return Err(WireError::Malformed("a version's counter"));
    }
    let value =
        Value { content_type: version.content_type.into_boxed_str(), body: Bytes::copy_from_slice(&version.body) };
    Ok(Version {
        dot: Dot { replica: author, counter: version.counter },
        hlc: Hlc::from_bits(version.hlc),
        writer: ReplicaId::new(version.writer).unwrap_or(author),
        value: (!version.contribution).then_some(value),
        added: version.added,
        owner: version.owner.map(owner_from_wire).transpose()?.map(Box::new),
        expires_at: (version.expires_at > 0).then_some(version.expires_at),
    })
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

fn version_to_wire(version: &Version) -> wire::EntryVersion {
    let writer = if version.writer == version.dot.replica { 0 } else { version.writer.bits() };
    let value = version.value.as_ref();
    wire::EntryVersion {
        replica: version.dot.replica.bits(),
        counter: version.dot.counter,
        hlc: version.hlc.bits(),
        writer,
        body: value.map(|value| value.body.clone()).unwrap_or_default(),
        content_type: value.map(|value| value.content_type.to_string()).unwrap_or_default(),
        contribution: value.is_none(),
        added: version.added,
        owner: version.owner.as_deref().map(owner_to_wire),
        expires_at: version.expires_at.unwrap_or_default(),
    }
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
