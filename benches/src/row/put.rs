//! Puts and gets in the engine, on one core: keys in no order, each put replaces a value. Each comes alone, or some
//! come together, as requests do on a connection with many on their way: then what all need is asked for first.
//!
//! In a group of one a write is stable at once. In a group of three it has a place in the log until both others have
//! acknowledged it; what they say is made up, but what the replica does for it is not.
//!
//! Times are the thread's own on the processor, so that other programs change them only through the caches.

use std::hint::black_box;

use anyhow::{Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::engine::Engine;
use crate::figure::Figure;
use crate::row::Stage;
use crate::sample;

const VALUE_BYTES: usize = 256;
const OPERATIONS: u64 = 2_000_000;
/// The best of so many passes counts: a pass that another program disturbed says nothing of this one.
const PASSES: usize = 3;
/// Requests that come together: of a client that keeps a few on their way, and of a busy connection.
const BURSTS: [usize; 2] = [16, 32];
/// Puts that go to the peers at once, in a range for each shard: as many as come while a range is on its way.
const TOGETHER: usize = 1_024;

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let operations = stage.amount(OPERATIONS);
    let [small, large] = [1_000, stage.amount(1_000_000)].map(|keys| Pass::best(keys, 1, operations));
    let group = Group::best(stage.amount(1_000_000), operations)?;
    let logged = Pass::best(stage.amount(1_000_000), 3, operations);
    let mut figures = vec![
        Figure::new("group of one: put one at a time, 1 M keys", rate(large.put), "/s").at_least(1_000_000.0),
        Figure::new("group of three: put one at a time, 1 M keys", rate(group.put), "/s").at_least(1_000_000.0),
        Figure::new(
            "group of three: the same, with two ranges made and acknowledged",
            rate(group.put + group.spread),
            "/s",
        ),
        Figure::new("put one at a time, 1 k keys", rate(small.put), "/s"),
        Figure::new("put one at a time: 1 k keys over 1 M keys", large.put / small.put, "x").at_most(1.5),
        Figure::new("group of three, two unreachable, so that the log is full: the same", rate(logged.put), "/s")
            .at_least(1_000_000.0),
        Figure::new("first put of a key, up to 1 M keys", rate(large.fill), "/s"),
        Figure::new("get one at a time, 1 M keys", rate(large.get), "/s").at_least(3_000_000.0),
        Figure::new("get one at a time, 1 k keys", rate(small.get), "/s").at_least(3_000_000.0),
    ];
    for (at, burst) in BURSTS.into_iter().enumerate() {
        let (large, small) = (&large.bursts[at], &small.bursts[at]);
        let name = |what: &str| format!("{what}, in bursts of {burst}");
        figures.push(Figure::new(name("put, 1 M keys"), rate(large.put), "/s").at_least(1_000_000.0));
        figures.push(Figure::new(name("put: 1 k keys over 1 M keys"), large.put / small.put, "x").at_most(1.5));
        figures.push(Figure::new(name("get, 1 M keys"), rate(large.get), "/s").at_least(3_000_000.0));
    }
    Ok(figures)
}

/// Nanoseconds for one operation.
struct Pass {
    fill: f64,
    put: f64,
    get: f64,
    bursts: [Burst; BURSTS.len()],
}

/// The same of puts one at a time in a group of three that acknowledges them.
struct Group {
    put: f64,
    /// What it takes to send one and to have it acknowledged, as it is with [`TOGETHER`] on their way.
    spread: f64,
}

/// The same of operations that came together.
struct Burst {
    put: f64,
    get: f64,
}

// === impl Pass ===

impl Pass {
    fn best(keys: u64, members: u64, operations: u64) -> Self {
        let mut engine = Engine::new(1, members);
        let value = [b'v'; VALUE_BYTES];
        let fill = nanoseconds(0..keys, |number| engine.put(number, &value));
        let numbers = || sample::numbers(keys).take(operations as usize);
        let put = fastest(|| nanoseconds(numbers(), |number| engine.put(number, &value)));
        let get = fastest(|| nanoseconds(numbers(), |number| drop(black_box(engine.get(number)))));
        let bursts = BURSTS.map(|burst| {
            let all: Vec<u64> = numbers().collect();
            let each = |time: f64| time / burst as f64;
            let put = fastest(|| nanoseconds(all.chunks_exact(burst), |some| engine.put_burst(some, &value)));
            let answer = |read| drop(black_box(read));
            let get = fastest(|| nanoseconds(all.chunks_exact(burst), |some| engine.get_burst(some, answer)));
            Burst { put: each(put), get: each(get) }
        });
        Self { fill, put, get, bursts }
    }
}

// === impl Group ===

impl Group {
    fn best(keys: u64, operations: u64) -> Result<Self> {
        let mut engine = Engine::linked(1, 3);
        let value = [b'v'; VALUE_BYTES];
        let numbers: Vec<u64> = (0..keys).collect();
        Self::pass(&mut engine, &numbers, &value);
        let numbers: Vec<u64> = sample::numbers(keys).take(operations as usize).collect();
        let passes: Vec<Self> = (0..PASSES).map(|_| Self::pass(&mut engine, &numbers, &value)).collect();
        ensure!(engine.log_slots() == 0, "not all that was sent is stable");
        let least = |time: fn(&Self) -> f64| passes.iter().map(time).fold(f64::INFINITY, f64::min);
        Ok(Self { put: least(|pass| pass.put), spread: least(|pass| pass.spread) })
    }

    fn pass(engine: &mut Engine, numbers: &[u64], value: &[u8]) -> Self {
        let mut all = Self { put: 0.0, spread: 0.0 };
        for together in numbers.chunks(TOGETHER) {
            let share = together.len() as f64 / numbers.len() as f64;
            all.put += share * nanoseconds(together.iter(), |number| engine.put(*number, value));
            all.spread += share / together.len() as f64 * nanoseconds(0..1, |_| engine.spread());
        }
        all
    }
}

fn fastest(pass: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(pass).take(PASSES).fold(f64::INFINITY, f64::min)
}

/// The time of each, on average.
fn nanoseconds<T>(items: impl Iterator<Item = T>, mut operation: impl FnMut(T)) -> f64 {
    let begun = processor_nanoseconds();
    let mut count = 0;
    for item in items {
        operation(item);
        count += 1;
    }
    (processor_nanoseconds() - begun) as f64 / f64::from(count)
}

/// Of this thread.
fn processor_nanoseconds() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn rate(nanoseconds: f64) -> f64 {
    1e9 / nanoseconds
}
