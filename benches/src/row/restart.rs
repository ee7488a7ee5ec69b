//! A rolling restart under writers: each member is replaced, the new one first. Four writers each wait for one
//! acknowledgement of every put. The same is done to a primary and two replicas of Redis, with `FAILOVER`, and `WAIT 1`
//! after every `SET`.

mod baton;
mod redis;
mod writer;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::figure::Figure;
use crate::row::Stage;
use crate::sample::millis;
use writer::Crew;

const KEYS: u64 = 100_000;
const VALUE_BYTES: usize = 256;
/// How long writers write before, and after.
const CALM: Duration = Duration::from_secs(5);

/// What a restart did to the writers.
struct Restart {
    /// Puts per second before.
    before: f64,
    /// And while members were replaced.
    during: f64,
    /// The longest that any writer was without an answer meanwhile.
    gap: Duration,
    /// The same before: what the machine does alone.
    calm_gap: Duration,
    /// Acknowledged values that some member does not hold in the end.
    lost: u64,
    stops: Vec<Duration>,
}

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let baton = baton::restart(stage, stage.amount(KEYS))?;
    let redis = redis::restart(stage, stage.amount(KEYS))?;
    let stop = baton.stops.iter().max().copied().unwrap_or_default();
    Ok(vec![
        Figure::new("keys lost", baton.lost as f64, "").at_most(0.0),
        Figure::new("puts before", baton.before, "/s"),
        Figure::new("puts during", baton.during, "/s"),
        Figure::new("puts during over before", baton.during / baton.before, "x").at_least(0.9),
        Figure::new("longest gap of a writer", millis(baton.gap), "ms").at_most(50.0),
        Figure::new("longest gap of a writer before", millis(baton.calm_gap), "ms"),
        Figure::new("longest stop of a member, hook and all", millis(stop), "ms").at_most(100.0),
        Figure::new("Redis: keys lost", redis.lost as f64, ""),
        Figure::new("Redis: puts before", redis.before, "/s"),
        Figure::new("Redis: puts during", redis.during, "/s"),
        Figure::new("Redis: puts during over before", redis.during / redis.before, "x"),
        Figure::new("Redis: longest gap of a writer", millis(redis.gap), "ms"),
    ])
}

/// Lets a crew write, replaces the members meanwhile, and counts.
fn observe(crew: &Crew, calm: Duration, replace: impl FnOnce() -> Result<Vec<Duration>>) -> Result<Restart> {
    crew.pass(calm / 2);
    crew.reset();
    let before = crew.pass(calm);
    ensure!(before.puts > 0, "nobody writes");
    crew.reset();
    let begun = std::time::Instant::now();
    let stops = replace()?;
    let during = crew.since(begun);
    Ok(Restart { before: before.rate(), during: during.rate(), gap: during.gap, calm_gap: before.gap, lost: 0, stops })
}
