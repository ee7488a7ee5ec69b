//! How long an empty replica takes to hold everything, agent to agent, against a full synchronisation of Redis.

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
}

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let small = Sources::fill(stage, stage.amount(100_000))?.best(stage, "small")?;
    let large = Sources::fill(stage, stage.amount(1_000_000))?.best(stage, "large")?;
    Ok(vec![
        Figure::new("100 k keys, from the first link", millis(small.baton.transfer), "ms").at_most(200.0),
        Figure::new("100 k keys, from the start of the process", millis(small.baton.all), "ms"),
        Figure::new("100 k keys, Redis", millis(small.redis), "ms"),
        Figure::new("1 M keys, from the first link", millis(large.baton.transfer), "ms"),
        Figure::new("1 M keys, from the start of the process", millis(large.baton.all), "ms"),
        Figure::new("1 M keys, Redis", millis(large.redis), "ms"),
        Figure::new("1 M keys, Redis over Baton", ratio(large.redis, large.baton.transfer), "x").at_least(2.0),
    ])
}

// === impl Sources ===

impl Sources {
    fn fill(stage: &Stage, keys: u64) -> Result<Self> {
        let fleet = Fleet::start(&stage.folder(&format!("baton-{keys}"))?, 1)?;
        load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
        let primary = Server::start("primary", &stage.folder(&format!("redis-{keys}"))?)?;
        primary.fill(keys, VALUE_BYTES)?;
        Ok(Self { fleet, primary })
    }

    fn best(mut self, stage: &Stage, name: &str) -> Result<Joins> {
        let mut best: Option<Joins> = None;
        for round in 0..stage.rounds(ROUNDS) {
            let folder = stage.folder(&format!("{name}-{round}"))?;
            let redis = Server::start("replica", &folder)?.follow(self.primary.port)?;
            let baton = self.join()?;
            best = Some(match best.take() {
                None => Joins { baton, redis },
                Some(old) => Joins {
                    baton: if baton.transfer < old.baton.transfer { baton } else { old.baton },
                    redis: redis.min(old.redis),
                },
            });
        }
        best.context("no round")
    }

    /// An agent joins and is ended again.
    fn join(&mut self) -> Result<Joined> {
        let joined = self.fleet.add()?;
        self.fleet.leave_youngest()?;
        Ok(joined)
    }
}

fn ratio(slow: Duration, fast: Duration) -> f64 {
    slow.as_secs_f64() / fast.as_secs_f64()
}
