//! The service: each call is one function of its neighbours.

use std::pin::Pin;
use std::sync::Arc;

use baton_api as api;
use baton_api::state_server::State;
use futures_util::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::engine::Engine;
use crate::grpc::{change, convert, list, presence, request, watch};
use crate::problem::Problem;

/// Writes of one stream that wait for acknowledgements at once: what a peer a millisecond away acknowledges of 250,000
/// a second.
const MAX_UNDER_WAY: usize = 256;

/// An agent, as apps call it.
pub(super) struct StateService {
    engine: Arc<Engine>,
}

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

// === impl StateService ===

impl StateService {
    pub(super) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl State for StateService {
    type WritesStream = Items<api::WriteResult>;
    type WatchStream = Items<api::Event>;

    async fn get(&self, request: Request<api::GetRequest>) -> Result<Response<api::Entry>, Status> {
        let key = request::key(request.into_inner().key)?;
        let read = self.engine.get(&key).map_err(Problem::from)?.ok_or_else(Problem::not_found)?;
        Ok(Response::new(convert::entry(&key, read, self.engine.replica())))
    }

    async fn write(&self, request: Request<api::WriteRequest>) -> Result<Response<api::WriteResult>, Status> {
        Ok(Response::new(change::write(&self.engine, request.into_inner()).await?))
    }

    async fn writes(
        &self,
        request: Request<Streaming<api::WriteRequest>>,
    ) -> Result<Response<Self::WritesStream>, Status> {
        let engine = self.engine.clone();
        let results = request.into_inner().map(move |request| {
            let engine = engine.clone();
            async move { Ok(change::write_or_say(&engine, request?).await) }
        });
        Ok(Response::new(Box::pin(results.buffered(MAX_UNDER_WAY))))
    }

    async fn batch(&self, request: Request<api::BatchRequest>) -> Result<Response<api::BatchResponse>, Status> {
        Ok(Response::new(change::batch(&self.engine, request.into_inner()).await?))
    }

    async fn list(&self, request: Request<api::ListRequest>) -> Result<Response<api::ListResponse>, Status> {
        Ok(Response::new(list::list(&self.engine, request.get_ref())?))
    }

    async fn owned(&self, request: Request<api::OwnedRequest>) -> Result<Response<api::ListResponse>, Status> {
        Ok(Response::new(list::owned(&self.engine, request.get_ref())?))
    }

    async fn clear(&self, request: Request<api::ClearRequest>) -> Result<Response<api::ClearResponse>, Status> {
        Ok(Response::new(change::clear(&self.engine, request.into_inner()).await?))
    }

    async fn watch(&self, request: Request<api::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Box::pin(watch::events(&self.engine, request.into_inner())?)))
    }

    async fn track(&self, request: Request<api::TrackRequest>) -> Result<Response<api::TrackResult>, Status> {
        Ok(Response::new(presence::track(&self.engine, request.into_inner()).await?))
    }

    async fn untrack(&self, request: Request<api::UntrackRequest>) -> Result<Response<api::UntrackResult>, Status> {
        Ok(Response::new(presence::untrack(&self.engine, request.into_inner()).await?))
    }

    async fn presences(
        &self,
        request: Request<api::PresencesRequest>,
    ) -> Result<Response<api::PresencesResponse>, Status> {
        Ok(Response::new(presence::presences(&self.engine, request.get_ref())?))
    }

    async fn members(&self, _: Request<api::MembersRequest>) -> Result<Response<api::MembersResponse>, Status> {
        let status = self.engine.status();
        let me = api::Member {
            replica: status.replica.to_string(),
            pod: status.pod_name,
            phase: format!("{:?}", status.phase),
            linked: false,
        };
        let members = status.members.into_iter().map(convert::member).collect();
        Ok(Response::new(api::MembersResponse { membership: status.membership, members, me: Some(me) }))
    }
}
