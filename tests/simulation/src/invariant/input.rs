//! Invariant 9: nothing that arrives from the network or the API can crash an agent or the operator, or grow its memory
//! without bound.
//!
//! A panic anywhere breaks it. What honest peers say is never refused; a message that claims what it does not carry, that
//! comes on no link, or that knows the future is refused, with an error that its agent counts, and changes nothing. One
//! that comes twice does no more than once, or is refused.

use baton_replica::{
    Applied, Chunk, ChunkItem, Dot, Entry, Key, LinkId, Packed, Range, RangeItem, ReplicaId, Settle, Shard,
    ShardMessage, VersionVector,
};

/// No link has this number.
const NO_LINK: LinkId = LinkId(u64::MAX);

/// What a shard holds and has seen.
pub(crate) type State = (Vec<(Key, Entry)>, VersionVector);

/// Hands a shard a message that was broken; says if it did harm. `takes` says whether the shard takes writes of others at
/// all: one that does not looks at none.
pub(crate) fn check_broken(
    shard: &mut Shard,
    from: ReplicaId,
    link: LinkId,
    message: ShardMessage,
    (way, takes): (u64, bool),
) -> Result<(), String> {
    let Some((message, on)) = broken(shard, message, way) else { return Ok(()) };
    let looks = takes || on.is_some() || !matches!(message, ShardMessage::Range(_));
    let before = state(shard);
    let outcome = shard.handle(from, on.unwrap_or(link), message.clone(), 0);
    if state(shard) != before {
        return Err(format!("a broken message has changed something: {message:?}"));
    }
    match outcome {
        Ok(_) if looks => Err(format!("a broken message was not refused: {message:?}")),
        _ => Ok(()),
    }
}

/// What a shard holds and has seen.
pub(crate) fn state(shard: &Shard) -> State {
    (shard.entries().collect(), shard.clock().clone())
}

/// Breaks a message in one of some ways, or leaves it as it was and puts it on a link that is none. `None` if that leaves
/// nothing to be refused.
fn broken(shard: &Shard, message: ShardMessage, way: u64) -> Option<(ShardMessage, Option<LinkId>)> {
    if way.is_multiple_of(5) {
        return Some((message, Some(NO_LINK)));
    }
    let broken = match message {
        ShardMessage::Range(range) => ShardMessage::Range(broken_range(shard, range, way)?),
        ShardMessage::Chunk(chunk) => ShardMessage::Chunk(broken_chunk(shard, chunk, way)?),
        ShardMessage::Applied(applied) => {
            let clock = with_future(shard, applied.clock);
            ShardMessage::Applied(Applied { clock, ..applied })
        }
        ShardMessage::Settle(settle) if way.is_multiple_of(2) => {
            let seen = shard.clock().get(shard.me()) + 1;
            ShardMessage::Settle(Settle { origin: shard.me(), seen, ..settle })
        }
        ShardMessage::Settle(mut settle) => {
            let item = settle.items.first_mut()?;
            item.entry = Entry::new(item.entry.versions().to_vec(), with_future(shard, item.entry.context().clone()));
            ShardMessage::Settle(settle)
        }
        _ => return None,
    };
    Some((broken, None))
}

fn broken_range(shard: &Shard, mut range: Range, way: u64) -> Option<Range> {
    match way % 5 {
        1 => range.to += 1,
        2 => range.from += 1,
        3 => drop(range.items.pop()),
        _ => range = future_of(shard, range),
    }
    (!range.is_whole() || range.origin == shard.me()).then_some(range)
}

fn broken_chunk(shard: &Shard, chunk: Chunk, way: u64) -> Option<Chunk> {
    let items: Vec<ChunkItem> = chunk.items.items().ok()?;
    match way % 5 {
        1 => Some(Chunk { clock: with_future(shard, chunk.clock), ..chunk }),
        2 => {
            let bytes = chunk.items.into_bytes();
            let items = Packed::from_bytes(bytes.slice(..bytes.len().checked_sub(1)?));
            items.items().is_err().then_some(Chunk { items, ..chunk })
        }
        3 => {
            let through = items.last()?.key.clone();
            // All of it is said to come after its last key.
            Some(Chunk { after: Some(through), ..chunk })
        }
        _ => (items.len() > 1).then(|| Chunk { items: items.into_iter().rev().collect(), ..chunk }),
    }
}

/// A clock that knows of a write which the receiver has not made.
fn with_future(shard: &Shard, mut clock: VersionVector) -> VersionVector {
    let Dot { replica, counter } = next_of(shard);
    clock.raise(replica, counter);
    clock
}

/// A write of the receiver itself that it has not made.
fn future_of(shard: &Shard, range: Range) -> Range {
    let Dot { replica: origin, counter: to } = next_of(shard);
    let item = range.items.first().map(|item| RangeItem { slots: vec![to], ..item.clone() });
    Range { origin, from: to - 1, to, items: item.into_iter().collect(), ..range }
}

fn next_of(shard: &Shard) -> Dot {
    Dot { replica: shard.me(), counter: shard.clock().get(shard.me()) + 1 }
}
