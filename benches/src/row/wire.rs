//! Bytes on the wire per changed key: what a thousand changes of one shard take as frames, and what a pair of agents
//! really sends for many. Every change is of a value that both have, so that it says what it replaces.

use anyhow::{Context, Result};
use baton_replica::{Condition, Key, Limits, LinkId, MapName, Shard, Value};
use baton_wire::convert::shard_message_to_wire;
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Frame, ShardFrame};
use bytes::Bytes;
use prost::Message;

use crate::engine::{NOW, replica, roster};
use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load::Load;
use crate::row::Stage;
use crate::sample;

const VALUE_BYTES: usize = 100;
const BATCH: u64 = 1_000;
/// gRPC's prefix of a message, and HTTP/2's of a frame.
const PREFIX: usize = 5 + 9;
const LINK: LinkId = LinkId(1);

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let frames = frames()?;
    let keys = stage.amount(200_000);
    let mut fleet = Fleet::metered(stage, "pair", 2)?;
    let ports = &fleet.ports()[..1];
    let load = Load { window: BATCH as usize / 2, ..Load::fill(keys, VALUE_BYTES) };
    load.run(ports)?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let before = carried(&fleet);
    Load { round: 1 << 32, ..load }.run(ports)?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let carried = (carried(&fleet) - before) as f64 / keys as f64;
    fleet.agents.clear();
    Ok(vec![
        Figure::new("frames of one shard, with their prefixes and the answer", frames, "B").at_most(160.0),
        Figure::new("a pair of agents under load, both ways", carried, "B").at_most(160.0),
    ])
}

fn carried(fleet: &Fleet) -> u64 {
    fleet.bytes().iter().flatten().sum()
}

/// Two shards that are linked; one takes a batch twice and sends it; the second time counts.
fn frames() -> Result<f64> {
    let map = MapName::parse("bench")?;
    let [mut sender, mut receiver] = [1, 2].map(|me| Shard::new(0, roster(me, 2), Limits::default()));
    for (shard, peer) in [(&mut sender, 2), (&mut receiver, 1)] {
        shard.start_empty();
        shard.link_up(replica(peer), LINK);
    }
    exchange(&mut sender, &mut receiver)?;
    let mut bytes = 0;
    for round in 0..2 {
        for number in 0..BATCH {
            let key = Key::new(&map, &sample::name(number))?;
            let body = Bytes::from(sample::value(number, round, VALUE_BYTES));
            let value = Value { content_type: Box::default(), body };
            sender.put(&key, value, &Condition::Always, NOW + round)?;
        }
        bytes = exchange(&mut sender, &mut receiver)?;
    }
    let arrived = receiver.remembered_keys() as u64;
    (arrived == BATCH).then_some(bytes as f64 / BATCH as f64).context("the batch did not arrive")
}

/// Carries messages until there are none, and counts their bytes.
fn exchange(one: &mut Shard, two: &mut Shard) -> Result<usize> {
    let (first, second) = (replica(1), replica(2));
    let mut bytes = 0;
    loop {
        let mut quiet = true;
        while let Some(message) = one.poll_transmit(second, LINK) {
            bytes += size(message.clone());
            two.handle(first, LINK, message, NOW)?;
            quiet = false;
        }
        while let Some(message) = two.poll_transmit(first, LINK) {
            bytes += size(message.clone());
            one.handle(second, LINK, message, NOW)?;
            quiet = false;
        }
        if quiet {
            return Ok(bytes);
        }
    }
}

fn size(message: baton_replica::ShardMessage) -> usize {
    let shard = ShardFrame { shard: 0, body: Some(shard_message_to_wire(message)) };
    PREFIX + Frame { membership: 1, body: Some(Body::Shard(shard)) }.encoded_len()
}
