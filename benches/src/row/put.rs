//! Puts and gets in the engine, on one core: keys in no order, each put replaces a value.
//!
//! Times are the thread's own on the processor, so that other programs change them only through the caches.

use std::hint::black_box;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

use crate::engine::Engine;
use crate::figure::Figure;
use crate::row::Stage;
use crate::sample;

const VALUE_BYTES: usize = 256;
const OPERATIONS: u64 = 2_000_000;
/// The best of so many passes counts: a pass that another program disturbed says nothing of this one.
const PASSES: usize = 3;

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let operations = stage.amount(OPERATIONS);
    let [small, large] = [1_000, stage.amount(1_000_000)].map(|keys| Pass::best(keys, 1, operations));
    let logged = Pass::best(stage.amount(1_000_000), 3, operations);
    Ok(vec![
        Figure::new("put, 1 M keys", rate(large.put), "/s").at_least(1_000_000.0),
        Figure::new("put, 1 k keys", rate(small.put), "/s"),
        Figure::new("put: 1 k keys over 1 M keys", large.put / small.put, "x").at_most(1.5),
        Figure::new("put, 1 M keys, two peers unreachable: the log is full", rate(logged.put), "/s"),
        Figure::new("first put of a key, up to 1 M keys", rate(large.fill), "/s"),
        Figure::new("get, 1 M keys", rate(large.get), "/s").at_least(3_000_000.0),
        Figure::new("get, 1 k keys", rate(small.get), "/s").at_least(3_000_000.0),
    ])
}

/// Nanoseconds for one operation.
struct Pass {
    fill: f64,
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
        let put = (0..PASSES).map(|_| nanoseconds(numbers(), |number| engine.put(number, &value)));
        let put = put.fold(f64::INFINITY, f64::min);
        let get = (0..PASSES).map(|_| nanoseconds(numbers(), |number| drop(black_box(engine.get(number)))));
        let get = get.fold(f64::INFINITY, f64::min);
        Self { fill, put, get }
    }
}

/// The time of each, on average.
fn nanoseconds(numbers: impl Iterator<Item = u64>, mut operation: impl FnMut(u64)) -> f64 {
    let begun = processor_nanoseconds();
    let mut count = 0;
    for number in numbers {
        operation(number);
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
