//! The arena's page, at one address on this machine for as long as the servers run, whichever of them there are.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::kube::Kube;
use crate::local::{Process, free_port, wait_for_probe};

/// How long it may take to answer.
const READY: Duration = Duration::from_secs(10);
/// The pause before a tunnel that has ended is opened again.
const PAUSE: Duration = Duration::from_millis(300);

/// A Service's stand-in for servers that are processes.
pub(crate) struct Service {
    process: Process,
    url: String,
}

/// `kubectl port-forward`, again and again: it ends with the pod that it has chosen.
pub(crate) struct Tunnel {
    url: String,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

// === impl Service ===

impl Service {
    /// Starts it before the servers that a file lists.
    pub(crate) fn start(arena: &Path, targets_file: &Path, folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(arena);
        command.arg("service").arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--targets-file").arg(targets_file);
        let mut process = Process::start("service".to_owned(), &mut command, folder)?;
        wait_for_probe(&mut process, port, "/healthz", READY)?;
        Ok(Self { process, url: url(port) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets it go on when this value is dropped.
    pub(crate) fn keep(&mut self) {
        self.process.keep();
    }
}

// === impl Tunnel ===

impl Tunnel {
    /// Opens it. It is for those who look on: that it breaks fails nothing.
    pub(crate) fn open(kube: &Kube) -> Result<Self> {
        let port = free_port()?;
        let mut kubectl = kube.command(&["port-forward", "service/arena", &format!("{port}:8080")]);
        kubectl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                forward(&mut kubectl, &told);
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Self { url: url(port), over, thread: Some(thread) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One run of kubectl, until it ends or has to.
fn forward(kubectl: &mut Command, over: &AtomicBool) {
    let Ok(mut child) = kubectl.spawn() else { return };
    while !over.load(Ordering::Relaxed) && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(PAUSE);
    }
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}
