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

#[cfg(test)]
mod tests {
    use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Settings};

    use super::*;
    use crate::engine::{DefaultLimits, Identity};

    fn id(bits: u64) -> ReplicaId {
        ReplicaId::new(bits).expect("not zero")
    }

    /// A list that names this agent and another, of this source.
    fn list(uid: &str) -> Membership {
        let members = [1, 2].map(|bits| Member::new(id(bits), MemberPhase::Active));
        let version = MembershipVersion { uid: uid.to_owned(), number: 7 };
        Membership { version, members: members.into(), first: None, settings: Settings::default(), follows: Vec::new() }
    }

    /// Whom it knows after a peer has passed a list of this source on to it: it has none yet.
    fn knows_by_a_peers(uid: &str) -> Vec<ReplicaId> {
        let identity = Identity { group: "shop/web".into(), pod_name: "web-1".into(), pod_uid: String::new() };
        let limits = DefaultLimits { max_value_bytes: 64, max_bytes: 256, max_entries: 3 };
        let engine = Engine::new(id(1), identity, 1, limits);
        engine.take_membership_from_peer(list(uid));
        engine.roster().listed()
    }

    /// Its own file may name others, and nothing would ever retire whom only the other's does.
    #[test]
    fn an_agent_without_a_list_waits_for_its_own_file_and_goes_by_nobody_elses() {
        assert_eq!(knows_by_a_peers("file:0000000000000002"), [id(1)]);
        assert_eq!(knows_by_a_peers("5f0c"), [id(1), id(2)], "an operator's list is everybody's");
    }
}
