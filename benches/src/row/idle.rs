//! What a pair says to each other when nothing happens: the payload of its link, and all that goes over the network.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load;
use crate::row::Stage;
use crate::segment::{self, Carried};

const VALUE_BYTES: usize = 256;
const WATCH: Duration = Duration::from_secs(30);
/// What the last writes still cause is not idle traffic.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let fleet = Fleet::metered(stage, "pair", 2)?;
    load::fill(&fleet.ports()[..1], stage.amount(1_000_000), VALUE_BYTES)?;
    std::thread::sleep(SETTLE);
    let before = fleet.carried()?;
    let time = stage.time(WATCH);
    std::thread::sleep(time);
    let after = fleet.carried()?;
    ensure!(before.keys().eq(after.keys()), "a link has ended, or is new");
    // That which has carried the keys.
    let (link, _) = before.iter().max_by_key(|(_, carried)| carried.payload).context("no connections")?;
    let rate = |bytes: fn(&Carried) -> u64, one: bool| {
        let ports = before.keys().filter(|port| !one || *port == link);
        let bytes: u64 = ports.map(|port| bytes(&after[port]) - bytes(&before[port])).sum();
        bytes as f64 / time.as_secs_f64()
    };
    let payload = |carried: &Carried| carried.payload;
    Ok(vec![
        Figure::new("the link, both ways, with the headers of TCP and IP", rate(segment::bytes, true), "B/s")
            .at_most(100.0),
        Figure::new("the link, both ways, payload of TCP", rate(payload, true), "B/s"),
        Figure::new("all connections between the two, with headers", rate(segment::bytes, false), "B/s"),
        Figure::new("all connections between the two, payload", rate(payload, false), "B/s"),
    ])
}
