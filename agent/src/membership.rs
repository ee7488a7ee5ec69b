//! Where the member list comes from: the operator, or a file. Both end in
//! [`Engine::take_membership_from_source`].

mod file;
mod operator;

use std::sync::Arc;

use crate::config::{Config, SourceConfig};
use crate::engine::Engine;
use crate::transport::Transport;
use operator::{Caller, Certificate};

/// Follows the list until the process ends.
pub(crate) async fn run(engine: Arc<Engine>, transport: Transport, config: Config) {
    match config.source {
        SourceConfig::File { path, start_empty_after, .. } => {
            file::run(engine, transport, path, start_empty_after).await;
        }
        SourceConfig::Operator { ref url, advertised, ref identity } => {
            // An agent of an operator has a wallet.
            let Some(wallet) = transport.wallet() else { return };
            let caller = Caller::new(url, transport.clone());
            let certificate = Certificate::new(caller.clone(), wallet.clone(), identity, &config.group);
            operator::run(engine, certificate, operator::Attendance::new(&config, caller, advertised)).await;
        }
    }
}
