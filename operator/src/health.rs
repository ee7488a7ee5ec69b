//! The operator's probes.

use std::sync::Arc;

use baton_telemetry::{Health, Verdict};

use crate::certificate::Resolver;
use crate::directory::Line;
use crate::feed::Listed;
use crate::identity::Issuer;

/// Whether the operator is in service.
pub struct InService {
    /// Whether the index is a picture of the cluster.
    pub listed: Listed,
    /// Whether the webhook has a certificate.
    pub resolver: Arc<Resolver>,
    /// What gives agents their certificates.
    pub issuer: Arc<Issuer>,
    /// The way to the operator that holds the lease.
    pub line: Line,
}

// === impl InService ===

impl Health for InService {
    fn started(&self) -> Verdict {
        self.ready()
    }

    /// Once in service, the operator stays ready: without the API server it still tells agents what it knows. One that
    /// does not hold the lease is ready too, as long as it reaches the one that does.
    fn ready(&self) -> Verdict {
        if !self.listed.is_complete() {
            return Verdict::No("the API server has not answered all first lists yet".into());
        }
        if !self.resolver.is_serving() {
            return Verdict::No("the webhook has no certificate yet".into());
        }
        if !self.issuer.is_in_office() {
            return Verdict::No("there is no CA of agents yet".into());
        }
        if self.line.is_deaf() {
            return Verdict::No(
                "the operator that holds the lease cannot be reached: what agents say here is not heard".into(),
            );
        }
        Verdict::Yes
    }
}
