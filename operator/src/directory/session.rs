//! One agent's stream: its reports go to the attendance, the newest membership goes to it.
//!
//! A session never waits for its agent with anything but its own task, and sends the newest list only: an
//! agent that does not read delays nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_crds::membership::ReplicaId;
use baton_identity::Member;
use baton_wire::directory as wire;
use baton_wire::directory::notice::Body as NoticeBody;
use baton_wire::directory::report::Body as ReportBody;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use tracing::Instrument;

use super::convert::{self, Introduction, Malformed};
use super::forward::{Said, forward};
use super::hello;
use super::{DirectoryService, Known, Seat};
use crate::index::{GroupView, Listing};

/// How long an agent may take for its hello.
pub(super) const HELLO: Duration = Duration::from_secs(10);

/// The sending half of the stream to the agent.
pub(super) type Notices = mpsc::Sender<Box<Answer>>;

/// What goes to an agent. A channel has room for 32 of them, however few are let in, so they are in boxes on their way.
pub(super) type Answer = Result<wire::Notice, Status>;

/// One agent's stream.
pub(super) struct Session {
    service: DirectoryService,
    remote: Option<SocketAddr>,
    /// Who its certificate says that it is.
    proven: Member,
    notices: Notices,
}

/// A stream whose agent attends.
struct Conversation {
    service: DirectoryService,
    notices: Notices,
    agent: Agent,
    view: watch::Receiver<Arc<GroupView>>,
    reports: Streaming<wire::Report>,
    told: Told,
}

/// An agent at its seat.
struct Agent {
    seat: Seat,
    replica: ReplicaId,
    /// What it says, for whoever holds the lease.
    said: watch::Sender<Said>,
    /// The UID of the list that named it last.
    listed_by: Option<String>,
    /// The newest list that it knew when it said hello: an older one is not sent, also if this operator has seen no newer.
    knew: Option<(String, u64)>,
}

/// What the agent was last told: the list, and the settings that came with it.
#[derive(Clone, PartialEq)]
struct Told(Option<(String, u64, wire::Settings)>);

// === impl Session ===

impl Session {
    pub(super) fn new(service: DirectoryService, remote: Option<SocketAddr>, proven: Member, notices: Notices) -> Self {
        Self { service, remote, proven, notices }
    }

    /// Runs until the stream ends.
    pub(super) async fn run(self, reports: Streaming<wire::Report>) {
        // What only the beginning needs is given back with it: there are as many tasks as agents.
        let Some((conversation, span)) = Box::pin(self.begin(reports)).await else { return };
        Box::pin(conversation.run().instrument(span)).await;
    }

    /// Hears the hello, and seats the agent if it may attend.
    async fn begin(self, mut reports: Streaming<wire::Report>) -> Option<(Conversation, tracing::Span)> {
        let (introduction, said) = match tokio::time::timeout(HELLO, self.introduction(&mut reports)).await {
            Ok(Ok(introduction)) => introduction,
            Ok(Err(status)) => return self.fail(status).await,
            Err(_) => return self.fail(Status::deadline_exceeded("no hello within 10 seconds")).await,
        };
        let span = tracing::info_span!(
            "agent",
            group = %introduction.key,
            pod = introduction.attendee.pod_name,
            replica = %introduction.replica,
        );
        let conversation = self.attend(introduction, said, reports).instrument(span.clone()).await?;
        Some((conversation, span))
    }

    async fn introduction(&self, reports: &mut Streaming<wire::Report>) -> Result<(Introduction, Said), Status> {
        let report = reports.message().await?.ok_or_else(|| Status::cancelled("the stream ended before a hello"))?;
        let Some(ReportBody::Hello(hello)) = report.body else {
            return Err(Status::failed_precondition("the first report of a stream must be a hello"));
        };
        let (arrival, said) = (self.service.attendance.arrival(), Said::new(hello.clone()));
        Ok((convert::introduction(hello, arrival, Instant::now())?, said))
    }

