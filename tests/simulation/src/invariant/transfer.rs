//! Invariants 4 and 5, of transfers that were stopped: who got a part of what some member held at any time, and gets all
//! that another holds now, is left with nothing that the other has seen deleted, however long ago.

use baton_replica::{
    Chunk, ChunkItem, Key, Limits, LinkId, Membership, Packed, ReplicaId, Roster, Shard, ShardMessage, VersionVector,
};

use crate::agent::Agent;
use crate::invariant::live_dots;
use crate::world::World;

/// Parts that are kept of a run.
const MOST: usize = 4;

/// Of so many looks, one is remembered.
const SELDOM: usize = 5;

/// What members held at some times.
#[derive(Debug, Default)]
pub(crate) struct Past {
    parts: Vec<Part>,
    looks: usize,
}

/// What a member held of a shard.
#[derive(Debug)]
struct Part {
    shard: usize,
    items: Vec<ChunkItem>,
}

// === impl Past ===

impl Past {
    /// Keeps what a member holds, now and then.
    pub(crate) fn look(&mut self, world: &World) {
        self.looks += 1;
        // What all members hold is one chunk here, which long keys would fill.
        if self.parts.len() == MOST || !self.looks.is_multiple_of(SELDOM) || world.profile.alike > 0 {
            return;
        }
        let (at, shard) = (self.looks % world.agents.len().max(1), self.looks % world.profile.shards);
        let Some(agent) = world.agents.values().nth(at) else { return };
        self.parts.push(Part { shard, items: items(agent, shard) });
    }
}

/// At the end, when all that was deleted is forgotten.
pub(crate) fn check(world: &World, past: &Past) -> Result<(), String> {
    let Some(source) = world.agents.values().find(|agent| agent.holds_state()) else { return Ok(()) };
    past.parts.iter().try_for_each(|part| take_over(world, source, part))
}

fn take_over(world: &World, source: &Agent, part: &Part) -> Result<(), String> {
    let Some(last) = part.items.last().map(|item| item.key.clone()) else { return Ok(()) };
    let list: &Membership = source.list.as_ref().ok_or("no list")?;
    let mut roster = Roster::new(ReplicaId::new(u64::MAX).ok_or("zero")?);
    roster.take(list);
    let mut taker = Shard::new(part.shard, roster, Limits::default());
    let (held, seen) = (&source.shards[part.shard], source.seen(part.shard));
    feed(&mut taker, held, LinkId(1), VersionVector::new(), Some(last), part.items.clone())?;
    feed(&mut taker, held, LinkId(2), seen.clock.clone(), None, items(source, part.shard))?;
    if taker.is_joining() {
        return Err(format!("all that {} holds makes no member", source.id));
    }
    let (mut alive, there) = (live_dots(&taker).into_iter(), live_dots(held));
    match alive.find(|dot| !there.contains(dot) && world.oracle.covers(&seen, *dot)) {
        Some(dot) => Err(format!("{dot} lives on with who takes over from {}, who has seen its end", source.id)),
        None => Ok(()),
    }
}

/// One chunk of a transfer on a link of its own, which may end it.
fn feed(
    taker: &mut Shard,
    source: &Shard,
    link: LinkId,
    clock: VersionVector,
    through: Option<Key>,
    items: Vec<ChunkItem>,
) -> Result<(), String> {
    let _ = taker.link_up(source.me(), link);
    let asked = std::iter::from_fn(|| taker.poll_transmit(source.me(), link)).find_map(|message| match message {
        ShardMessage::Fetch { transfer } => Some(transfer),
        _ => None,
    });
    let transfer = asked.ok_or_else(|| format!("nobody asks {} for its state", source.me()))?;
    let (listed, founders) = (source.roster().listed(), source.founders().to_vec());
    let items: Packed = items.into_iter().collect();
    let chunk =
        Chunk { transfer, index: 0, clock, listed, founders, token: 0, level: 0, keys: 0, after: None, through, items };
    let outcome = taker.handle(source.me(), link, ShardMessage::Chunk(chunk), 0);
    outcome.map(drop).map_err(|error| format!("what {} holds is refused: {error}", source.me()))
}

fn items(agent: &Agent, shard: usize) -> Vec<ChunkItem> {
    agent.shards[shard].entries().map(|(key, entry)| ChunkItem { key, entry }).collect()
}
