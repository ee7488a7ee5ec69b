//! Invariant 9: nothing that arrives from the network or the API can crash an agent or the operator, or grow its memory
//! without bound.
//!
//! A panic anywhere breaks it. What honest peers say is never refused; a message that claims what it does not carry, that
//! comes on no link, or that knows the future is refused, and changes nothing.

use baton_replica::{LinkId, Range, RangeItem, ReplicaId, Shard, ShardMessage};

/// No link has this number.
const NO_LINK: LinkId = LinkId(u64::MAX);

/// Hands a shard a range that was broken; says if it did harm.
pub(crate) fn check_broken(
    shard: &mut Shard,
    from: ReplicaId,
    link: LinkId,
    mut range: Range,
    way: u64,
) -> Result<(), String> {
    let mut link = link;
    match way % 5 {
        0 => range.to += 1,
        1 => range.from += 1,
        2 => drop(range.items.pop()),
        3 => link = NO_LINK,
        _ => range = future_of(shard, range),
    }
    let before: Vec<_> = shard.entries().collect();
    let clock = shard.clock().clone();
    let broken = link == NO_LINK || !range.is_whole() || range.origin == shard.me();
    let outcome = shard.handle(from, link, ShardMessage::Range(range.clone()), 0);
    let untouched = *shard.clock() == clock && shard.entries().collect::<Vec<_>>() == before;
    match outcome {
        _ if !broken => Ok(()),
        Ok(_) if !untouched => Err(format!("a broken range was taken: {range:?}")),
        Err(_) if !untouched => Err(format!("a broken range was refused, and changed something: {range:?}")),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A write of the receiver itself that it has not made.
fn future_of(shard: &Shard, range: Range) -> Range {
    let (origin, from) = (shard.me(), shard.clock().get(shard.me()));
    let item = range.items.first().map(|item| RangeItem { slots: vec![from + 1], ..item.clone() });
    Range { origin, from, to: from + 1, items: item.into_iter().collect(), ..range }
}
