//! The side of a link that is dialled.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use baton_identity::Identity as Proven;
use baton_replica::{Membership, ReplicaId};
use baton_wire::convert::{membership_from_wire, phase_to_wire};
use baton_wire::handshake::{Greeted, Refusal};
use baton_wire::peer::frame::Body;
use baton_wire::peer::peer_server::{Peer, PeerServer};
use baton_wire::peer::{Frame, IdentifyRequest, Identity};
use futures_util::{Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::LayerExt;
use tonic::{Request, Response, Status, Streaming};
use tower::util::MapRequestLayer;
use tracing::debug;

use crate::engine::Engine;
use crate::link::hello;
use crate::link::pulse::Pulse;
use crate::link::session::Session;
use crate::link::{HELLO_TIMEOUT, MAX_FRAME_BYTES, OUTBOX_FRAMES, SILENCE, STREAM_WINDOW};
use crate::transport::Transport;

/// Handshakes under way at once: more than a group has members, few enough that strangers cannot fill the memory.
const MAX_HANDSHAKES: usize = 256;

/// How long an unlisted peer that has a newer member list may take to pass it on.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a list that names an unlisted peer may be on its way: the operator's comes within milliseconds of the peer's
/// own, and a members file is read a few times a second. Who is refused dials again only after a pause.
const LAG: Duration = Duration::from_secs(1);

struct PeerService {
    engine: Arc<Engine>,
    transport: Transport,
    handshakes: Arc<Semaphore>,
}

/// Serves peers until the process ends.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener, transport: Transport) -> anyhow::Result<()> {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let service = PeerService { engine, transport: transport.clone(), handshakes };
    let service = PeerServer::new(service).max_decoding_message_size(MAX_FRAME_BYTES);
    let service = MapRequestLayer::new(Pulse::of_request).named_layer(service);
    let router = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW)
        .http2_keepalive_interval(Some(SILENCE))
        .http2_keepalive_timeout(Some(SILENCE))
        .add_service(service);
    transport.serve(router, listener).await
}

// === impl PeerService ===

type Frames = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

#[tonic::async_trait]
impl Peer for PeerService {
    type SyncStream = Frames;

    async fn sync(&self, request: Request<Streaming<Frame>>) -> Result<Response<Frames>, Status> {
        let permit = self.handshakes.clone().try_acquire_owned();
        let permit = permit.map_err(|_| Status::resource_exhausted("too many handshakes are under way; try again"))?;
        let (outbox, frames) = mpsc::channel(OUTBOX_FRAMES);
        let pulse = request.extensions().get::<Pulse>().cloned();
        let pulse = pulse.ok_or_else(|| Status::internal("nobody feels the pulse of this request"))?;
        let certificate = request.peer_certs().and_then(|chain| chain.first().cloned());
        let proven = certificate.and_then(|certificate| Proven::of(&certificate).ok());
        let refusals = self.transport.refusals().clone();
        let (engine, incoming) = (self.engine.clone(), request.into_inner());
        tokio::spawn(async move {
            if let Err(refusal) = accept(engine, incoming, pulse, outbox.clone(), permit, proven).await {
                debug!(%refusal, "Refused a peer");
                refusals.count(refusal.code());
                let _ = outbox.send(refusal.frame()).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(frames).map(Ok))))
    }

    async fn identify(&self, _: Request<IdentifyRequest>) -> Result<Response<Identity>, Status> {
        let identity = self.engine.identity();
        Ok(Response::new(Identity {
            group: identity.group.clone(),
            replica: self.engine.replica().bits(),
            phase: phase_to_wire(hello::member_phase(*self.engine.phase().borrow())).into(),
            pod_name: identity.pod_name.clone(),
            gone: self.engine.roster().gone().map(ReplicaId::bits).collect(),
        }))
    }
}

async fn accept(
    engine: Arc<Engine>,
    mut incoming: Streaming<Frame>,
    pulse: Pulse,
    outbox: mpsc::Sender<Frame>,
    permit: tokio::sync::OwnedSemaphorePermit,
    proven: Option<Proven>,
) -> Result<(), Refusal> {
    let first = timeout(HELLO_TIMEOUT, incoming.message()).await;
    let Ok(Ok(Some(first))) = first else { return Err(Refusal::NoHello) };
    let mut greeted = hello::check(&engine, first.body, proven.as_ref())?;
    let me = engine.replica();
    let _ = outbox.send(hello::hello(&engine, me)).await;
    exchange_lists(&engine, me, &mut greeted, &mut incoming, &outbox).await;
    await_listed(&engine, greeted.replica).await;
    hello::listed(&engine, me, &greeted)?;
    let _ = outbox.send(hello::phase(&engine)).await;
    let first = match hello::taken(&engine, &mut incoming).await {
        Ok(first) => first,
        Err(fault) => {
            debug!(peer = %greeted.replica, %fault, "A peer that has dialled takes no link");
            return Ok(());
        }
    };
    // By the list that there is now.
    hello::listed(&engine, me, &greeted)?;
    let handle = engine.links().register(me, greeted.replica, greeted.replica).ok_or(Refusal::AlreadyLinked)?;
    drop(permit);
    let incoming = stream::iter([Ok(first)]).chain(incoming);
    Session { engine, handle, outbox, pulse }.run(&greeted, incoming).await;
    Ok(())
}

/// Whoever has the newer list gives it to the other first, so that an unlisted id is never taken for a newcomer.
async fn exchange_lists(
    engine: &Engine,
    me: ReplicaId,
    greeted: &mut Greeted,
    incoming: &mut Streaming<Frame>,
    outbox: &mpsc::Sender<Frame>,
) {
    let ours = engine.membership_number();
    let theirs_is_newer = greeted.membership > ours || ours == 0;
    if greeted.membership < ours
        && let Some((number, frame)) = hello::newer_membership(engine)
    {
        greeted.membership = number;
        let _ = outbox.send(frame).await;
    }
    // A certificate is valid for hours after its pod has ended: whoever has one does not say who is a member.
    if hello::listed(engine, me, greeted).is_ok() || !theirs_is_newer || greeted.proven.is_some() {
        return;
    }
    if let Ok(Ok(Some(frame))) = timeout(LIST_TIMEOUT, incoming.message()).await
        && let Some(Body::NewerMembership(list)) = frame.body
        && let Ok(list) = membership_from_wire(list)
    {
        engine.take_membership_from_peer(list);
    }
}

/// Waits a moment for a list that names a peer.
async fn await_listed(engine: &Engine, peer: ReplicaId) {
    let mut lists = engine.membership();
    let names = |list: &Option<Arc<Membership>>| list.as_ref().is_some_and(|list| list.member(peer).is_some());
    let _ = timeout(LAG, lists.wait_for(names)).await;
}
