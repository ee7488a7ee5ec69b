//! `cargo xtask fuzz`: libFuzzer against everything that decodes what a peer sent; see `fuzz/README.md`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{cache, command, step, workspace};

/// The release of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";

/// Longer inputs are slower and say nothing new: what grows with the input is found by its ratio.
const MAX_BYTES: u32 = 8 * 1024;

/// An input that takes longer than this hangs.
const HANG: Duration = Duration::from_secs(10);

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run these targets only
    targets: Vec<String>,
}

/// Runs the targets, as many at once as there are cores, and prints of each how many inputs it survived.
pub(crate) fn run(args: &Args) -> Result<()> {
    let all = targets()?;
    if let Some(unknown) = args.targets.iter().find(|target| !all.contains(target)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let wanted = if args.targets.is_empty() { all } else { args.targets.clone() };
    let programs = build(&cargo_fuzz()?)?;
    let (waiting, failed) = (Mutex::new(VecDeque::from(wanted)), Mutex::new(Vec::new()));
    let next = || waiting.lock().ok()?.pop_front();
    let work = || {
        while let Some(target) = next() {
            match fuzz(&programs, &target, args.seconds) {
                Ok(runs) => println!("{target}: {runs} inputs in {} s, no crash", args.seconds),
                Err(error) => failed.lock().into_iter().for_each(|mut failed| failed.push(format!("{error:#}"))),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// The targets, by the names of their files.
fn targets() -> Result<Vec<String>> {
    let folder = folder().join("targets");
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = files.filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The program cargo-fuzz, from the cache.
fn cargo_fuzz() -> Result<PathBuf> {
    cache::file("cargo-fuzz", &[CARGO_FUZZ.as_bytes()], |out| {
        let root = out.with_extension("root");
        step::run(&format!("Install cargo-fuzz {CARGO_FUZZ}"), |step| {
            let mut install = cargo();
            install.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(&root);
            // Its own target folder, or it would be that of the workspace.
            install.arg("--target-dir").arg(root.join("target"));
            command::follow(&mut install, |line| step.advance(line.trim()))
        })?;
        Ok(std::fs::rename(root.join("bin/cargo-fuzz"), out)?)
    })
}

/// Builds all targets and returns the folder of their programs. All code is safe Rust: a sanitizer would find nothing,
/// and ask for a nightly toolchain.
fn build(cargo_fuzz: &Path) -> Result<PathBuf> {
    // The same versions as everywhere.
    std::fs::copy(workspace::root().join("Cargo.lock"), folder().join("Cargo.lock"))?;
    let target = workspace::target().join("fuzz");
    step::run("Build the fuzz targets", |step| {
        let mut build = Command::new(cargo_fuzz);
        build.current_dir(workspace::root()).args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir"]).arg(folder());
        build.arg("--target-dir").arg(&target);
        command::follow(&mut build, |line| step.advance(line.trim()))
    })?;
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    Ok(target.join(triple).join("release"))
}

/// Runs one target and returns how many inputs it handled.
fn fuzz(programs: &Path, target: &str, seconds: u64) -> Result<String> {
    let kept = workspace::target().join("fuzz");
    let (corpus, artifacts) = (kept.join("corpus").join(target), kept.join("artifacts").join(target));
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut program = Command::new(programs.join(target));
    program.env("RUST_BACKTRACE", "0");
    program.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={}", HANG.as_secs()));
    program.arg(format!("-max_len={MAX_BYTES}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    program.arg(corpus).arg(workspace::root().join("fuzz/corpus").join(target));
    let mut runs = String::from("no");
    let outcome = step::run(&format!("Fuzz {target}"), |step| {
        command::follow(&mut program, |line| {
            step.advance(line);
            // `Done 1021891 runs in 26 second(s)`
            if let Some(done) = line.strip_prefix("Done ") {
                runs = done.split(' ').next().unwrap_or_default().to_owned();
            }
        })
    });
    outcome.with_context(|| format!("{target} broke; what did it is in {}", artifacts.display()))?;
    Ok(runs)
}

/// The package that is built by cargo-fuzz.
fn folder() -> PathBuf {
    workspace::root().join("fuzz/libfuzzer")
}