    async fn attend(
        self,
        introduction: Introduction,
        said: Said,
        reports: Streaming<wire::Report>,
    ) -> Option<Conversation> {
        let Introduction { key, replica, release, attendee } = introduction;
        let service = &self.service;
        if service.line.is_deaf() {
            return self.fail(deaf()).await;
        }
        let proven = hello::check_proof(&self.proven, &key, &attendee);
        if proven.is_err() {
            service.metrics.refused_connection("other_certificate");
        }
        let checked = match proven {
            Ok(()) => Box::pin(hello::check(&service.index, &service.api, &key, replica, &attendee)).await,
            Err(rejection) => Err(rejection),
        };
        if let Err(rejection) = checked {
            let count = service.refusals.lock().failed(&rejection.message, Instant::now());
            if let Some(count) = count {
                tracing::info!(reason = rejection.message, retry = rejection.retry, count, "An agent was refused");
            }
            service.metrics.refused(rejection.retry);
            let refusal = wire::Refusal { retry: rejection.retry, message: rejection.message };
            let notice = wire::Notice { body: Some(NoticeBody::Refusal(refusal)) };
            // The agent may be gone already.
            let _ = self.notices.send(Box::new(Ok(notice))).await;
            return None;
        }
        let view = service.index.read().view(&key)?;
        tracing::info!(phase = ?attendee.phase, address = attendee.address, remote = ?self.remote, release, "An agent attends");
        let listed_by = attendee.known.as_ref().filter(|known| known.names(replica)).map(|known| known.uid.clone());
        let knew = attendee.known.as_ref().map(|known| (known.uid.clone(), known.number));
        let said = watch::Sender::new(said);
        tokio::spawn(forward(said.subscribe(), service.line.clone()));
        let seat = service.attendance.seat(key, replica, attendee);
        let agent = Agent { seat, replica, said, listed_by, knew };
        let Self { service, notices, .. } = self;
        Some(Conversation { service, notices, agent, view, reports, told: Told(None) })
    }

    /// There is no conversation.
    async fn fail<T>(&self, status: Status) -> Option<T> {
        tracing::debug!(remote = ?self.remote, error = status.message(), "A stream is refused");
        // The agent may be gone already.
        let _ = self.notices.send(Box::new(Err(status))).await;
        None
    }
}

// === impl Conversation ===

impl Conversation {
    async fn run(mut self) {
        let ended = self.converse().await;
        tracing::info!(reason = ended, "An agent's stream ended");
    }

    /// Takes reports and sends memberships until either side ends; answers why.
    async fn converse(&mut self) -> String {
        let mut line = self.service.line.clone();
        loop {
            let newest = self.agent.newest(&self.view.borrow_and_update());
            let is_due = newest.is_some_and(|newest| newest != self.told);
            tokio::select! {
                report = self.reports.message() => match report {
                    Ok(Some(report)) => {
                        self.agent.said.send_modify(|said| said.take(&report));
                        if let Err(error) = take(&self.agent.seat, report) {
                            self.end(error.into()).await;
                            return "it sent a report that makes no sense".into();
                        }
                    }
                    Ok(None) => return "the agent closed it".into(),
                    Err(status) => return format!("the connection was lost: {}", status.message()),
                },
                permit = self.notices.reserve(), if is_due => {
                    let Ok(permit) = permit else { return "the agent stopped listening".into() };
                    let view = self.view.borrow().clone();
                    let Some((newest, notice)) = self.agent.notice(&view) else { continue };
                    tracing::debug!(number = newest.number(), "A membership is sent");
                    self.service.metrics.pushed();
                    permit.send(Box::new(Ok(notice)));
                    self.agent.was_told(&newest, &view);
                    self.told = newest;
                }
                changed = self.view.changed() => {
                    // The group is gone; its agents keep their last list and ask again.
                    if changed.is_err() {
                        return "the HandoffGroup was deleted".into();
                    }
                }
                () = line.deaf() => {
                    self.end(deaf()).await;
                    return "the operator that holds the lease cannot be reached from here".into();
                }
            }
        }
    }

