//! Writes that one peer has acknowledged: SET with `acks: 1` against SET and WAIT 1 in one pipeline.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::front::contender::Contender;
use crate::front::{Comparison, TURNS, VALUE_BYTES, median};
use crate::load;
use crate::redis::Reply;
use crate::row::Stage;
use crate::sample::{self, percentile};

/// Writes of all writers together in one turn.
const WRITES: u64 = 20_000;

pub(super) fn compare(stage: &Stage) -> Result<Vec<Comparison>> {
    let baton = Contender::baton(&stage.folder("baton-acks")?, 1)?;
    let redis = Contender::redis(&stage.folder("redis-wait")?)?;
    let mut lines = Vec::new();
    for (writers, bound) in [(1, 1.0), (50, 0.7)] {
        let turns: Vec<[[f64; 2]; 2]> = (0..stage.rounds(TURNS))
            .map(|_| {
                let mut sides = Vec::new();
                for side in [&baton, &redis] {
                    let mut times = run(side, writers, stage.amount(WRITES).max(writers))?;
                    sides.push([50, 99].map(|percent| percentile(&mut times, percent).as_secs_f64() * 1e6));
                }
                Ok([sides[0], sides[1]])
            })
            .collect::<Result<_>>()?;
        for (at, name) in ["p50", "p99"].into_iter().enumerate() {
            let of = |figure: &dyn Fn(&[[f64; 2]; 2]) -> f64| median(turns.iter().map(figure).collect());
            let (ratio, spread) = of(&|[baton, redis]| baton[at] / redis[at]);
            let line = Comparison {
                redis: Some(of(&|[_, redis]| redis[at]).0),
                latency_ratio: Some(ratio),
                spread: Some(spread),
                ..Comparison::alone(
                    &format!("SET acknowledged by a peer, {name}"),
                    writers as usize,
                    of(&|[baton, _]| baton[at]).0,
                    "us",
                )
            };
            lines.push(line.must(&format!("<= {bound}x"), ratio <= bound));
        }
    }
    Ok(lines)
}

/// How long each write took.
fn run(side: &Contender, writers: u64, writes: u64) -> Result<Vec<Duration>> {
    Ok(load::lanes(writers, |writer| lane(side, writer, writes / writers))?.concat())
}

fn lane(side: &Contender, writer: u64, writes: u64) -> Result<Vec<Duration>> {
    let mut client = side.client()?;
    (0..writes)
        .map(|write| {
            let (name, value) =
                (sample::name((writer << 32) | (write % 1_000)), sample::value(writer, write, VALUE_BYTES));
            let set: &[&[u8]] = &[b"SET", &name, &value];
            let begun = Instant::now();
            if matches!(side, Contender::Redis { .. }) {
                client.send(&[set, &[b"WAIT", b"1", b"0"]])?;
                client.reply()?;
                ensure!(client.reply()? == Reply::Integer(1), "the replica did not acknowledge");
            } else {
                client.command(set)?;
            }
            Ok(begun.elapsed())
        })
        .collect()
}
