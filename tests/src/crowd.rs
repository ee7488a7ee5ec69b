//! A crowd of players for one scenario: `arena load` beside the cluster, and `arena check` of what it recorded.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::process::Process;
use crate::{arena, place};

/// How long the last requests may take once the load is told to finish.
const FINISH: Duration = Duration::from_secs(60);
/// How many seconds servers may take to agree.
const SETTLE: &str = "20";
/// Fewer acknowledged writes would prove nothing.
const ENOUGH: u64 = 50;

/// A load that runs.
pub struct Crowd {
    process: Process,
    finish: PathBuf,
    record: PathBuf,
}

/// What `arena check` found.
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Players that are gone, though they never left.
    pub lost: u64,
    /// Players behind the last step that was acknowledged.
    pub stale: u64,
    /// Players that are there, though they left.
    pub resurrected: u64,
    /// The first findings, in words.
    pub examples: Vec<String>,
}

// === impl Crowd ===

impl Crowd {
    /// Starts to play on the servers that the file of targets in `folder` lists.
    pub fn start(folder: &Path) -> Result<Self> {
        let (finish, record) = (folder.join("finish"), folder.join("record.json"));
        let _ = std::fs::remove_file(&finish);
        let mut load = Command::new(place::program("arena")?);
        load.arg("load")
            .arg("--targets-file")
            .arg(folder.join(arena::TARGETS))
            .arg("--until-file")
            .arg(&finish)
            .arg("--report")
            .arg(&record)
            .args(["--players=40", "--rate=100"]);
        let process = Process::start("load", &mut load, folder)?;
        Ok(Self { process, finish, record })
    }

    /// How many writes have been acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        let log = self.process.log();
        let progress = log.lines().rev().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["progress"]["acknowledged"].as_u64()
        });
        progress.unwrap_or(0)
    }

    /// Ends the load; its record is complete then.
    pub fn finish(mut self) -> Result<PathBuf> {
        self.process.ensure_running()?;
        std::fs::write(&self.finish, "")?;
        let status = self.process.wait(FINISH)?;
        ensure!(status.success(), "the load ended with {status}:\n{}", self.process.log_tail());
        Ok(self.record)
    }
}

/// Asks every server whether it knows what was acknowledged.
pub fn check(record: &Path, servers: &[String]) -> Result<Verdict> {
    let mut check = Command::new(place::program("arena")?);
    check.arg("check").arg("--record").arg(record).args(["--settle", SETTLE, "--targets", &servers.join(",")]);
    let done = check.output().context("cannot run the check")?;
    let line: Value = serde_json::from_slice(&done.stdout)
        .with_context(|| format!("the check gives no verdict: {}", String::from_utf8_lossy(&done.stderr)))?;
    Ok(serde_json::from_value(line["verdict"].clone())?)
}

// === impl Verdict ===

impl Verdict {
    /// Nothing is lost, stale or resurrected, and enough was written to say so.
    pub fn ensure_clean(&self) -> Result<()> {
        let Self { acknowledged, lost, stale, resurrected, examples } = self;
        ensure!(
            lost + stale + resurrected == 0,
            "of {acknowledged} acknowledged writes, {lost} players are lost, {stale} stale, {resurrected} resurrected:\n    {}",
            examples.join("\n    ")
        );
        ensure!(*acknowledged >= ENOUGH, "only {acknowledged} writes were acknowledged: this proves nothing");
        Ok(())
    }
}