    async fn end(&self, status: Status) {
        // The agent may be gone already.
        let _ = self.notices.send(Box::new(Err(status))).await;
    }
}

// === impl Told ===

impl Told {
    fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |(_, number, _)| *number)
    }
}

// === impl Status ===

impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        Self::invalid_argument(malformed.to_string())
    }
}

fn deaf() -> Status {
    Status::unavailable("this operator cannot reach the one that holds the lease; come again, to that one")
}

// === impl Agent ===

impl Agent {
    /// The newest membership, once it lists the agent, or does not any more: the agent takes the latter for its removal.
    fn newest(&self, view: &GroupView) -> Option<Told> {
        let listing: &Listing = view.listing.as_deref()?;
        if listing.row(self.replica).is_none() && self.listed_by.as_ref() != Some(&listing.uid) {
            return None;
        }
        let is_behind = |(uid, number): &(String, u64)| *uid == listing.uid && listing.spec.number < *number;
        if self.knew.as_ref().is_some_and(is_behind) {
            return None;
        }
        Some(Told(Some((listing.uid.clone(), listing.spec.number, convert::settings(&view.group.spec)))))
    }

    /// The newest membership as it is sent.
    fn notice(&self, view: &GroupView) -> Option<(Told, wire::Notice)> {
        let newest = self.newest(view)?;
        let membership = convert::membership(view.listing.as_deref()?, &view.group.spec);
        Some((newest, wire::Notice { body: Some(NoticeBody::Membership(membership)) }))
    }

    /// A list went to the agent. That it was named by one is never forgotten: whoever writes later takes an agent that is
    /// not listed any more for removed, and not for new.
    fn was_told(&mut self, told: &Told, view: &GroupView) {
        let Some((uid, number, _)) = &told.0 else { return };
        let own = view.listing.as_deref().and_then(|listing| listing.row(self.replica)).cloned();
        self.listed_by = Some(uid.clone());
        let is_new = self.knew.as_ref().is_none_or(|(knew, _)| knew == uid);
        let (Some(own), true) = (own, is_new) else { return };
        let known = Known::of(uid, *number, own);
        self.said.send_if_modified(|said| {
            // What the agent knew of others is in the list, and is not kept for every agent.
            if said.hello.members.len() != 1 || said.hello.members[0].replica != self.replica.0 {
                said.hello.known = Some(wire::Version { uid: uid.clone(), number: *number });
                said.hello.members = known.rows.iter().map(convert::member).collect();
            }
            // The holder knows it by the list itself.
            false
        });
        self.seat.note_known(known);
    }
}

/// Takes one report of a seated agent.
pub(super) fn take(seat: &Seat, report: wire::Report) -> Result<(), Malformed> {
    match report.body {
        // A newer release may report more.
        None => {}
        Some(ReportBody::Hello(_)) => return Err(Malformed::Unspeakable("a second hello")),
        Some(ReportBody::Phase(report)) => {
            let phase = convert::reported_phase(report.phase())?;
            seat.update(|attendee| {
                attendee.advance(phase);
                attendee.held_state |= report.held_state;
                attendee.in_sync = report.in_sync;
                attendee.keys = report.keys;
                attendee.bytes = report.bytes;
                attendee.tombstones = report.tombstones;
            });
        }
        Some(ReportBody::Reachability(report)) => {
            let reached = report.reached.into_iter().take(convert::ROWS).map(ReplicaId).collect();
            seat.update(|attendee| {
                attendee.reached = reached;
                attendee.says_whom_it_reaches = report.always;
            });
        }
        Some(ReportBody::Settled(report)) => {
            let settled = convert::settled(report)?;
            seat.update(|attendee| attendee.settled = settled);
        }
        Some(ReportBody::Handoff(report)) => seat.leave_receipt(convert::receipt(report)?),
    }
    Ok(())
}
