//! The gRPC service: one session per stream.

use std::sync::Arc;

use baton_identity::{Identity, Refusal};
use baton_telemetry::Repeat;
use baton_wire::directory as wire;
use baton_wire::directory::directory_server::Directory;
use futures_util::StreamExt;
use futures_util::stream::Map;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::session::{Answer, Session};
use super::{Attendance, Line, relay};
use crate::api::ApiServer;
use crate::index::SharedIndex;
use crate::lease::Office;
use crate::metrics::Metrics;

/// Notices that wait for the transport. One: whatever is newer waits in the watch channel and replaces what
/// is older there.
const NOTICES: usize = 1;

/// Serves the membership of all groups to their agents.
#[derive(Clone)]
pub struct DirectoryService {
    /// What is known of the groups.
    pub index: SharedIndex,
    /// Who attends.
    pub attendance: Arc<Attendance>,
    /// Where pods that the index does not know are looked up.
    pub api: ApiServer,
    /// Counts pushes and refusals.
    pub metrics: Metrics,
    /// What agents were last refused for: they ask again and again.
    pub refusals: Arc<Mutex<Repeat>>,
    /// Whether this operator writes.
    pub office: Office,
    /// The way to the operator that writes, if it is another.
    pub line: Line,
    /// Ends all streams when the operator stops, so that agents turn to another one at once.
    pub stop: CancellationToken,
}

/// The stream to an agent.
type Answers = Map<ReceiverStream<Box<Answer>>, fn(Box<Answer>) -> Answer>;

// === impl DirectoryService ===

#[tonic::async_trait]
impl Directory for DirectoryService {
    type AttendStream = Answers;
    type ForwardStream = Answers;

    async fn attend(&self, request: Request<Streaming<wire::Report>>) -> Result<Response<Self::AttendStream>, Status> {
        let identity = identity(&request);
        // Whoever has no certificate may ask for one, and for nothing else.
        let Some(member) = identity.as_ref().and_then(Identity::member).cloned() else {
            self.metrics.refused_connection(Refusal::NoCertificate.code());
            return Err(Status::unauthenticated("the directory is for agents that show their certificate"));
        };
        let (notices, stream) = mpsc::channel(NOTICES);
        let session = Session::new(self.clone(), request.remote_addr(), member, notices);
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(session.run(request.into_inner())).await });
        Ok(Response::new(answers(stream)))
    }

    async fn forward(
        &self,
        request: Request<Streaming<wire::Report>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        if !matches!(identity(&request), Some(Identity::Operator(_))) {
            self.metrics.refused_connection(Refusal::NoOperator.code());
            return Err(Status::permission_denied("only operators forward what others say"));
        }
        let Some(term) = self.office.term() else {
            return Err(Status::unavailable("this operator does not hold the lease"));
        };
        let (end, stream) = mpsc::channel(NOTICES);
        let (service, stop) = (self.clone(), self.stop.clone());
        tokio::spawn(
            async move { stop.run_until_cancelled(relay::relay(service, term, request.into_inner(), end)).await },
        );
        Ok(Response::new(answers(stream)))
    }
}

fn answers(stream: mpsc::Receiver<Box<Answer>>) -> Answers {
    let open: fn(Box<Answer>) -> Answer = |answer| *answer;
    ReceiverStream::new(stream).map(open)
}

/// Who the other side has proved to be.
fn identity<T>(request: &Request<T>) -> Option<Identity> {
    let certificate = request.peer_certs()?.first().cloned()?;
    Identity::of(&certificate).ok()
}
