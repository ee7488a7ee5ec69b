//! HTTP PUT and GET, a request at a time on each connection.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::fleet::Fleet;
use crate::front::{Comparison, KEYS, VALUE_BYTES};
use crate::load;
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::sample::{self, percentile};

const CLIENTS: u64 = 16;
const REQUESTS: u64 = 600_000;
const TARGET: f64 = 60_000.0;
const P99_US: f64 = 2_000.0;

pub(super) fn measure(stage: &Stage) -> Result<Vec<Comparison>> {
    let fleet = Fleet::with_acks(&stage.folder("http")?, 2, 0)?;
    let keys = stage.amount(KEYS);
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    let port = fleet.ports()[0];
    let mut lines = Vec::new();
    for (name, puts) in [("HTTP PUT", true), ("HTTP GET", false)] {
        let begun = Instant::now();
        let mut times = run(port, keys, stage.amount(REQUESTS), puts)?;
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        let p99 = percentile(&mut times, 99).as_secs_f64() * 1e6;
        lines.push(Comparison::alone(name, CLIENTS as usize, rate, "1/s").must(">= 60,000 /s", rate >= TARGET));
        let latency = Comparison::alone(&format!("{name}, p99"), CLIENTS as usize, p99, "us");
        lines.push(latency.must("< 2 ms", p99 < P99_US));
    }
    Ok(lines)
}

fn run(port: u16, keys: u64, requests: u64, puts: bool) -> Result<Vec<Duration>> {
    Ok(load::lanes(CLIENTS, |client| lane(port, client, keys, requests / CLIENTS, puts))?.concat())
}

fn lane(port: u16, client: u64, keys: u64, requests: u64, puts: bool) -> Result<Vec<Duration>> {
    let mut pipe = Pipe::connect(port)?;
    sample::numbers(keys)
        .skip(client as usize)
        .take(requests as usize)
        .map(|number| {
            let (name, value) = (sample::name(number), sample::value(number, client, VALUE_BYTES));
            let begun = Instant::now();
            if puts {
                pipe.put_now(&name, "", &value)?
            } else {
                drop(pipe.get_now(&name)?)
            }
            Ok(begun.elapsed())
        })
        .collect()
}
