//! The gRPC service that gives agents their certificates.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use baton_identity::Member;
use baton_telemetry::Repeat;
use baton_wire::identity as wire;
use baton_wire::identity::identity_server::Identity;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::Issuer;
use super::issuer::IssueError;
use super::token::{self, Bearer, TOKEN_BYTES, TokenError};
use crate::api::ApiServer;
use crate::belonging::{self, Rejection};
use crate::index::{GroupKey, SharedIndex};
use crate::metrics::{Certification, Metrics};

/// Tokens that the API server is asked about at once: whatever comes besides waits, so that agents that come back
/// together do not load it more.
const REVIEWS: usize = 32;

/// The largest request for a certificate: one of an elliptic curve has about 250 bytes.
const REQUEST_BYTES: usize = 16 * 1024;

/// Gives agents their certificates.
#[derive(Clone)]
pub struct IdentityService {
    /// What is known of the groups.
    pub index: SharedIndex,
    /// Where tokens are checked, and pods that the index does not know.
    pub api: ApiServer,
    /// What signs.
    pub issuer: Arc<Issuer>,
    /// Counts what comes of requests.
    pub metrics: Metrics,
    reviews: Arc<Semaphore>,
    refusals: Arc<Mutex<Repeat>>,
}

/// Why an agent gets no certificate.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Garbage(String),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{}", .0.message)]
    Pod(Rejection),
    #[error(transparent)]
    Issue(#[from] IssueError),
}

// === impl IdentityService ===

impl IdentityService {
    /// The largest message of the service.
    pub const MESSAGE_BYTES: usize = TOKEN_BYTES + REQUEST_BYTES + 1_024;

    /// Gives certificates of this issuer to the pods of groups.
    pub fn new(index: SharedIndex, api: ApiServer, issuer: Arc<Issuer>, metrics: Metrics) -> Self {
        let reviews = Arc::new(Semaphore::new(REVIEWS));
        Self { index, api, issuer, metrics, reviews, refusals: Arc::default() }
    }

    async fn answer(&self, request: wire::IssueRequest) -> Result<wire::IssueResponse, Refusal> {
        let wire::IssueRequest { token, group, request } = request;
        if token.is_empty() || token.len() > TOKEN_BYTES || group.is_empty() || request.len() > REQUEST_BYTES {
            return Err(Refusal::Garbage("a token, a group and a request of a usual size are needed".to_owned()));
        }
        let bearer = self.review(token).await?;
        let Bearer { namespace, pod_name, pod_uid } = &bearer;
        let member = Member::new(namespace, &group, pod_uid).map_err(|error| Refusal::Garbage(error.to_string()))?;
        let key = GroupKey::new(namespace.clone(), group);
        belonging::check(&self.index, &self.api, &key, pod_name, pod_uid).await.map_err(Refusal::Pod)?;
        let (issued, valid) = self.issuer.sign(&request, member, SystemTime::now())?;
        tracing::info!(group = %key, pod = pod_name, "An agent was given its certificate");
        Ok(wire::IssueResponse { certificate: issued.der.into(), valid_seconds: valid.as_secs() })
    }

    async fn review(&self, token: String) -> Result<Bearer, TokenError> {
        // The semaphore is never closed.
        let _permit = self.reviews.acquire().await.ok();
        token::review(&self.api, token).await
    }
}

#[tonic::async_trait]
impl Identity for IdentityService {
    async fn issue(&self, request: Request<wire::IssueRequest>) -> Result<Response<wire::IssueResponse>, Status> {
        let remote = request.remote_addr();
        match self.answer(request.into_inner()).await {
            Ok(response) => {
                self.metrics.certified(Certification::Issued);
                Ok(Response::new(response))
            }
            Err(refusal) => {
                self.metrics.certified(refusal.result());
                // Each token has words of its own; an agent that is refused asks again and again.
                let count = self.refusals.lock().failed(refusal.status().message(), Instant::now());
                if let Some(count) = count {
                    tracing::warn!(reason = %refusal, ?remote, count, "An agent was given no certificate");
                }
                Err(refusal.status())
            }
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn result(&self) -> Certification {
        match self {
            Self::Garbage(_) | Self::Issue(IssueError::Authority(_)) => Certification::Garbage,
            Self::Token(TokenError::Refused(_) | TokenError::NoPod) => Certification::TokenRefused,
            Self::Pod(Rejection { retry: false, .. }) => Certification::PodRefused,
            Self::Pod(_) | Self::Token(TokenError::Api(_)) | Self::Issue(_) => Certification::Retry,
        }
    }

    fn status(&self) -> Status {
        let message = self.to_string();
        match self.result() {
            Certification::Garbage => Status::invalid_argument(message),
            Certification::TokenRefused => Status::unauthenticated(message),
            Certification::PodRefused => Status::permission_denied(message),
            Certification::Retry | Certification::Issued => Status::unavailable(message),
        }
    }
}
