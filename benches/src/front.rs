//! What an app's requests cost: the Redis front against Redis, both with one replica and the same client, and the HTTP
//! front for itself.
//!
//! Baton and Redis take turns, so that what else the machine does meets both alike; ratios are medians of those of the
//! turns.

mod acknowledged;
mod benchmark;
mod contender;
mod fanout;
mod http;

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::row::Stage;

pub(crate) const KEYS: u64 = 100_000;
pub(crate) const VALUE_BYTES: usize = 256;
/// Turns of each side.
const TURNS: u64 = 5;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    command: String,
    /// Requests that a connection sends before it waits for their answers.
    pipeline: usize,
    connections: usize,
    /// Of `baton` and `redis`: `1/s` or `us`.
    unit: &'static str,
    baton: f64,
    redis: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput_ratio: Option<f64>,
    /// Processor time of the server that answers, for each operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ratio: Option<f64>,
    /// The greatest ratio of a turn less the least, over the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    spread: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baton_cpu_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis_cpu_us: Option<f64>,
    /// What must be reached, in words.
    target: String,
    met: bool,
}

/// Compares everything, and prints each line as it comes.
pub(crate) fn compare(stage: &Stage) -> Result<Vec<Comparison>> {
    let mut lines = Vec::new();
    let mut take = |part: Vec<Comparison>| {
        part.iter().for_each(|line| println!("{line}"));
        lines.extend(part);
    };
    for pipeline in [1, 16] {
        take(benchmark::compare(stage, pipeline).with_context(|| format!("redis-benchmark, pipeline {pipeline}"))?);
    }
    take(acknowledged::compare(stage).context("acknowledged writes")?);
    take(http::measure(stage).context("HTTP")?);
    take(fanout::measure(stage).context("watchers")?);
    Ok(lines)
}

/// Writes the lines to a file, as a list.
pub(crate) fn write(lines: &[Comparison], path: &Path) -> Result<()> {
    std::fs::write(path, serde_json::to_string_pretty(lines)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}

// === impl Comparison ===

impl Comparison {
    /// A figure without a peer.
    fn alone(command: &str, connections: usize, baton: f64, unit: &'static str) -> Self {
        Self {
            command: command.to_owned(),
            pipeline: 1,
            connections,
            unit,
            baton,
            redis: None,
            throughput_ratio: None,
            cpu_ratio: None,
            latency_ratio: None,
            spread: None,
            baton_cpu_us: None,
            redis_cpu_us: None,
            target: String::new(),
            met: true,
        }
    }

    fn must(self, target: &str, met: bool) -> Self {
        Self { target: target.to_owned(), met, ..self }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, pipeline, connections, unit, baton, .. } = self;
        write!(f, "{command:<34} P{pipeline:<3} {connections:>5} conn. {baton:>10.0} {unit:<3}")?;
        if let Some(redis) = self.redis {
            write!(f, "  Redis {redis:>10.0}")?;
        }
        if let (Some(baton), Some(redis)) = (self.baton_cpu_us, self.redis_cpu_us) {
            write!(f, "  processor {baton:.2} us, Redis {redis:.2}")?;
        }
        let ratios =
            [("throughput", self.throughput_ratio), ("processor", self.cpu_ratio), ("time", self.latency_ratio)];
        for (name, ratio) in ratios {
            if let Some(ratio) = ratio {
                write!(f, "  {name} {ratio:.2}x")?;
            }
        }
        if let Some(spread) = self.spread {
            write!(f, " (spread {:.0} %)", spread * 100.0)?;
        }
        write!(f, "  {} {}", self.target, if self.met { "met" } else { "MISSED" })
    }
}

/// The middle one, and how far apart they are over it.
fn median(mut figures: Vec<f64>) -> (f64, f64) {
    figures.sort_unstable_by(f64::total_cmp);
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else { return (f64::NAN, f64::NAN) };
    let middle = figures[figures.len() / 2];
    (middle, (most - least) / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_one() {
        assert_eq!(median(vec![4.0, 1.0, 2.0]), (2.0, 1.5));
        assert!(median(Vec::new()).0.is_nan());
    }
}
