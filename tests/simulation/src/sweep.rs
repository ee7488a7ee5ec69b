//! Many seeds, on several threads.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::invariant::Violation;
use crate::minimise::minimise;
use crate::run::{Run, run, run_written};

/// Failures that are remembered; a protocol that fails more often has one cause.
const MOST_FAILURES: usize = 100;

/// One seed of so many is run twice: the same seed must give the same run.
const TWICE: u64 = 64;

/// How often a long sweep says how far it is.
const PROGRESS: Duration = Duration::from_secs(30);

/// Runs in which a failing seed is made smaller: some seconds, in which most schedules come down to what matters.
const TRIES: usize = 1_000;

/// How the seeds went.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// The first seed.
    pub first: u64,
    /// How many were asked for, and how many were run.
    pub wanted: u64,
    /// How many were run.
    pub seeds: u64,
    /// The first failures, by seed.
    pub failures: Vec<(u64, Violation)>,
    /// How many failed.
    pub failed: u64,
    /// How much happened.
    pub events: u64,
    /// A hash of everything that happened: the same seeds give the same.
    pub hash: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Runs seeds; a failure does not end it. `progress` is called now and then.
pub fn sweep(first: u64, count: u64, threads: usize, progress: &(dyn Fn(&Sweep) + Sync)) -> Sweep {
    let begun = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Sweep { first, wanted: count, ..Sweep::default() });
    let add = |seed: u64| {
        let mut result = run(seed);
        if seed.is_multiple_of(TWICE) {
            result.compare(&run(seed));
        }
        if let Ok(mut total) = total.lock() {
            total.add(seed, result, begun);
        }
    };
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count) {
            add(first + seed);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        scope.spawn(|| {
            let mut said = Instant::now();
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                if said.elapsed() >= PROGRESS {
                    said = Instant::now();
                    if let Ok(total) = total.lock().map(|total| total.clone()) {
                        eprintln!("{total}");
                        progress(&total);
                    }
                }
            }
        });
        for worker in workers {
            // A run catches its panics; one outside is a mistake here, and ends the sweep.
            let _ = worker.join();
        }
        done.store(true, Ordering::Relaxed);
    });
    total.into_inner().unwrap_or_default()
}

/// Prints the smallest schedule that still fails, what happens in it, and how to run it again: with these arguments too.
pub fn print_failure(seed: u64, with: &str) {
    let again = format!("again: cargo xtask sim --seed {seed}{with}");
    let Some(minimal) = minimise(seed, TRIES) else {
        println!("\nseed {seed} breaks no rule in a run by itself\n{again}");
        return;
    };
    println!("\n{}", minimal.profile);
    for line in &minimal.lines {
        println!("{line}");
    }
    let (all, left) = minimal.actions;
    println!("\nseed {seed}, {left} of {all} actions: {}", minimal.violation);
    println!("{again}");
}

/// Prints what happens in a seed, which is run twice. It is run again with these arguments too.
pub fn tell(seed: u64, with: &str) -> Sweep {
    let begun = Instant::now();
    let mut told = run_written(seed);
    told.compare(&run(seed));
    let (lines, events, hash) = (std::mem::take(&mut told.lines), told.events, told.hash);
    let mut result = Sweep { first: seed, wanted: 1, ..Sweep::default() };
    result.add(seed, told, begun);
    if result.failed > 0 {
        println!("{result}");
        print_failure(seed, with);
        return result;
    }
    for line in &lines {
        println!("{line}");
    }
    println!("seed {seed}: {events} events, hash {hash:016x}");
    result
}

// === impl Sweep ===

impl Sweep {
    fn add(&mut self, seed: u64, run: Run, begun: Instant) {
        self.seeds += 1;
        self.events += run.events;
        self.hash = self.hash.wrapping_add(run.hash.wrapping_mul(seed | 1));
        self.seconds = begun.elapsed().as_secs_f64();
        if let Some(violation) = run.violation {
            self.failed += 1;
            self.failures.push((seed, violation));
            self.failures.sort_by_key(|(seed, _)| *seed);
            self.failures.truncate(MOST_FAILURES);
        }
    }

    /// The result for programs.
    pub fn json(&self) -> String {
        let failures = self
            .failures
            .iter()
            .map(|(seed, violation)| serde_json::json!({ "seed": seed, "violation": violation.to_string() }));
        let value = serde_json::json!({
            "first": self.first,
            "wanted": self.wanted,
            "seeds": self.seeds,
            "failed": self.failed,
            "failures": failures.collect::<Vec<_>>(),
            "events": self.events,
            "hash": format!("{:016x}", self.hash),
            "seconds": self.seconds,
        });
        format!("{value:#}\n")
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (seed, violation) in &self.failures {
            writeln!(f, "seed {seed}: {violation}")?;
        }
        let Self { seeds, failed, events, hash, seconds, .. } = self;
        let rate = *seeds as f64 / seconds.max(0.001);
        write!(f, "{seeds} seeds, {failed} failed, {events} events, {rate:.0} seeds/s, hash {hash:016x}")
    }
}
