//! How long an empty replica takes to hold everything, agent to agent, against a full synchronisation of Redis.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::figure::Figure;
use crate::fleet::{Fleet, Joined};
use crate::load;
use crate::redis::Server;
use crate::row::Stage;
use crate::sample::millis;

const VALUE_BYTES: usize = 256;
/// The best of so many counts, on both sides, which take turns.
const ROUNDS: u64 = 3;

/// The same data in one agent and in one Redis.
struct Sources {
    fleet: Fleet,
    primary: Server,
}

/// How long a join of each took.
struct Joins {
    baton: Joined,
    redis: Duration,
    /// Processor seconds of both agents, and of both servers, in the last round.
    spent: [f64; 2],
}

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let small = Sources::fill(stage, stage.amount(100_000))?.best(stage, "small")?;
    let keys = stage.amount(1_000_000);
    let large = Sources::fill(stage, keys)?.best(stage, "large")?;
    let each = large.spent.map(|seconds| seconds * 1e6 / keys as f64);
    Ok(vec![
        Figure::new("100 k keys, from the first link", millis(small.baton.transfer), "ms").at_most(200.0),
        Figure::new("100 k keys, from the start of the process", millis(small.baton.all), "ms"),
        Figure::new("100 k keys, Redis", millis(small.redis), "ms"),
        Figure::new("1 M keys, from the first link", millis(large.baton.transfer), "ms"),
        Figure::new("1 M keys, from the start of the process", millis(large.baton.all), "ms"),
        Figure::new("1 M keys, Redis", millis(large.redis), "ms"),
        Figure::new("1 M keys, Redis over Baton", ratio(large.redis, large.baton.transfer), "x").at_least(2.0),
        Figure::new("1 M keys, processor time of both agents, for each key", each[0], "us"),
        Figure::new("1 M keys, processor time of both Redis, for each key", each[1], "us"),
    ])
}

// === impl Sources ===

impl Sources {
    fn fill(stage: &Stage, keys: u64) -> Result<Self> {
        let fleet = Fleet::start(stage, &format!("baton-{keys}"), 1)?;
        load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
        let primary = Server::start("primary", &stage.folder(&format!("redis-{keys}"))?)?;
        primary.fill(keys, VALUE_BYTES)?;
        Ok(Self { fleet, primary })
    }

    fn best(mut self, stage: &Stage, name: &str) -> Result<Joins> {
        let mut best: Option<Joins> = None;
        for round in 0..stage.rounds(ROUNDS) {
            let folder = stage.folder(&format!("{name}-{round}"))?;
            let (redis, spent_redis) = self.follow(&folder)?;
            let (baton, spent_baton) = self.join()?;
            let spent = [spent_baton, spent_redis];
            best = Some(match best.take() {
                None => Joins { baton, redis, spent },
                Some(old) => Joins {
                    baton: if baton.transfer < old.baton.transfer { baton } else { old.baton },
                    redis: redis.min(old.redis),
                    spent,
                },
            });
        }
        best.context("no round")
    }

    /// An agent joins and is ended again. Says how long it took, and the processor seconds of both.
    fn join(&mut self) -> Result<(Joined, f64)> {
        let before = self.fleet.processor_seconds()?;
        let joined = self.fleet.add()?;
        let spent = self.fleet.processor_seconds()? - before;
        self.fleet.leave_youngest()?;
        Ok((joined, spent))
    }

    /// The same of a replica.
    fn follow(&self, folder: &Path) -> Result<(Duration, f64)> {
        let before = self.primary.process.processor_seconds()?;
        let replica = Server::start("replica", folder)?;
        let took = replica.follow(self.primary.port)?;
        Ok((took, self.primary.process.processor_seconds()? - before + replica.process.processor_seconds()?))
    }
}

fn ratio(slow: Duration, fast: Duration) -> f64 {
    slow.as_secs_f64() / fast.as_secs_f64()
}
