//! Where the member list comes from: the operator, or a file. Both end in
//! [`Engine::take_membership_from_source`].

mod file;
mod operator;

use std::sync::Arc;

use crate::config::{Config, SourceConfig};
use crate::engine::Engine;

/// Follows the list until the process ends.
pub(crate) async fn run(engine: Arc<Engine>, config: Config) {
    match config.source {
        SourceConfig::File { path, start_empty_after } => file::run(engine, path, start_empty_after).await,
        SourceConfig::Operator { ref url, advertised } => {
            operator::run(engine, operator::Attendance::new(&config, url, advertised)).await;
        }
    }
}
