//! One stream with the operator: reports go out, lists come in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_replica::ReplicaId;
use baton_telemetry::Repeat;
use baton_wire::convert::{membership_from_wire, phase_to_wire};
use baton_wire::directory as wire;
use baton_wire::directory::directory_client::DirectoryClient;
use baton_wire::directory::{
    HandoffReport, Hello, Membership, Notice, PhaseReport, Reachability, Report, notice, report,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;
use tracing::{info, warn};

use crate::engine::{Engine, Settled};
use crate::link::member_phase;
use crate::membership::operator::{StreamEnd, causes};

/// Reports between this task and the transport. With one, room for the next means that the transport has taken the last.
const OUTBOX: usize = 1;

/// How long the operator may take to answer the call, or to take a report.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a change of being in sync, and of who is reached, is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How often numbers are reported, if they change.
const NUMBERS: Duration = Duration::from_secs(10);

/// What the transport needs to put a report that it has taken on the wire.
const FLUSH: Duration = Duration::from_millis(10);

/// How long a receipt is in doubt: a connection that is dead is found out within two keep-alives.
const DOUBT: Duration = Duration::from_secs(10);

/// Receipts in doubt at once, as many as wait to be sent at most.
const MAX_DOUBTFUL: usize = 64;

/// An open stream.
pub(super) struct Session {
    engine: Arc<Engine>,
    outbox: mpsc::Sender<Report>,
    notices: Streaming<Notice>,
    phase: watch::Receiver<baton_replica::Phase>,
    told: Option<(PhaseReport, Instant)>,
    settled: Settled,
    /// The members to which there was a link, as last told.
    reached: Option<Vec<u64>>,
    /// As the operator knows this agent on this stream.
    replica: ReplicaId,
    malformed: Repeat,
    doubtful: VecDeque<(HandoffReport, Instant)>,
}

/// What happened.
enum Event {
    Notice(Result<Option<Notice>, tonic::Status>),
    PhaseChanged,
    Look,
    Receipt(HandoffReport),
}

// === impl Session ===

impl Session {
    /// Opens the stream and says hello.
    pub(super) async fn open(engine: Arc<Engine>, channel: Channel, hello: Hello) -> Result<Self, StreamEnd> {
        let (outbox, reports) = mpsc::channel(OUTBOX);
        let replica = ReplicaId::new(hello.replica).ok_or(StreamEnd::Renamed)?;
        let hello = Report { body: Some(report::Body::Hello(hello)) };
        outbox.send(hello).await.map_err(|_| StreamEnd::Ended)?;
        let mut client = DirectoryClient::new(channel);
        let answer = timeout(PATIENCE, client.attend(ReceiverStream::new(reports))).await;
        let answer = answer.map_err(|_| StreamEnd::Stuck)?;
        let notices = answer.map_err(|status| StreamEnd::Status(causes(&status)))?.into_inner();
        let phase = engine.phase();
        Ok(Self {
            engine,
            outbox,
            notices,
            phase,
            told: None,
            settled: Settled::default(),
            reached: None,
            replica,
            malformed: Repeat::new(),
            doubtful: VecDeque::new(),
        })
    }

    /// Runs the stream to its end. `served` is set once a list has arrived.
    ///
    /// Receipts that the operator may not have got go back to the queue; one that it has got twice tells it nothing
    /// new.
    pub(super) async fn run(mut self, served: &mut bool) -> StreamEnd {
        let end = self.converse(served).await;
        for (receipt, _) in self.doubtful.drain(..).filter(|(_, sent)| sent.elapsed() < DOUBT) {
            self.engine.reports().push(receipt);
        }
        end
    }

    async fn converse(&mut self, served: &mut bool) -> StreamEnd {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let engine = self.engine.clone();
            let event = tokio::select! {
                notice = self.notices.message() => Event::Notice(notice),
                _ = self.phase.changed() => Event::PhaseChanged,
                _ = look.tick() => Event::Look,
                receipt = engine.reports().next() => Event::Receipt(receipt),
            };
            let done = match event {
                Event::Notice(notice) => self.take(notice, served),
                Event::PhaseChanged => self.report_phase().await,
                Event::Look => self.look().await,
                Event::Receipt(receipt) => self.report_receipt(receipt).await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    fn take(&mut self, notice: Result<Option<Notice>, tonic::Status>, served: &mut bool) -> Result<(), StreamEnd> {
        let notice = notice.map_err(|status| StreamEnd::Status(causes(&status)))?;
        match notice.ok_or(StreamEnd::Ended)?.body {
            Some(notice::Body::Membership(list)) => {
                *served = true;
                self.take_list(list);
                Ok(())
            }
            Some(notice::Body::Refusal(refusal)) if refusal.retry => Err(StreamEnd::NotYet(refusal.message)),
            Some(notice::Body::Refusal(refusal)) => Err(StreamEnd::Refused(refusal.message)),
            // A notice of a newer release.
            None => Ok(()),
        }
    }

    fn take_list(&mut self, list: Membership) {
        match membership_from_wire(list) {
            Ok(list) => {
                info!(
                    uid = list.version.uid,
                    number = list.version.number,
                    members = list.members.len(),
                    "Took a list"
                );
                self.engine.take_membership_from_source(list);
            }
            Err(error) => {
                if let Some(count) = self.malformed.failed(&error.to_string(), Instant::now()) {
                    warn!(%error, count, "The operator sent a list that cannot be used; the last one stays");
                }
            }
        }
    }

    /// A look around: the numbers if they are due, and whom this agent reaches.
    async fn look(&mut self) -> Result<(), StreamEnd> {
        if self.engine.replica() != self.replica {
            return Err(StreamEnd::Renamed);
        }
        let report = self.phase_report();
        let due = |(last, at): &(PhaseReport, Instant)| {
            let numbers = *last != report && at.elapsed() >= NUMBERS;
            numbers || last.in_sync != report.in_sync || last.held_state != report.held_state
        };
        if self.told.as_ref().is_none_or(due) {
            self.send_phase(report).await?;
        }
        self.report_settled().await?;
        let reached: Vec<u64> = self.engine.links().all().iter().map(|link| link.peer.bits()).collect();
        if self.reached.as_ref() == Some(&reached) {
            return Ok(());
        }
        self.reached = Some(reached.clone());
        self.send(report::Body::Reachability(Reachability { reached, always: true })).await
    }

    /// Tells whom this agent has settled, whenever that changes. A new stream begins with nothing told.
    async fn report_settled(&mut self) -> Result<(), StreamEnd> {
        let settled = self.engine.settled();
        let silent = self.settled.replicas.is_empty() && settled.replicas.is_empty();
        if silent || settled == self.settled {
            return Ok(());
        }
        let replicas = settled.replicas.iter().map(|replica| replica.bits()).collect();
        let report = wire::Settled { round: settled.round, replicas };
        self.settled = settled;
        self.send(report::Body::Settled(report)).await
    }

    async fn report_phase(&mut self) -> Result<(), StreamEnd> {
        let report = self.phase_report();
        if self.told.as_ref().is_some_and(|(last, _)| last.phase == report.phase) {
            return Ok(());
        }
        self.send_phase(report).await
    }

    async fn send_phase(&mut self, report: PhaseReport) -> Result<(), StreamEnd> {
        self.told = Some((report, Instant::now()));
        self.send(report::Body::Phase(report)).await
    }

    /// Sends a receipt, and only then takes it off the queue: a process that ends waits for the queue to be empty.
    async fn report_receipt(&mut self, receipt: HandoffReport) -> Result<(), StreamEnd> {
        self.send(report::Body::Handoff(receipt.clone())).await?;
        let room = timeout(PATIENCE, self.outbox.reserve()).await.map_err(|_| StreamEnd::Stuck)?;
        room.map_err(|_| StreamEnd::Ended)?;
        sleep(FLUSH).await;
        self.engine.reports().sent(&receipt);
        if self.doubtful.len() == MAX_DOUBTFUL {
            self.doubtful.pop_front();
        }
        self.doubtful.push_back((receipt, Instant::now()));
        Ok(())
    }

    async fn send(&self, body: report::Body) -> Result<(), StreamEnd> {
        let sent = timeout(PATIENCE, self.outbox.send(Report { body: Some(body) })).await;
        sent.map_err(|_| StreamEnd::Stuck)?.map_err(|_| StreamEnd::Ended)
    }

    fn phase_report(&self) -> PhaseReport {
        let status = self.engine.status();
        PhaseReport {
            phase: phase_to_wire(member_phase(status.phase)).into(),
            in_sync: status.in_sync,
            keys: status.keys,
            bytes: status.bytes,
            held_state: self.engine.holds_state(),
            tombstones: status.remembered_keys.saturating_sub(status.keys),
        }
    }
}
