//! Resident memory over key and value, of one agent of a pair, against one Redis; and again after ten rollouts in
//! which every key was written once more.

use std::ops::Range;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use baton_tests::process;

use crate::engine::Engine;
use crate::figure::Figure;
use crate::fleet::Fleet;
use crate::load::{self, Load};
use crate::redis::Server;
use crate::row::Stage;
use crate::sample::{self, NAME_BYTES};

const VALUE_BYTES: usize = 256;
const ROLLOUTS: u64 = 10;
const AFTER: &str = "an agent, after 10 rollouts";

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let keys = stage.amount(1_000_000);
    let bare = shards(keys)?;
    let mut fleet = Fleet::start(stage, "baton", 2)?;
    let empty = resident(&mut fleet)?;
    let over = |bytes: u64| bytes.saturating_sub(empty) as f64 / keys as f64 - (NAME_BYTES + VALUE_BYTES) as f64;
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    let written = over(resident(&mut fleet)?);
    let rolled = roll(stage, &mut fleet, keys).and_then(|()| resident(&mut fleet)).map(over);
    drop(fleet);

    let server = Server::start("memory", &stage.folder("redis")?)?;
    let empty = server.process.resident()?;
    server.fill(keys, VALUE_BYTES)?;
    let redis = server.process.resident()?.saturating_sub(empty) as f64 / keys as f64;
    Ok(vec![
        Figure::new("the shards alone, in a process of their own", bare, "B"),
        Figure::new("an agent, written key by key", written, "B").at_most(64.0),
        match rolled {
            Ok(rolled) => Figure::new(AFTER, rolled, "B").at_most(64.0),
            Err(error) => Figure::missing(AFTER, "B", &error),
        },
        Figure::new("Redis", redis - (NAME_BYTES + VALUE_BYTES) as f64, "B"),
        Figure::new("an agent that holds nothing", empty as f64 / 1e6, "MB"),
    ])
}

/// Until the others have noticed that an agent has ended; a pod takes longer to come than this.
const NOTICE: std::time::Duration = std::time::Duration::from_secs(3);

/// Until an agent that has nothing more to do has given back what it had needed for that: it does so after two seconds.
const REST: std::time::Duration = std::time::Duration::from_secs(4);

/// What an agent's shards take for each key, over key and value: of a process of their own, since memory that other rows
/// have used before would be used again.
fn shards(keys: u64) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).args(["--shards", &keys.to_string()]).output()?;
    ensure!(output.status.success(), "the shards cannot be filled: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Fills shards in this process, and says how much it has grown for each key, over key and value.
pub(crate) fn fill_shards(keys: u64) -> Result<f64> {
    let before = process::resident(std::process::id())?;
    let mut engine = Engine::new(1, 1);
    for number in 0..keys {
        engine.put(number, &sample::value(number, 0, VALUE_BYTES));
    }
    let bytes = process::resident(std::process::id())?.saturating_sub(before);
    Ok(bytes as f64 / keys as f64 - (NAME_BYTES + VALUE_BYTES) as f64)
}

/// Replaces both agents again and again, and writes another part of the keys after each time: all of them in the end.
fn roll(stage: &Stage, fleet: &mut Fleet, keys: u64) -> Result<()> {
    let rounds = stage.rounds(ROLLOUTS);
    for round in 1..=rounds {
        for _ in 0..2 {
            fleet.add()?;
            fleet.leave_oldest()?;
            std::thread::sleep(NOTICE);
        }
        let part = part(keys, round, rounds);
        let share = Load { first: part.start, round: round << 32, ..Load::fill(part.end - part.start, VALUE_BYTES) };
        share.run(&fleet.ports())?;
    }
    Ok(())
}

/// The keys that are written in a round, the first of which is 1.
const fn part(keys: u64, round: u64, rounds: u64) -> Range<u64> {
    keys * (round - 1) / rounds..keys * round / rounds
}

/// The youngest agent's, at rest: after rollouts it got everything by transfer.
fn resident(fleet: &mut Fleet) -> Result<u64> {
    std::thread::sleep(REST);
    fleet.agents.last_mut().context("no agent")?.process().resident()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_rollouts_write_every_key_once() {
        for keys in [1_000_000, 1_234, 7] {
            let written: Vec<u64> = (1..=ROLLOUTS).flat_map(|round| part(keys, round, ROLLOUTS)).collect();
            assert!(written.into_iter().eq(0..keys));
        }
    }
}
