//! A rolling restart under writers: each member is replaced, the new one first. Four writers each wait for one
//! acknowledgement of every put. The same is done to a primary and two replicas of Redis, with `FAILOVER`, and `WAIT 1`
//! after every `SET`.
//!
//! Puts are counted from the start of a new member to the end of the old one; the pause after each replacement counts on
//! neither side. What a writer waits for counts in the pauses too: a gap may begin in a replacement and end later.

mod baton;
mod redis;
mod writer;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::figure::Figure;
use crate::row::Stage;
use crate::sample::millis;
use writer::Crew;

const KEYS: u64 = 100_000;
const VALUE_BYTES: usize = 256;
/// How long writers write before, and after.
const CALM: Duration = Duration::from_secs(5);
/// How long nobody may be answered.
const PATIENCE: Duration = Duration::from_secs(60);
/// After each replacement: until the other agents have noticed that one has ended. A pod takes longer to come than this.
const REST: Duration = Duration::from_secs(3);
/// Members of either group, which are all replaced.
const MEMBERS: usize = 3;

/// What a restart did to the writers.
struct Restart {
    /// Puts per second before.
    before: f64,
    /// And while members were replaced, without the pauses between.
    during: f64,
    /// The longest that any writer was without an answer meanwhile, pauses and all.
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

/// Lets a crew write, replaces one member after the other meanwhile, and counts.
fn observe(crew: &Crew, calm: Duration, mut replace: impl FnMut() -> Result<Option<Duration>>) -> Result<Restart> {
    crew.pass(calm / 2);
    let begun = Instant::now();
    let before = loop {
        crew.reset();
        let before = crew.pass(calm);
        if before.puts > 0 {
            break before;
        }
        // Replicas may still be taking the state, or the time may be that of a smoke test.
        ensure!(begun.elapsed() < PATIENCE, "nobody writes");
    };
    crew.reset();
    let (mut puts, mut time, mut stops) = (0, Duration::ZERO, Vec::new());
    for _ in 0..MEMBERS {
        let (already, begun) = (crew.passed().puts, Instant::now());
        stops.extend(replace()?);
        time += begun.elapsed();
        puts += crew.passed().puts - already;
        std::thread::sleep(REST);
    }
    let gap = crew.passed().gap;
    let rate = |puts: u64, time: Duration| puts as f64 / time.as_secs_f64();
    let (before, calm_gap) = (rate(before.puts, calm), before.gap);
    Ok(Restart { before, during: rate(puts, time), gap, calm_gap, lost: 0, stops })
}
