//! Whether the parts of a cluster answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::image;
use super::layout::{GATEWAY, Layout, Node};
use super::part::Part;
use super::process::{self, Started};
use crate::command;

/// How long a part may take to answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a part is asked.
const PERIOD: Duration = Duration::from_millis(150);

/// How long a part may take to answer one question about its health.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Waits until `ready`, and fails as soon as one of the started parts ends.
pub(super) fn wait(
    layout: &Layout,
    what: &str,
    blamed: Part,
    started: &mut [Started],
    ready: impl Fn() -> bool,
) -> Result<()> {
    let start = Instant::now();
    while !ready() {
        for part in started.iter_mut() {
            part.ensure_alive(layout)?;
        }
        if start.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            let tail = process::log_tail(layout, blamed);
            bail!("{what} after {seconds} s; {tail}");
        }
        std::thread::sleep(PERIOD);
    }
    Ok(())
}

/// The API server serves, and etcd behind it.
pub(super) fn apiserver(layout: &Layout) -> bool {
    kubectl(layout, &["get", "--raw", "/readyz"]).is_some()
}

/// A node's containerd serves.
pub(super) fn containerd(node: Node) -> bool {
    image::ctr(node).and_then(|mut ctr| command::output(ctr.arg("version"))).is_ok()
}

/// Every node is Ready and no other is there.
pub(super) fn nodes(layout: &Layout, nodes: &[Node]) -> bool {
    ready_nodes(layout).is_some_and(|ready| ready.len() == nodes.len())
}

/// The names of the Ready nodes; `None` if the API server does not answer.
pub(super) fn ready_nodes(layout: &Layout) -> Option<Vec<String>> {
    let rows = "jsonpath={range .items[*]}{.metadata.name}\
                {\" \"}{.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end}";
    let text = kubectl(layout, &["get", "nodes", "-o", rows])?;
    let ready = text.lines().filter_map(|line| line.strip_suffix(" True"));
    Some(ready.map(str::to_owned).collect())
}

/// Pods can be made: the controllers have given the namespace its account.
pub(super) fn service_account(layout: &Layout) -> bool {
    kubectl(layout, &["get", "serviceaccount", "default"]).is_some()
}

/// CoreDNS has read the Services.
pub(super) fn dns() -> bool {
    is_well(&format!("{GATEWAY}:8181"), "/ready")
}

/// A node's kubelet serves, as it does only when it has found the container runtime.
pub(super) fn kubelet(node: Node) -> bool {
    is_well(&format!("{}:10248", node.ip()), "/healthz")
}

fn is_well(address: &str, path: &str) -> bool {
    let ask = || -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&address.parse::<SocketAddr>()?, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

fn kubectl(layout: &Layout, args: &[&str]) -> Option<String> {
    let mut kubectl = Command::new(layout.bin().join("kubectl"));
    kubectl.arg("--kubeconfig").arg(layout.kubeconfig()).arg("--request-timeout=5s").args(args);
    command::output(&mut kubectl).ok()
}
