//! The operator's process, and what it takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use baton_tests::process::Process;
use baton_tests::{place, port};
use parking_lot::Mutex;
use rustix::process::Signal;
use tokio::task::JoinHandle;

use super::Scene;
use crate::sample::percentile;
use crate::world::OPERATOR;

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often its memory is read.
const SAMPLE: Duration = Duration::from_millis(500);
/// A sleep of so long is how late the bench itself is.
const NAP: Duration = Duration::from_millis(10);

/// The operator.
pub(super) struct Operator {
    process: Arc<Mutex<Process>>,
    folder: PathBuf,
    flags: Vec<String>,
}

/// What it takes is being watched.
pub(super) struct Watch {
    process: Arc<Mutex<Process>>,
    stop: Arc<AtomicBool>,
    begun: (Instant, f64),
    memory: JoinHandle<u64>,
    naps: JoinHandle<Vec<Duration>>,
}

/// What it took.
pub(super) struct Watched {
    /// The most memory, in bytes.
    pub(super) resident: u64,
    /// Processors.
    pub(super) cores: f64,
    /// How late the bench itself was.
    pub(super) lag: Duration,
}

// === impl Operator ===

impl Operator {
    /// Starts it.
    pub(super) fn start(folder: &Path, scene: &Scene) -> Result<Self> {
        let kubeconfig = folder.join("kubeconfig.json");
        std::fs::write(&kubeconfig, scene.server.kubeconfig().to_string())?;
        let kubeconfig = kubeconfig.to_str().context("the folder's path is no text")?.to_owned();
        let on = |port: u16| format!("127.0.0.1:{port}");
        let mut flags = vec!["--kubeconfig".to_owned(), kubeconfig, "--namespace".to_owned(), OPERATOR.to_owned()];
        flags.extend(["--directory".to_owned(), scene.surroundings.directory.clone()]);
        flags.extend(["--webhook".to_owned(), on(port::free()?), "--admin".to_owned(), on(port::free()?)]);
        let process = Arc::new(Mutex::new(spawn(&flags, folder)?));
        Ok(Self { process, folder: folder.to_owned(), flags })
    }

    /// Ends it by a signal, and starts another; answers when that was.
    pub(super) fn restart(&mut self, signal: Signal) -> Result<Instant> {
        let mut process = self.process.lock();
        process.signal(signal)?;
        process.wait(PATIENCE)?;
        let begun = Instant::now();
        *process = spawn(&self.flags, &self.folder)?;
        Ok(begun)
    }

    /// An error with its last words if it has ended.
    pub(super) fn ensure_running(&self) -> Result<()> {
        self.process.lock().ensure_running()
    }

    /// Watches what it takes from now on.
    pub(super) fn watch(&self) -> Watch {
        let (process, stop) = (self.process.clone(), Arc::new(AtomicBool::new(false)));
        let taken = process.lock().processor_seconds().unwrap_or_default();
        let (sampled, stopped) = (process.clone(), stop.clone());
        let memory = tokio::spawn(async move {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(sampled.lock().resident().unwrap_or_default());
                tokio::time::sleep(SAMPLE).await;
            }
            most
        });
        let stopped = stop.clone();
        let naps = tokio::spawn(async move {
            let mut naps = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                tokio::time::sleep(NAP).await;
                naps.push(begun.elapsed().saturating_sub(NAP));
            }
            naps
        });
        Watch { process, stop, begun: (Instant::now(), taken), memory, naps }
    }
}

// === impl Watch ===

impl Watch {
    /// Answers what it took.
    pub(super) async fn end(self) -> Result<Watched> {
        let (at, taken) = self.begun;
        let cores = (self.process.lock().processor_seconds()? - taken) / at.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        let (resident, mut naps) = (self.memory.await?, self.naps.await?);
        Ok(Watched { resident, cores, lag: percentile(&mut naps, 99) })
    }
}

fn spawn(flags: &[String], folder: &Path) -> Result<Process> {
    let mut command = Command::new(place::program("baton-operator")?);
    command.args(flags).args(["--log-format", "text"]).env("BATON_LOG", "warn");
    Process::start("operator", &mut command, folder)
}
