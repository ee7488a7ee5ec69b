//! The rows of the table of targets: one file each.

mod hold;
mod idle;
mod instruction;
mod join;
mod live;
mod memory;
mod operator;
mod put;
mod restart;
mod wire;

pub(crate) use memory::fill_shards;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::figure::Figure;
use crate::fleet::Links;

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Puts and gets in the engine
    Put,
    /// Three live replicas: puts accepted and applied everywhere, and how fast they spread
    Live,
    /// An empty replica joins, against a full synchronisation of Redis
    Join,
    /// A rolling restart under writers, against one of Redis
    Restart,
    /// Memory over key and value, against Redis
    Memory,
    /// Bytes on the wire per changed key
    Wire,
    /// Traffic of a pair that is idle
    Idle,
    /// How long a pod in sync is held
    Hold,
    /// Instructions of the core's operations and of the wire format
    Instructions,
    /// The operator with ten thousand agents, and its restart
    Operator,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scale {
    /// What the targets speak of.
    Full,
    /// A tenth of the keys.
    Quick,
    /// Enough to see that it works.
    Smoke,
}

/// Where a row is measured.
pub(crate) struct Stage {
    scale: Scale,
    folder: PathBuf,
    links: Links,
    counts: Option<PathBuf>,
}

// === impl Scale ===

impl Scale {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Full => "all keys",
            Self::Quick => "quick: a tenth of the keys, so targets are only hinted at",
            Self::Smoke => "smoke: hardly any keys, so figures mean nothing",
        }
    }
}

// === impl Row ===

impl Row {
    /// What `cargo xtask bench core` measures.
    pub(crate) const CORE: [Self; 9] = [
        Self::Put,
        Self::Live,
        Self::Join,
        Self::Restart,
        Self::Memory,
        Self::Wire,
        Self::Idle,
        Self::Hold,
        Self::Instructions,
    ];

    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Live => "live",
            Self::Join => "join",
            Self::Restart => "restart",
            Self::Memory => "memory",
            Self::Wire => "wire",
            Self::Idle => "idle",
            Self::Hold => "hold",
            Self::Instructions => "instructions",
            Self::Operator => "operator",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Put => "Puts and gets in the engine, 256 B values, one core",
            Self::Live => "Three live agents over loopback, 100 k keys of 256 B",
            Self::Join => "An empty replica joins",
            Self::Restart => "Rolling restart of three, 4 writers with one acknowledgement, 100 k keys of 256 B",
            Self::Memory => "Memory over key and value, 1 M keys of 16 + 256 B",
            Self::Wire => "Bytes on the wire per changed key, 100 B values, batches of 1 k",
            Self::Idle => "Traffic of an idle pair that holds 1 M keys",
            Self::Hold => "Hold of a pod in sync",
            Self::Instructions => "Instructions of one core, for each of a thousand keys of 256 B",
            Self::Operator => "The operator: 10,000 agents in 500 groups, 100 changes of pods a second for 5 minutes",
        }
    }

    pub(crate) fn measure(self, stage: &Stage) -> Result<Vec<Figure>> {
        match self {
            Self::Put => put::measure(stage),
            Self::Live => live::measure(stage),
            Self::Join => join::measure(stage),
            Self::Restart => restart::measure(stage),
            Self::Memory => memory::measure(stage),
            Self::Wire => wire::measure(stage),
            Self::Idle => idle::measure(stage),
            Self::Hold => hold::measure(stage),
            Self::Instructions => instruction::measure(stage),
            Self::Operator => operator::measure(stage),
        }
    }
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new(scale: Scale, links: Links, folder: &Path, counts: Option<PathBuf>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { scale, folder: folder.to_owned(), links, counts })
    }

    /// What links between agents are.
    pub(crate) const fn links(&self) -> Links {
        self.links
    }

    pub(crate) const fn scale(&self) -> Scale {
        self.scale
    }

    /// What gungraun has counted in this run, if it was asked to.
    pub(crate) fn counts(&self) -> Option<&Path> {
        self.counts.as_deref()
    }

    /// A folder of its own for a part of the row.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// So many keys, or a part of them.
    pub(crate) fn amount(&self, full: u64) -> u64 {
        match self.scale {
            Scale::Full => full,
            Scale::Quick => (full / 10).max(1),
            Scale::Smoke => (full / 1_000).max(1),
        }
    }

    /// So often, or less: once at least.
    pub(crate) fn rounds(&self, full: u64) -> u64 {
        match self.scale {
            Scale::Full => full,
            Scale::Quick => full.div_ceil(3),
            Scale::Smoke => 1,
        }
    }

    /// So long, or a part of it.
    pub(crate) fn time(&self, full: Duration) -> Duration {
        match self.scale {
            Scale::Full => full,
            Scale::Quick => full / 4,
            Scale::Smoke => full / 50,
        }
    }
}
