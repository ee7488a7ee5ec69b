//! One link while it is up: a reader, a writer, and what each frame does.

use std::future::ready;
use std::ops::RangeFrom;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use baton_replica::{Effects, MemberPhase, ProtocolError, ReplicaId, Shard, Urgency};
use baton_wire::convert::{
    membership_from_wire, phase_from_wire, phase_to_wire, publication_from_wire, publication_to_wire,
    shard_message_from_wire, shard_message_to_wire,
};
use baton_wire::handshake::{Greeted, shortened};
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Frame, Heartbeat, PhaseNotice, Publications, ReceiptKept, ShardFrame};
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{debug, info, warn};

use crate::channel::Message;
use crate::engine::{Engine, LinkHandle, Summary};
use crate::link::hello::{frame, member_phase, newer_membership};
use crate::link::order::Order;
use crate::link::pulse::{Lifeless, Pulse};
use crate::link::refused::{Part, Refused};
use crate::link::{HEARTBEAT, OUTBOX_FRAMES, UNASKED};

/// Messages of shards before all else on the link has its turn: as many as the outbox takes, twice.
const TURN: usize = 2 * OUTBOX_FRAMES;

/// A link that passed the handshake.
pub(super) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) handle: Arc<LinkHandle>,
    pub(super) outbox: mpsc::Sender<Frame>,
    pub(super) pulse: Pulse,
}

/// Why a link ended, or was not taken, when this side did not want it to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Lifeless(#[from] Lifeless),
    #[error("the transport failed: {0}")]
    Transport(#[from] tonic::Status),
    #[error("the peer ended the link")]
    Ended,
    #[error("the peer refused: {0}")]
    Refused(String),
    /// The member list changed while the message was on its way.
    #[error("{0} is no member any more")]
    NoMember(ReplicaId),
    /// What it refused meanwhile is said again on the next link.
    #[error("shard {0} has room again for what the peer has sent")]
    Room(usize),
    #[error("the peer sent what it must not: {0}")]
    Protocol(String),
}

// === impl Session ===

impl Session {
    /// Runs the link to its end.
    pub(super) async fn run<S>(self, greeted: &Greeted, incoming: S)
    where
        S: Stream<Item = Result<Frame, tonic::Status>> + Unpin,
    {
        self.up(greeted);
        let fault = tokio::select! {
            () = self.handle.closed.cancelled() => None,
            () = self.write() => None,
            fault = self.read(incoming) => Some(fault),
        };
        self.down();
        match fault {
            Some(fault @ Fault::Protocol(_)) => warn!(peer = %self.handle.peer, %fault, "Peer link closed"),
            Some(fault) => info!(peer = %self.handle.peer, %fault, "Peer link ended"),
            None => info!(peer = %self.handle.peer, "Peer link replaced or closed"),
        }
    }

    fn up(&self, greeted: &Greeted) {
        let LinkHandle { peer, id, .. } = *self.handle;
        self.handle.peer_membership.fetch_max(greeted.membership, Ordering::Relaxed);
        self.engine.update_roster(|roster| {
            if let Some(phase) = greeted.phase {
                roster.heard(peer, phase);
            }
            roster.set_linked(peer, self.engine.links().get(peer).is_some());
        });
        for index in 0..self.engine.shard_count() {
            // A newer link may have replaced this one before it was up, and may be up.
            self.engine.with_shard(index, None, |shard| match self.engine.links().has(&self.handle) {
                true => shard.link_up(peer, id),
                false => Effects::default(),
            });
            self.handle.mark(index);
        }
        info!(%peer, "Peer link up");
    }

    fn down(&self) {
        let LinkHandle { peer, id, .. } = *self.handle;
        self.engine.links().remove(&self.handle);
        for index in 0..self.engine.shard_count() {
            self.engine.with_shard(index, None, |shard| shard.link_down(peer, id));
        }
        self.engine.update_roster(|roster| roster.set_linked(peer, self.engine.links().get(peer).is_some()));
    }

