//! A pod's loopback from outside: the API that its own app uses, by `kubectl port-forward`.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::{Http, Reply};
use crate::pod::Pod;
use crate::process::Process;
use crate::stage::Stage;
use crate::wait;

/// The port of the app's API.
const API: u16 = 7070;
/// How long the tunnel may take to come to be, and one request.
const LIMIT: Duration = Duration::from_secs(20);

/// A tunnel to one pod.
pub struct Tunnel {
    base: String,
    http: Http,
    _process: Process,
}

// === impl Tunnel ===

impl Tunnel {
    /// Opens it.
    pub fn open(stage: &Stage, pod: &Pod) -> Result<Self> {
        let (name, ports) = (format!("tunnel-{}", pod.name()), format!(":{API}"));
        let words = ["-n", &stage.namespace, "port-forward", "--address=127.0.0.1", pod.name(), &ports];
        let mut process = Process::start(&name, &mut stage.cluster.command(&words), &stage.folder)?;
        let port = wait::until(LIMIT, &format!("there is a tunnel to {}", pod.name()), || {
            process.ensure_running()?;
            let log = process.log();
            let said = log.lines().rev().find_map(|line| line.strip_prefix("Forwarding from 127.0.0.1:"));
            let port = said.and_then(|said| said.split_once(' ')?.0.parse::<u16>().ok());
            port.context("it does not say where")
        })?;
        Ok(Self { base: format!("http://127.0.0.1:{port}"), http: Http::new(LIMIT), _process: process })
    }

    /// Sends a request to a path of the API, and returns whatever the agent answers.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        self.http.send(method, &format!("{}{path}", self.base), headers, body)
    }
}
