//! Messages about one shard.

use baton_replica::{
    Applied, Chunk, ChunkItem, Dot, Entry, Hlc, Key, Range, RangeItem, ReplicaId, ShardMessage, Value, Version,
    VersionVector,
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
        }),
        ShardMessage::ChunkSeen { transfer, index } => Body::ChunkSeen(wire::ChunkSeen { transfer, index }),
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
    Ok(Range { origin: replica(range.origin)?, from: range.from, to: range.to, items: items? })
}

fn chunk_from_wire(chunk: wire::Chunk) -> Result<Chunk, WireError> {
    let bound = |key: Option<Bytes>| key.map(|key| Key::from_wire(&key)).transpose();
    let item = |item: wire::Item| {
        let (key, entry) = item_from_wire(item)?;
        Ok(ChunkItem { key, entry })
    };
    let items: Result<Vec<ChunkItem>, WireError> = chunk.items.into_iter().map(item).collect();
    let through = bound(chunk.through)?;
    if through.is_none() != chunk.last {
        return Err(WireError::Malformed("a chunk's end"));
    }
    Ok(Chunk {
        transfer: chunk.transfer,
        index: chunk.index,
        clock: clock_from_wire(chunk.clock)?,
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
    Ok(Version {
        dot: Dot { replica: author, counter: version.counter },
        hlc: Hlc::from_bits(version.hlc),
        writer: ReplicaId::new(version.writer).unwrap_or(author),
        value: Value {
            content_type: version.content_type.into_boxed_str(),
            body: Bytes::copy_from_slice(&version.body),
        },
    })
}

fn version_to_wire(version: &Version) -> wire::EntryVersion {
    let writer = if version.writer == version.dot.replica { 0 } else { version.writer.bits() };
    wire::EntryVersion {
        replica: version.dot.replica.bits(),
        counter: version.dot.counter,
        hlc: version.hlc.bits(),
        writer,
        body: version.value.body.clone(),
        content_type: version.value.content_type.to_string(),
    }
}
