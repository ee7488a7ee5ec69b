//! Measures Baton against its targets; `cargo xtask bench` builds what this needs and runs it.

mod apiserver;
mod certificate;
mod crowd;
mod engine;
mod figure;
mod fleet;
mod front;
mod load;
mod meter;
mod pipe;
mod redis;
mod report;
mod row;
mod sample;
mod segment;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::figure::Figure;
use crate::fleet::Links;
use crate::report::Report;
use crate::row::{Row, Scale, Stage};

/// What agents use too: memory and speed depend on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Baton against its targets.
#[derive(Debug, Parser)]
struct Cli {
    /// Measure these rows only
    #[arg(long, value_enum, value_delimiter = ',')]
    row: Vec<Row>,
    /// What gungraun counted, as JSON, one count a line
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A tenth of the keys: for a first look
    #[arg(long, conflicts_with = "smoke")]
    quick: bool,
    /// A thousandth of the keys: shows that the rows work, and nothing else
    #[arg(long)]
    smoke: bool,
    /// Links between agents without certificates, in plain text: shows what TLS takes
    #[arg(long)]
    plain: bool,
    /// Compare what an app's requests cost instead, with Redis
    #[arg(long, conflicts_with_all = ["row", "counts", "plain"])]
    fronts: bool,
    /// Fill shards with so many keys and print what they take: the memory row runs it
    #[arg(long, value_name = "KEYS", hide = true)]
    shards: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A row that cannot be measured is an error, after all others; a target that is missed is a figure like any other.
fn run(cli: &Cli) -> Result<()> {
    if let Some(keys) = cli.shards {
        println!("{}", row::fill_shards(keys)?);
        return Ok(());
    }
    let scale = match (cli.quick, cli.smoke) {
        (false, false) => Scale::Full,
        (true, _) => Scale::Quick,
        (false, true) => Scale::Smoke,
    };
    let folder = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    if cli.fronts {
        return compare(&Stage::new(scale, Links::Tls, folder.path(), None)?, cli.report.as_deref());
    }
    let rows = if cli.row.is_empty() { Row::CORE.to_vec() } else { cli.row.clone() };
    let links = if cli.plain { Links::Plain } else { Links::Tls };
    let mut report = Report::new(scale, links);
    let mut broken = Vec::new();
    println!("{report}");
    for row in rows {
        let stage = Stage::new(scale, links, &folder.path().join(row.name()), cli.counts.clone())?;
        println!("\n{}: {}", row.name(), row.title());
        let outcome = row.measure(&stage);
        match &outcome {
            Ok(figures) => {
                figures.iter().for_each(|figure| println!("  {figure}"));
                if figures.iter().any(Figure::is_missing) {
                    broken.push(row.name());
                }
            }
            Err(error) => {
                println!("  NOT MEASURED: {error:#}");
                broken.push(row.name());
            }
        }
        println!("  ({})", report.add(row, outcome));
    }
    if let Some(path) = &cli.report {
        report.write(path)?;
    }
    if !broken.is_empty() {
        let folder = folder.keep();
        anyhow::bail!("not measured: {}; logs are in {}", broken.join(", "), folder.display());
    }
    Ok(())
}

/// A line for each command and front; one that misses its target is a figure like any other.
fn compare(stage: &Stage, report: Option<&Path>) -> Result<()> {
    println!("{}", Report::new(stage.scale(), stage.links()));
    let lines = front::compare(stage)?;
    report.map_or(Ok(()), |path| front::write(&lines, path))
}
