//! All figures of a run, for a file, with what they must be read with: the commit, the machine and how busy it was.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;

use crate::figure::Figure;
use crate::fleet::Links;
use crate::row::{Row, Scale};

/// The file's text.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scale: Scale,
    links: Links,
    /// That the benches were built from, and `-changed` if that is not all.
    commit: String,
    began: Timestamp,
    processor: String,
    cores: usize,
    rows: Vec<Section>,
    #[serde(skip)]
    last: (Instant, f64),
}

#[derive(Debug, Serialize)]
struct Section {
    row: &'static str,
    title: &'static str,
    figures: Vec<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<String>,
    seconds: f64,
    /// The load average of a minute before the row: what else the machine did.
    load_before: f64,
    load_after: f64,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(scale: Scale, links: Links) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let last = (Instant::now(), load_average());
        let (began, commit, processor) = (Timestamp::now(), commit(), processor());
        Self { scale, links, commit, began, processor, cores, rows: Vec::new(), last }
    }

    /// Adds a row that has just ended, and says how long it took and under what load.
    pub(crate) fn add(&mut self, row: Row, outcome: Result<Vec<Figure>>) -> String {
        let (since, load_before) = std::mem::replace(&mut self.last, (Instant::now(), load_average()));
        let (seconds, load_after) = (since.elapsed().as_secs_f64(), self.last.1);
        let (figures, not_measured) = match outcome {
            Ok(figures) => (figures, None),
            Err(error) => (Vec::new(), Some(format!("{error:#}"))),
        };
        let (row, title) = (row.name(), row.title());
        self.rows.push(Section { row, title, figures, not_measured, seconds, load_before, load_after });
        format!("{seconds:.1} s; load before {load_before:.2}, after {load_after:.2}")
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scale, links, commit, began, processor, cores, .. } = self;
        let (_, load) = self.last;
        let links = if *links == Links::Plain { "; links in plain text" } else { "" };
        let title = scale.title();
        write!(f, "{began:.0}, commit {commit}: {cores} cores of {processor}; load {load:.2}; {title}{links}")
    }
}

/// That of the sources, which have just been built.
fn commit() -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(words).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|files| !files.is_empty());
    if changed { commit + "-changed" } else { commit }
}

/// The model, as Linux knows it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("an unknown processor", |(_, model)| model.trim()).to_owned()
}

/// 0 where there is no such thing.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}
