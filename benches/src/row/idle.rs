//! What a pair says to each other when nothing happens.

use std::time::Duration;

use anyhow::Result;

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
    let before = fleet.bytes();
    let time = stage.time(WATCH);
    std::thread::sleep(time);
    let rate = (fleet.bytes() - before) as f64 / time.as_secs_f64();
    Ok(vec![Figure::new("both ways, without TCP's and IP's headers", rate, "B/s").at_most(100.0)])
}
