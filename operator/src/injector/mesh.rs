//! Leads the agent's connections past the proxy of a service mesh, which may start after the agent and end before it.

use serde_json::{Map, Value};

use super::container::{ADMIN, PEER};

/// The ports on which a pod takes connections that Istio and Linkerd leave alone.
const INBOUND: [&str; 2] = ["traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports"];

/// The same of connections that a pod makes.
const OUTBOUND: [&str; 2] = ["traffic.sidecar.istio.io/excludeOutboundPorts", "config.linkerd.io/skip-outbound-ports"];

/// Adds the agent's ports, and that of the operator at this URL, to what the pod excludes already.
pub(super) fn exclude(annotations: &mut Map<String, Value>, operator: &str) {
    for name in INBOUND {
        add(annotations, name, [Some(PEER), Some(ADMIN)]);
    }
    for name in OUTBOUND {
        add(annotations, name, [Some(PEER), port(operator)]);
    }
}

/// The port in a URL, if it names one.
fn port(url: &str) -> Option<u16> {
    url.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}

fn add(annotations: &mut Map<String, Value>, name: &str, ports: [Option<u16>; 2]) {
    let found = annotations.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut all: Vec<String> =
        found.split(',').map(|port| port.trim().to_owned()).filter(|port| !port.is_empty()).collect();
    if all.iter().any(|port| port == "*") {
        return;
    }
    for port in ports.into_iter().flatten().map(|port| port.to_string()) {
        if !all.contains(&port) {
            all.push(port);
        }
    }
    annotations.insert(name.to_owned(), all.join(",").into());
}
