//! Probes and metrics, on the pod's address: no data is served here.

use std::sync::Arc;
use std::time::Duration;

use baton_telemetry::{Health, ServerLimits, Verdict, admin_router, serve_http};
use tokio::net::TcpListener;

use crate::engine::Engine;
use crate::metric::Metrics;

/// A kubelet, a scraper or two, and a person. The address is open to the whole cluster, so the number is small.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may idle: scrapers keep theirs between scrapes, of which the usual interval is 15 to 30 s.
const IDLE: Duration = Duration::from_secs(60);

/// How long a client may take nothing of an answer.
const STALL: Duration = Duration::from_secs(30);

struct Probes {
    engine: Arc<Engine>,
}

/// Serves until the future is dropped.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener, metrics: Arc<Metrics>) {
    let router = admin_router(Arc::new(Probes { engine }), metrics.registry());
    serve_http(listener, router, ServerLimits { connections: MAX_CONNECTIONS, idle: IDLE, stall: STALL }).await;
}

// === impl Probes ===

impl Health for Probes {
    fn started(&self) -> Verdict {
        if self.engine.holds_state() { Verdict::Yes } else { Verdict::No(self.why_not_started()) }
    }

    fn ready(&self) -> Verdict {
        if !self.engine.holds_state() {
            return Verdict::No(self.why_not_started());
        }
        if self.engine.is_ready() {
            return Verdict::Yes;
        }
        Verdict::No("this agent has not yet applied what its peers had a second ago".to_owned())
    }
}

impl Probes {
    fn why_not_started(&self) -> String {
        let status = self.engine.status();
        if status.membership == 0 {
            return "no member list has arrived yet, from the operator or the members file".to_owned();
        }
        let linked = status.members.iter().filter(|member| member.linked).count();
        let members = status.members.len();
        format!("the state has not arrived yet; {linked} of {members} other members are linked")
    }
}
