//! The list from the operator: one stream, opened again for ever.
//!
//! While there is no operator, the last list stays and everything else goes on.

mod backoff;
mod caller;
mod certificate;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use baton_telemetry::Repeat;
use baton_wire::convert::{membership_to_wire, phase_to_wire};
use baton_wire::directory::Hello;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::Config;
use crate::engine::Engine;
use crate::link::member_phase;
use backoff::Backoff;
use session::Session;

pub(super) use caller::Caller;
pub(super) use certificate::Certificate;

/// What does not change from one stream to the next.
pub(super) struct Attendance {
    caller: Caller,
    namespace: String,
    group: String,
    pod_name: String,
    pod_uid: String,
    node: String,
    keeper: bool,
    address: SocketAddr,
}

/// Why a stream ended; the last list stays.
#[derive(Debug, thiserror::Error)]
enum StreamEnd {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the stream failed: {0}")]
    Status(String),
    #[error("the operator ended the stream")]
    Ended,
    #[error("the operator took nothing for too long")]
    Stuck,
    #[error("the operator asks to come back: {0}")]
    NotYet(String),
    #[error("this agent has taken a new id")]
    Renamed,
    #[error("the operator refuses this agent: {0}")]
    Refused(String),
}

/// Gets this agent its certificate and follows the operator until the process ends.
pub(super) async fn run(engine: Arc<Engine>, mut certificate: Certificate, attendance: Attendance) {
    let renewal = certificate.first().await;
    tokio::spawn(certificate.keep(renewal));
    attend(engine, attendance).await;
}

async fn attend(engine: Arc<Engine>, attendance: Attendance) {
    let mut backoff = Backoff::new();
    let mut failure = Repeat::new();
    loop {
        let mut served = false;
        let end = attendance.attend(&engine, &mut served).await;
        if served {
            backoff.reset();
            failure.worked();
        }
        let operator = &attendance.caller.address;
        match failure.failed(&end.to_string(), Instant::now()) {
            Some(count) if count > 1 || matches!(end, StreamEnd::Refused(_)) => {
                warn!(%end, count, operator, "No member list from the operator; the last one stays");
            }
            Some(_) => info!(%end, operator, "The operator's stream ended; opening it again"),
            None => {}
        }
        sleep(backoff.next(&end, rand::random())).await;
    }
}

// === impl Attendance ===

impl Attendance {
    /// What the operator is told about this pod.
    pub(super) fn new(config: &Config, caller: Caller, address: SocketAddr) -> Self {
        Self {
            caller,
            namespace: config.namespace.clone(),
            group: config.group.clone(),
            pod_name: config.pod.name.clone(),
            pod_uid: config.pod.uid.clone(),
            node: config.pod.node.clone(),
            keeper: config.pod.keeper,
            address,
        }
    }

    /// Runs one stream to its end. `served` is set once a list has arrived by it.
    async fn attend(&self, engine: &Arc<Engine>, served: &mut bool) -> StreamEnd {
        let channel = match self.caller.connect().await {
            Ok(channel) => channel,
            Err(end) => return end,
        };
        match Session::open(engine.clone(), channel, self.hello(engine)).await {
            Ok(session) => session.run(served).await,
            Err(end) => end,
        }
    }

    fn hello(&self, engine: &Engine) -> Hello {
        let list = engine.membership().borrow().clone();
        let told = list.as_ref().map(|list| membership_to_wire(list)).unwrap_or_default();
        Hello {
            namespace: self.namespace.clone(),
            group: self.group.clone(),
            pod_name: self.pod_name.clone(),
            pod_uid: self.pod_uid.clone(),
            node: self.node.clone(),
            replica: engine.replica().bits(),
            address: self.address.to_string(),
            phase: phase_to_wire(member_phase(*engine.phase().borrow())).into(),
            known: told.version,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            members: told.members,
            held_state: engine.holds_state(),
            age_millis: 0,
            keeper: self.keeper,
            follows: told.follows,
        }
    }
}

/// An error with its causes, which say more than it does.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