    /// Sends what there is, whenever there may be something. Ends when the transport is gone.
    async fn write(&self) {
        let dialled = self.handle.dialer == self.engine.replica();
        let now = Instant::now();
        let mut heartbeat = if dialled { interval_at(now, HEARTBEAT) } else { interval_at(now + UNASKED, UNASKED) };
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told_phase = None;
        let mut order = Order::new();
        let mut beats = 0..;
        loop {
            let phase = member_phase(*self.engine.phase().borrow());
            if told_phase.replace(phase) != Some(phase) {
                let notice = PhaseNotice { phase: phase_to_wire(phase).into() };
                if self.send(Body::Phase(notice)).await.is_err() {
                    return;
                }
            }
            if let Some(report) = self.handle.take_receipt()
                && self.send(Body::Receipt(report)).await.is_err()
            {
                return;
            }
            if self.write_shards(&mut order, phase).await.is_err() {
                return;
            }
            if self.write_messages().await.is_err() {
                return;
            }
            let asked = self.handle.owes_heartbeat.swap(false, Ordering::AcqRel);
            if asked {
                heartbeat.reset();
                if self.beat(&mut beats).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.handle.woken(), if order.is_empty() => {}
                () = ready(()), if !order.is_empty() => {}
                _ = heartbeat.tick() => {
                    if self.beat(&mut beats).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Sends some of what shards have for the peer, the most urgent first.
    async fn write_shards(&self, order: &mut Order, phase: MemberPhase) -> Result<(), mpsc::error::SendError<Frame>> {
        let most = if phase == MemberPhase::Leaving {
            if self.engine.gives_way(self.handle.peer) {
                // Once: nobody waits for a link that cannot go on.
                yield_now().await;
            }
            Urgency::Alone
        } else {
            Urgency::Held
        };
        let mut left = TURN;
        while left > 0 {
            // Also what has come since the last message: it may be more urgent than the next.
            self.handle.take_marked().into_iter().for_each(|shard| order.add(shard, most));
            let Some((shard, least)) = order.next() else { break };
            let Some(message) = self.engine.poll_urgent(shard, self.handle.peer, self.handle.id, least) else {
                order.pass();
                continue;
            };
            // The shard may have made the message by a newer list than the peer has.
            self.pass_list_on().await?;
            let frame = ShardFrame { shard: shard as u32, body: Some(shard_message_to_wire(message)) };
            self.send(Body::Shard(frame)).await?;
            left -= 1;
        }
        Ok(())
    }

    /// Sends some of what was published.
    async fn write_messages(&self) -> Result<(), mpsc::error::SendError<Frame>> {
        let messages = self.handle.take_messages();
        if messages.is_empty() {
            return Ok(());
        }
        let to_wire = |message: Arc<Message>| publication_to_wire(message.channel.clone(), message.payload.clone());
        let publications = messages.into_iter().map(to_wire).collect();
        self.send(Body::Publications(Publications { publications })).await
    }

    /// Says that this side is alive and what it holds, and passes a newer member list on.
    async fn beat(&self, beats: &mut RangeFrom<usize>) -> Result<(), mpsc::error::SendError<Frame>> {
        self.pass_list_on().await?;
        let summary = beats.next().and_then(|beat| self.engine.summary_in_turn(beat));
        let said =
            |Summary { shard, seen, sum }| Heartbeat { seen, sum, shard: shard.map_or(0, |index| index as u32 + 1) };
        self.send(Body::Heartbeat(summary.map_or_else(Heartbeat::default, said))).await
    }

    /// Gives the peer this side's member list, unless it has that or a newer one.
    async fn pass_list_on(&self) -> Result<(), mpsc::error::SendError<Frame>> {
        let number = self.engine.membership_number();
        if self.handle.peer_membership.load(Ordering::Relaxed) >= number {
            return Ok(());
        }
        let Some((number, frame)) = newer_membership(&self.engine) else { return Ok(()) };
        self.handle.peer_membership.fetch_max(number, Ordering::Relaxed);
        self.outbox.send(frame).await
    }

    async fn send(&self, body: Body) -> Result<(), mpsc::error::SendError<Frame>> {
        self.outbox.send(frame(&self.engine, body)).await
    }

    async fn read<S>(&self, mut incoming: S) -> Fault
    where
        S: Stream<Item = Result<Frame, tonic::Status>> + Unpin,
    {
        let mut refused = Refused::new();
        loop {
            let frame = match self.pulse.next(&mut incoming).await {
                Err(lifeless) => return lifeless.into(),
                Ok(None) => return Fault::Ended,
                Ok(Some(Err(status))) => return status.into(),
                Ok(Some(Ok(frame))) => frame,
            };
            self.handle.peer_membership.fetch_max(frame.membership, Ordering::Relaxed);
            if let Err(fault) = self.take(frame.body, &mut refused) {
                return fault;
            }
        }
    }

    fn take(&self, body: Option<Body>, refused: &mut Refused) -> Result<(), Fault> {
        match body {
            Some(Body::Shard(frame)) => self.take_shard(frame, refused)?,
            Some(Body::Phase(notice)) => self.take_phase(notice),
            Some(Body::NewerMembership(list)) => match membership_from_wire(list) {
                Ok(list) => self.engine.take_membership_from_peer(list),
                Err(error) => return Err(Fault::Protocol(error.to_string())),
            },
            Some(Body::Receipt(report)) => {
                if !self.engine.reports().push(report) {
                    return Err(Fault::Protocol("a receipt that no departure has".to_owned()));
                }
                // A full outbox means a slow peer, which then asks again through its other peers.
                let _ = self.outbox.try_send(frame(&self.engine, Body::ReceiptKept(ReceiptKept {})));
            }
            Some(Body::ReceiptKept(_)) => self.handle.receipt_kept.notify_one(),
            Some(Body::Refused(refused)) => return Err(Fault::Refused(shortened(&refused.message))),
            Some(Body::Heartbeat(heartbeat)) => {
                self.take_heartbeat(&heartbeat);
                self.look_for_room(refused)?;
            }
            Some(Body::Publications(list)) => self.take_messages(&list)?,
            // A frame that a newer release knows is passed over; a second hello says nothing new.
            Some(Body::Hello(_)) | None => {}
        }
        Ok(())
    }

    fn take_heartbeat(&self, heartbeat: &Heartbeat) {
        if self.handle.dialer == self.handle.peer {
            self.handle.answer_heartbeat();
        }
        if heartbeat.seen != 0 {
            let &Heartbeat { seen, sum, shard } = heartbeat;
            let shard = (shard as usize).checked_sub(1);
            self.engine.compare(self.handle.peer, Summary { shard, seen, sum });
        }
    }

    /// The peer has sent something to these shards, and does not know that it was refused.
    fn look_for_room(&self, refused: &Refused) -> Result<(), Fault> {
        let has_room = |shard: &usize| self.engine.inspect(*shard, Shard::has_room_for_peers);
        refused.shards().find(has_room).map_or(Ok(()), |shard| Err(Fault::Room(shard)))
    }

    fn take_messages(&self, list: &Publications) -> Result<(), Fault> {
        for publication in &list.publications {
            let message = publication_from_wire(publication).map_err(|error| Fault::Protocol(error.to_string()))?;
            let (channel, payload) = message;
            self.engine.channels().deliver(&Arc::new(Message { channel, payload }));
        }
        Ok(())
    }

    fn take_phase(&self, notice: PhaseNotice) {
        let Some(phase) = phase_from_wire(notice.phase) else { return };
        debug!(peer = %self.handle.peer, ?phase, "Peer changed its phase");
        self.engine.update_roster(|roster| roster.heard(self.handle.peer, phase));
    }

    fn take_shard(&self, frame: ShardFrame, refused: &mut Refused) -> Result<(), Fault> {
        let index = frame.shard as usize;
        if index >= self.engine.shard_count() {
            return Err(Fault::Protocol(format!("there is no shard {index}")));
        }
        // Without a body it is a message of a newer release.
        let Some(body) = frame.body else { return Ok(()) };
        let message = shard_message_from_wire(body).map_err(|error| Fault::Protocol(error.to_string()))?;
        let part = Part::of(index, &message);
        if refused.has(part) {
            return Ok(());
        }
        let LinkHandle { peer, id, .. } = *self.handle;
        match self.engine.handle(index, peer, id, message) {
            Ok(()) => Ok(()),
            Err(error @ ProtocolError::Full(_)) => {
                // The other shards have room.
                warn!(%peer, %error, "What a peer sends to a shard is refused");
                refused.add(part);
                Ok(())
            }
            Err(ProtocolError::NoMember(peer)) => Err(Fault::NoMember(peer)),
            Err(error) => Err(Fault::Protocol(error.to_string())),
        }
    }
}
