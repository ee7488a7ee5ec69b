//! The line to the operator that holds the lease, while another one does.
//!
//! An operator that cannot reach the holder must not keep agents to itself: the holder would take them for unreachable.
//! After a while it is *deaf*: it ends their streams and is not ready, so that they go to the holder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_identity::{ClientConfig, Expected, Wallet, connect};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::lease::{DURATION, Office};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How soon a dead connection is noticed: a ping after this much silence, answered within as much again.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often the holder is called on, even if there is nothing to forward.
const CALL_ON: Duration = Duration::from_secs(5);

/// How long the holder may be out of reach: longer than a lease lasts, so that no holder that has died makes anybody deaf.
const PATIENCE: Duration = Duration::from_secs(2 * DURATION.as_secs());

/// The line, as sessions use it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Line {
    channel: watch::Receiver<Option<Trunk>>,
    deaf: watch::Receiver<bool>,
}

/// Keeps the line.
pub struct Caller {
    office: Office,
    wallet: Arc<Wallet>,
    channel: watch::Sender<Option<Trunk>>,
    deaf: watch::Sender<bool>,
    silent: Option<Instant>,
}

/// A connection to the holder that opens when it is used, and again when it breaks.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    address: String,
    pub(super) channel: Channel,
}

// === impl Line ===

impl Line {
    /// Whether the holder has been out of reach for too long.
    pub fn is_deaf(&self) -> bool {
        *self.deaf.borrow()
    }

    /// Waits until the holder has been out of reach for too long.
    pub(super) async fn deaf(&mut self) {
        if self.deaf.wait_for(|deaf| *deaf).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The connection to the holder, if that is another operator.
    pub(super) fn trunk(&mut self) -> Option<Trunk> {
        self.channel.borrow_and_update().clone()
    }

    /// Waits until another operator holds the lease, or none does.
    pub(super) async fn changed(&mut self) {
        if self.channel.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

// === impl Caller ===

impl Caller {
    /// Keeps the line of an operator that shows what is in this wallet.
    pub fn new(office: Office, wallet: Arc<Wallet>) -> Self {
        Self { office, wallet, channel: watch::Sender::default(), deaf: watch::Sender::default(), silent: None }
    }

    /// The line that is kept.
    pub fn line(&self) -> Line {
        Line { channel: self.channel.subscribe(), deaf: self.deaf.subscribe() }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            let other = self.office.other();
            self.turn_to(other.as_deref());
            let reached = match &other {
                Some(address) => self.call_on(address).await,
                None => !self.office.is_other(),
            };
            self.note(reached);
            tokio::select! {
                () = self.office.changed() => {}
                () = tokio::time::sleep(CALL_ON) => {}
            }
        }
    }

    fn turn_to(&mut self, address: Option<&str>) {
        let trunk = |address: &str| {
            let config = self.wallet.client_config(Expected::Operator).ok()?;
            Some(Trunk { address: address.to_owned(), channel: channel(address, config)? })
        };
        self.channel.send_if_modified(|present| {
            let news = present.as_ref().map(|present| present.address.as_str()) != address;
            if news {
                *present = address.and_then(trunk);
            }
            news
        });
    }

    async fn call_on(&self, address: &str) -> bool {
        let Ok(config) = self.wallet.client_config(Expected::Operator) else { return false };
        match connect(address, config, CONNECT).await {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(address, %error, "The holder of the lease was not reached");
                false
            }
        }
    }

    fn note(&mut self, reached: bool) {
        if reached {
            self.silent = None;
        }
        let silent = if reached { Duration::ZERO } else { self.silent.get_or_insert_with(Instant::now).elapsed() };
        let deaf = silent >= PATIENCE;
        self.deaf.send_if_modified(|told| {
            let news = *told != deaf;
            match (news, deaf) {
                (true, true) => tracing::warn!(
                    seconds = silent.as_secs(),
                    "The operator that holds the lease cannot be reached; agents are sent to it"
                ),
                (true, false) => tracing::info!("Agents are served again"),
                (false, _) => {}
            }
            *told = deaf;
            news
        });
    }
}

fn channel(address: &str, config: Arc<ClientConfig>) -> Option<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
    let endpoint =
        endpoint.http2_keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE).keep_alive_while_idle(true);
    let address = address.to_owned();
    Some(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (config, address) = (config.clone(), address.clone());
        async move { connect(&address, config, CONNECT).await.map(|(stream, _)| TokioIo::new(stream)) }
    })))
}

#[cfg(test)]
impl Line {
    /// To this operator, or to none.
    pub(super) fn to(operator: Option<(&str, &Arc<Wallet>)>) -> Self {
        let trunk = operator.and_then(|(address, wallet)| {
            let config = wallet.client_config(Expected::Operator).ok()?;
            Some(Trunk { address: address.to_owned(), channel: channel(address, config)? })
        });
        Self { channel: watch::channel(trunk).1, deaf: watch::channel(false).1 }
    }
}
