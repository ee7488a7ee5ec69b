//! The side of a link that dials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_identity::Expected;
use baton_replica::{LinkId, Member, MemberPhase, ReplicaId};
use baton_telemetry::Repeat;
use baton_wire::peer::peer_client::PeerClient;
use futures_util::{StreamExt, stream};
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tower::ServiceExt;
use tracing::{debug, info};

use crate::engine::Engine;
use crate::link::hello;
use crate::link::pulse::Pulse;
use crate::link::session::{Fault, Session};
use crate::link::{HELLO_TIMEOUT, MAX_FRAME_BYTES, OUTBOX_FRAMES, SILENCE, STREAM_WINDOW};
use crate::transport::Transport;

const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// A rollout replaces pods within seconds; a peer must not be found again much later than it is back.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// How long the higher id leaves the dialling to the lower.
const COURTESY: Duration = Duration::from_millis(500);

/// How often a dialler looks whether a link that the other side dialled is still up.
const WATCH: Duration = Duration::from_millis(200);

/// Keeps dialling every listed member that is not Gone, until the process ends.
pub(crate) async fn run(engine: Arc<Engine>, transport: Transport) {
    let mut lists = engine.membership();
    let mut diallers: BTreeMap<ReplicaId, (String, AbortHandle)> = BTreeMap::new();
    loop {
        let wanted = targets(&engine);
        diallers.retain(|peer, (address, task)| {
            let keep = wanted.get(peer) == Some(address);
            if !keep {
                task.abort();
                close_if_gone(&engine, *peer);
            }
            keep
        });
        for (peer, address) in wanted {
            diallers.entry(peer).or_insert_with(|| {
                let task = tokio::spawn(keep_dialling(engine.clone(), transport.clone(), peer, address.clone()));
                (address, task.abort_handle())
            });
        }
        if lists.changed().await.is_err() {
            return;
        }
    }
}

fn targets(engine: &Engine) -> BTreeMap<ReplicaId, String> {
    let me = engine.replica();
    let list = engine.membership().borrow().clone();
    let wanted = |row: &&Member| row.replica != me && row.phase != MemberPhase::Gone && !row.address.is_empty();
    list.iter()
        .flat_map(|list| list.members.iter().filter(wanted))
        .map(|row| (row.replica, row.address.clone()))
        .collect()
}

/// A removed member is fenced: its link ends.
fn close_if_gone(engine: &Engine, peer: ReplicaId) {
    let gone = engine.roster().peer(peer).is_some_and(|peer| peer.phase == MemberPhase::Gone);
    if let Some(handle) = engine.links().get(peer).filter(|_| gone) {
        handle.closed.cancel();
    }
}

async fn keep_dialling(engine: Arc<Engine>, transport: Transport, peer: ReplicaId, address: String) {
    let mut backoff = FIRST_BACKOFF;
    let mut failure = Repeat::new();
    let mut up: Option<(LinkId, Instant)> = None;
    if engine.replica() > peer {
        sleep(COURTESY).await;
    }
    loop {
        if let Some(link) = engine.links().get(peer) {
            let began = *up.get_or_insert((link.id, Instant::now()));
            if began.0 != link.id {
                up = None;
            } else if began.1.elapsed() >= SILENCE {
                // One that ends sooner was refused, and would be again.
                backoff = FIRST_BACKOFF;
                failure.worked();
            }
            sleep(WATCH).await;
            continue;
        }
        let began = Instant::now();
        match dial(&engine, &transport, peer, &address).await {
            // A link that ends at once was refused, and would be again.
            Ok(()) if began.elapsed() >= SILENCE => backoff = FIRST_BACKOFF,
            Ok(()) => {}
            Err(error) => {
                if let Some(count) = failure.failed(&error.to_string(), Instant::now()) {
                    match matches!(error.downcast_ref(), Some(Fault::Refused(_))) {
                        true => info!(%peer, %address, %error, count, "A peer takes no link; trying on"),
                        false => debug!(%peer, %address, %error, count, "Cannot reach a peer; trying on"),
                    }
                }
            }
        }
        sleep(jittered(backoff)).await;
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// Dials once and runs the link to its end.
async fn dial(engine: &Arc<Engine>, transport: &Transport, peer: ReplicaId, address: &str) -> anyhow::Result<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(HELLO_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW)
        .http2_keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    let (channel, proven) = transport.connect(endpoint, address, Expected::OwnGroup, HELLO_TIMEOUT).await?;
    let pulse = Pulse::new();
    let felt = pulse.clone();
    let channel = channel.map_response(move |response| felt.of_response(response));
    let mut client = PeerClient::new(channel).max_decoding_message_size(MAX_FRAME_BYTES);
    let (outbox, frames) = mpsc::channel(OUTBOX_FRAMES);
    let me = engine.replica();
    outbox.send(hello::hello(engine, me)).await?;
    let mut incoming = timeout(HELLO_TIMEOUT, client.sync(ReceiverStream::new(frames))).await??.into_inner();
    let first = hello::next(&mut incoming).await?;
    let mut greeted = hello::check(engine, first.body, proven.as_ref())?;
    anyhow::ensure!(greeted.replica == peer, "another replica answers at this address: {}", greeted.replica);
    if greeted.membership < engine.membership_number()
        && let Some((number, frame)) = hello::newer_membership(engine)
    {
        greeted.membership = number;
        outbox.send(frame).await?;
    }
    hello::listed(engine, me, &greeted)?;
    let first = hello::taken(engine, &mut incoming).await?;
    // By the list that there is now.
    hello::listed(engine, me, &greeted)?;
    let Some(handle) = engine.links().register(me, peer, me) else { return Ok(()) };
    let incoming = stream::iter([Ok(first)]).chain(incoming);
    // The session outlives this task, which ends when the member list drops the peer.
    let session = Session { engine: engine.clone(), handle, outbox, pulse };
    tokio::spawn(async move { session.run(&greeted, incoming).await }).await?;
    Ok(())
}

fn jittered(backoff: Duration) -> Duration {
    backoff.mul_f64(rand::rng().random_range(0.5..1.5))
}
