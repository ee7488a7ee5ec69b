//! How long the preStop hook is held on a pod that its peers are in sync with.

use std::time::Duration;

use anyhow::Result;

use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load;
use crate::row::Stage;
use crate::sample::{millis, percentile};

const VALUE_BYTES: usize = 256;
/// Each is a pod that joins two others, which wrote all there is, is left alone for a moment, and leaves.
const PODS: u64 = 100;
const REST: Duration = Duration::from_millis(500);

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let mut small = holds(stage, 1_000)?;
    let mut large = holds(stage, stage.amount(1_000_000))?;
    let [small_50, small_99] = [50, 99].map(|percent| millis(percentile(&mut small, percent)));
    let [large_50, large_99] = [50, 99].map(|percent| millis(percentile(&mut large, percent)));
    Ok(vec![
        Figure::new("1 k keys, p50", small_50, "ms"),
        Figure::new("1 k keys, p99", small_99, "ms").at_most(100.0),
        Figure::new("1 M keys, p50", large_50, "ms"),
        Figure::new("1 M keys, p99", large_99, "ms").at_most(100.0),
        Figure::new("p50: 1 M keys over 1 k keys", large_50 / small_50, "x").at_most(1.5),
        Figure::new("p99: 1 M keys over 1 k keys", large_99 / small_99, "x").at_most(1.5),
    ])
}

/// The hook as the kubelet sees it: with the start of its process.
fn holds(stage: &Stage, keys: u64) -> Result<Vec<Duration>> {
    let mut fleet = Fleet::start(stage, &format!("keys-{keys}"), 2)?;
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    (0..stage.rounds(PODS))
        .map(|_| {
            fleet.add()?;
            fleet.wait_linked()?;
            std::thread::sleep(REST);
            Ok(fleet.leave_youngest()?.hook.took)
        })
        .collect()
}
