//! Three live agents as processes: how many puts a second are accepted and applied everywhere, and how long one takes
//! to be seen on another agent at half load: half of what must be reached, and half of what was.
//!
//! Puts come by the HTTP API, with many requests on their way on each connection. What that front costs is seen from
//! one agent alone, which has nobody to send anything to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load::{self, Load, Outcome, rate};
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::sample::{millis, percentile};

const KEYS: u64 = 100_000;
/// Puts a second that must be reached.
const TARGET: f64 = 100_000.0;
const VALUE_BYTES: usize = 256;
/// Some ten seconds.
const PUTS: u64 = 600_000;
const PROBES: u64 = 2_000;
/// The pause after a probe: with it, probes are no load themselves.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two looks for a probe: looking without a pause takes a core.
const LOOK: Duration = Duration::from_micros(20);
/// Until the load is under way.
const START: Duration = Duration::from_millis(500);
/// A put that takes longer to spread than this is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// At half load few requests wait behind each other, as those of an app do.
const WINDOW: usize = 8;

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let keys = stage.amount(KEYS);
    let full = Load { puts: stage.amount(PUTS), fill: false, round: 1 << 32, ..Load::fill(keys, VALUE_BYTES) };
    let alone = {
        let mut fleet = Fleet::start(stage, "one", 1)?;
        load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
        run(full, &mut fleet)?
    };
    let mut fleet = Fleet::start(stage, "three", 3)?;
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    let (group, spent) = run(full, &mut fleet)?;
    let (alone, spent_alone) = alone;
    let spread = rate(group.puts, group.everywhere);

    let mut figures = vec![
        Figure::new("puts, accepted and applied everywhere", spread, "/s").at_least(TARGET),
        Figure::new("puts, accepted", rate(group.puts, group.accepted), "/s"),
        Figure::new("processor time of all three agents, per put", spent, "us"),
        Figure::new("longest wait for a window of answers", millis(group.longest), "ms").at_most(100.0),
        Figure::new("one agent alone: puts, accepted", rate(alone.puts, alone.accepted), "/s"),
        Figure::new("one agent alone: its processor time, per put", spent_alone, "us"),
    ];
    // It ends with the probes.
    let at = |rate| Load { puts: u64::MAX, rate: Some(rate), window: WINDOW, round: 2 << 32, ..full };
    let (probes, meanwhile) = probe(&fleet, at(TARGET / 2.0), "target", stage.amount(PROBES))?;
    let [seen_50, seen_99, acknowledged_50, acknowledged_99] = probes.percentiles();
    figures.extend([
        Figure::new("50 k/s: puts meanwhile, accepted", meanwhile, "/s"),
        Figure::new("50 k/s: put until another agent shows it, p50", seen_50, "ms").at_most(1.0),
        Figure::new("50 k/s: put until another agent shows it, p99", seen_99, "ms").at_most(5.0),
        Figure::new("50 k/s: put until both others acknowledge, p50", acknowledged_50, "ms"),
        Figure::new("50 k/s: put until both others acknowledge, p99", acknowledged_99, "ms"),
    ]);
    let (probes, meanwhile) = probe(&fleet, at(spread / 2.0), "reached", stage.amount(PROBES))?;
    let [seen_50, seen_99, ..] = probes.percentiles();
    figures.extend([
        Figure::new("half of what was reached: puts meanwhile, accepted", meanwhile, "/s"),
        Figure::new("half of what was reached: until another agent shows it, p50", seen_50, "ms"),
        Figure::new("half of what was reached: until another agent shows it, p99", seen_99, "ms"),
    ]);
    Ok(figures)
}

/// A load, and the microseconds of processor time that all agents together took for each put.
fn run(load: Load, fleet: &mut Fleet) -> Result<(Outcome, f64)> {
    let before = fleet.processor_seconds()?;
    let outcome = load.run(&fleet.ports())?;
    let spent = fleet.processor_seconds()? - before;
    Ok((outcome, spent * 1e6 / outcome.puts as f64))
}

/// How long single puts took.
struct Probes {
    /// From the request until another agent's answer holds the value.
    seen: Vec<Duration>,
    /// From the request until its answer, which waits for both others.
    acknowledged: Vec<Duration>,
}

// === impl Probes ===

impl Probes {
    /// In milliseconds: seen, at 50 and 99 %, and acknowledged.
    fn percentiles(mut self) -> [f64; 4] {
        let [seen, acknowledged] =
            [&mut self.seen, &mut self.acknowledged].map(|times| [50, 99].map(|at| millis(percentile(times, at))));
        [seen[0], seen[1], acknowledged[0], acknowledged[1]]
    }
}

/// Puts through the first agent and looks at the second, while one load goes on without a break. Every name is new, so that
/// what is seen is this put. Says also how many puts of the load were accepted in a second.
fn probe(fleet: &Fleet, load: Load, names: &str, count: u64) -> Result<(Probes, f64)> {
    let ports = fleet.ports();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load.run_until(&ports, &ended));
        std::thread::sleep(START);
        let probes = probes(&ports, names, count);
        ended.store(true, Ordering::Relaxed);
        let outcome = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        Ok((probes?, rate(outcome.puts, outcome.accepted)))
    })
}

fn probes(ports: &[u16], names: &str, count: u64) -> Result<Probes> {
    let (mut here, mut there) = (Pipe::connect(ports[0])?, Pipe::connect(ports[1])?);
    let mut probes = Probes { seen: Vec::new(), acknowledged: Vec::new() };
    for number in 0..count {
        let name = format!("{names}-{number}");
        let begun = Instant::now();
        here.put_now(name.as_bytes(), "?acks=0", b"1")?;
        while there.get_now(name.as_bytes())?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "a put does not come to another agent");
            std::thread::sleep(LOOK);
        }
        probes.seen.push(begun.elapsed());
        std::thread::sleep(PAUSE);
        let begun = Instant::now();
        here.put_now(name.as_bytes(), "?acks=all", b"2")?;
        probes.acknowledged.push(begun.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(probes)
}
