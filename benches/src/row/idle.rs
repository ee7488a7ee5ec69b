//! What a pair says to each other when nothing happens.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load;
use crate::row::Stage;

const VALUE_BYTES: usize = 256;
const WATCH: Duration = Duration::from_secs(30);
/// What the last writes still cause is not idle traffic.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let fleet = Fleet::metered(&stage.folder("pair")?, 2)?;
    load::fill(&fleet.ports()[..1], stage.amount(1_000_000), VALUE_BYTES)?;
    std::thread::sleep(SETTLE);
    let before: Vec<u64> = fleet.bytes().concat();
    let time = stage.time(WATCH);
    std::thread::sleep(time);
    let after: Vec<u64> = fleet.bytes().concat();
    ensure!(before.len() == after.len(), "a link has ended");
    let link = (0..before.len()).max_by_key(|at| before[*at]).context("no connections")?;
    let rate = |at: usize| (after[at] - before[at]) as f64 / time.as_secs_f64();
    let others: f64 = (0..before.len()).filter(|at| *at != link).map(rate).sum();
    Ok(vec![
        Figure::new("the link, both ways, without TCP's and IP's headers", rate(link), "B/s").at_most(100.0),
        Figure::new("who is at an address of the members file (none asks so on Kubernetes)", others, "B/s"),
    ])
}
