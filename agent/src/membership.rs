//! Where the member list comes from: the operator, or a file. Both end in
//! [`Engine::take_membership_from_source`].

mod file;
mod operator;

use std::sync::Arc;

use crate::config::{Config, SourceConfig};
use crate::engine::Engine;
use crate::transport::Transport;
use operator::{Caller, Certificate};

/// What the UIDs of lists begin with that a process has made for itself, from a members file.
pub(crate) const OF_FILE: &str = "file:";

/// Whether two lists have one order by their numbers: not if a process has made one of them for itself.
pub(crate) fn are_ordered(one: &str, other: &str) -> bool {
    one == other || !(one.starts_with(OF_FILE) || other.starts_with(OF_FILE))
}

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
