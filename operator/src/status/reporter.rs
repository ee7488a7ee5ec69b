//! The task that speaks of one group: writes its status and publishes its events.
//!
//! A change of a condition is written at once, counts at most every ten seconds. An operator that does not hold the lease
//! looks on in silence, so that it knows what its predecessor may not have told any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_crds::membership::MemberRow;
use baton_crds::status::LastHandoff;
use baton_crds::{HandoffGroup, HandoffGroupStatus};
use baton_telemetry::{Repeat, Tracer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;
use tokio::sync::watch;

use super::Newest;
use super::departure::Departures;
use super::derive::{Observation, derive};
use super::news::News;
use crate::api::{ApiError, ApiServer};
use crate::directory::Attendance;
use crate::event::{self, Announcer, Event};
use crate::handoff::{Archive, Former, Happening, Ledger, Receipt, Untold, departure_reason, record, record_name};
use crate::index::GroupView;
use crate::lease::{Office, Term};
use crate::membership::StartedEmpty;
use crate::metrics::Metrics;

/// How often counts are written at most.
const COUNTS: Duration = Duration::from_secs(10);

/// How long after a status that could not be written it is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// How often a status is derived when nothing changes: conditions that hold for a time end by the clock.
const IDLE: Duration = Duration::from_secs(60);

/// How long what just happened is gathered before a status is written: members come and go in swarms.
const GATHER: Duration = Duration::from_millis(50);

/// How long after this operator's election the agents of its predecessor may take to come to it: until then, members that
/// it has not heard of are not called unheard.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The manager of the status fields.
const FIELD_MANAGER: &str = "baton-operator-status";

/// Speaks of one group.
#[derive(Clone)]
pub struct Reporter {
    /// Who attends, and the receipts that they brought.
    pub attendance: Arc<Attendance>,
    /// Where the status goes.
    pub api: ApiServer,
    /// Where events go.
    pub announcer: Announcer,
    /// Where counts go.
    pub metrics: Metrics,
    /// Whether this operator speaks.
    pub office: Office,
    /// Where spans go.
    pub tracer: Tracer,
    /// The group.
    pub view: watch::Receiver<Arc<GroupView>>,
}

/// What the reporter remembers from one look to the next.
#[derive(Default)]
struct Memory {
    ledger: Ledger,
    departures: Departures,
    former: Former,
    archive: Archive,
    status: HandoffGroupStatus,
    newest: Newest,
    started_empty: Option<StartedEmpty>,
    news: News,
    written: Option<Instant>,
    failed: bool,
    failures: Repeat,
    /// Since when this operator speaks; none while it looks on.
    speaks: Option<(Term, Instant)>,
    untold: Untold,
}

// === impl Reporter ===

impl Reporter {
    /// Runs until the group is gone.
    pub async fn run(mut self) {
        let first = self.view.borrow().clone();
        let key = first.group.key.clone();
        let mut changes = self.attendance.changes(&key);
        let mut memory = Memory::default();
        let mut office = self.office.clone();
        loop {
            changes.mark_unchanged();
            let view = self.view.borrow_and_update().clone();
            let wait = match office.term() {
                Some(term) if memory.speaks.is_some_and(|(speaks, _)| speaks == term) => {
                    self.look(&view, &mut memory).await
                }
                Some(term) => self.take_over(&view, &mut memory, term).await,
                None => self.look_on(&view, &mut memory),
            };
            tokio::select! {
                changed = self.view.changed() => if changed.is_err() { return },
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
                () = office.changed() => {}
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Takes note of what happens, for the case that this operator is elected.
    fn look_on(&self, view: &GroupView, memory: &mut Memory) -> Duration {
        if memory.speaks.take().is_some() {
            self.metrics.forget(&view.group.key);
            memory.archive.put_away();
        }
        self.note(view, memory);
        // What is so already is no news after an election.
        memory.news.look(view, &memory.status, &memory.status);
        memory.ledger.again_in(Instant::now()).unwrap_or(IDLE).min(IDLE)
    }

    /// Takes note of departures, and of what is said of the group.
    fn note(&self, view: &GroupView, memory: &mut Memory) {
        let now = Instant::now();
        let rows = memory.former.look(view.listing.as_deref(), now);
        for happening in self.happenings(view, memory, &rows, now) {
            if let Happening::Concluded(receipt) = happening {
                let row = rows.iter().find(|row| row.replica == receipt.replica);
                memory.untold.add(receipt, row.cloned(), now);
            }
        }
        memory.untold.look(now);
        memory.status = view.group.status.clone();
        memory.newest.take(&view.group.status);
        (memory.written, memory.failed) = (None, false);
    }

    /// Begins to speak: first of the handoffs that have no record, because the operator before had no time for it.
    async fn take_over(&self, view: &GroupView, memory: &mut Memory, term: Term) -> Duration {
        self.note(view, memory);
        let untold = memory.untold.receipts();
        if !untold.is_empty() || memory.archive.is_pending() {
            let Ok(told) = memory.archive.names(&self.api, &view.group).await else { return RETRY };
            for (receipt, row) in untold.iter().filter(|(receipt, _)| !told.contains(&record_name(receipt))) {
                self.tell(view, memory, row.as_slice(), Happening::Concluded(receipt.clone())).await;
            }
        }
        memory.untold = Untold::default();
        memory.speaks = Some((term, Instant::now()));
        self.look(view, memory).await
    }

    /// How long the agents of the operator before may still take to come.
    fn arrival(&self, view: &GroupView, memory: &Memory) -> Option<Duration> {
        let (_, since) = memory.speaks?;
        let left = ARRIVAL.checked_sub(since.elapsed())?;
        let attendees = self.attendance.attendees(&view.group.key);
        let mut present = view.listing.iter().flat_map(|listing| listing.present());
        present.any(|row| !attendees.contains_key(&row.replica)).then_some(left)
    }

    /// Announces what happened and writes what changed; answers when to look again at the latest.
    async fn look(&self, view: &GroupView, memory: &mut Memory) -> Duration {
        let now = Instant::now();
        let rows = memory.former.look(view.listing.as_deref(), now);
        for happening in self.happenings(view, memory, &rows, now) {
            self.tell(view, memory, &rows, happening).await;
        }
        let key = &view.group.key;
        let attendees = self.attendance.attendees(key);
        if let Some(what) = self.attendance.take_started_empty(key) {
            self.announcer.publish(&view.group, &started_empty(&what)).await;
            memory.started_empty = Some(what);
        }
        if let Some(left) = self.arrival(view, memory) {
            let kept = memory.archive.keep(&self.api, &view.group, Instant::now(), now_in_seconds()).await;
            return left.min(kept);
        }
        let status = derive(Observation {
            view,
            attendees: &attendees,
            before: &memory.status,
            newest: &memory.newest,
            started_empty: memory.started_empty.as_ref(),
            now: now_in_seconds(),
        });
        self.metrics.group(key, &status);
        for event in memory.news.look(view, &memory.status, &status) {
            self.announcer.publish(&view.group, &event).await;
        }
        let write = self.write_if_due(view, memory, status).await;
        let kept = memory.archive.keep(&self.api, &view.group, Instant::now(), now_in_seconds()).await;
        [write, memory.ledger.again_in(Instant::now()), Some(kept)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(IDLE)
            .min(IDLE)
    }

    fn happenings(&self, view: &GroupView, memory: &mut Memory, rows: &[MemberRow], now: Instant) -> Vec<Happening> {
        let mut happenings = memory.ledger.look(rows, now);
        let ended = view.terminations.iter().filter_map(|(uid, how)| {
            // The pod's newest agent is the one whose container ended last.
            let row = rows.iter().rev().find(|row| row.pod_uid == *uid)?;
            Receipt::of_termination(row.replica, &row.pod_name, uid, how)
        });
        let brought = self.attendance.take_receipts(&view.group.key);
        for receipt in ended.chain(brought) {
            // Whoever was never a member has nothing to hand off, whatever a stream says.
            if rows.iter().any(|row| row.replica == receipt.replica) {
                happenings.extend(memory.ledger.note(receipt, now));
            }
        }
        happenings.extend(memory.ledger.overdue(rows, now));
        happenings
    }

    async fn tell(&self, view: &GroupView, memory: &mut Memory, rows: &[MemberRow], happening: Happening) {
        let event = match happening {
            Happening::Started { pod_name, pod_uid } => {
                memory.departures.begun(&pod_uid);
                Event::started(&pod_name, &pod_uid)
            }
            Happening::Concluded(receipt) => {
                let message = event::conclusion(&receipt);
                tracing::info!(
                    group = %view.group.key,
                    pod = receipt.pod_name,
                    replica = %receipt.replica,
                    outcome = ?receipt.outcome,
                    keys = receipt.keys,
                    keys_unacknowledged = receipt.keys_unacknowledged,
                    hold_millis = receipt.hold_millis,
                    "A handoff has ended"
                );
                self.metrics.handoff(&view.group.key, receipt.outcome);
                memory.departures.ended(&self.tracer, &view.group.key, &receipt, &message);
                memory.newest.conclude(last_handoff(&receipt, message));
                let row = rows.iter().find(|row| row.replica == receipt.replica);
                let reason = departure_reason(view, row, &receipt);
                memory.archive.add(record(&view.group, row, &receipt, reason, now_in_seconds()));
                Event::concluded(&receipt)
            }
        };
        self.announcer.publish(&view.group, &event).await;
    }

    /// Writes a status whose conditions changed at once, and others in their time; answers when that is.
    async fn write_if_due(
        &self,
        view: &GroupView,
        memory: &mut Memory,
        status: HandoffGroupStatus,
    ) -> Option<Duration> {
        if status == memory.status && !memory.failed && view.group.status == status {
            memory.started_empty = None;
            return None;
        }
        let urgent = memory.written.is_none()
            || !alike(&status.conditions, &memory.status.conditions)
            || status.last_handoff != memory.status.last_handoff
            || status.last_unsuccessful_handoff != memory.status.last_unsuccessful_handoff
            || status.workloads != memory.status.workloads
            || status.observed_generation != memory.status.observed_generation;
        let age = memory.written.map_or(COUNTS, |at| at.elapsed());
        let pause = if memory.failed { RETRY } else { COUNTS };
        if age < pause && (memory.failed || !urgent) {
            return Some(pause - age);
        }
        memory.written = Some(Instant::now());
        match self.write(view, &status).await {
            Ok(()) => {
                memory.status = status;
                memory.started_empty = None;
                memory.failed = false;
                memory.failures.worked();
                None
            }
            Err(error) => {
                // A group that was deleted is no news. An API server that has just started may not know the kind yet.
                let is_news = error.is_news() && !error.is_not_found();
                let news = is_news.then(|| memory.failures.failed(&error.to_string(), Instant::now()));
                if let Some(count) = news.flatten() {
                    tracing::warn!(group = %view.group.key, error = %error, count, "A status could not be written");
                }
                memory.failed = true;
                Some(RETRY)
            }
        }
    }

    async fn write(&self, view: &GroupView, status: &HandoffGroupStatus) -> Result<(), ApiError> {
        let key = &view.group.key;
        let groups: Api<HandoffGroup> = Api::namespaced(self.api.client(), &key.namespace);
        let patch = json!({
            "apiVersion": HandoffGroup::api_version(&()),
            "kind": HandoffGroup::kind(&()),
            "metadata": { "name": key.name, "uid": view.group.uid },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api.write(groups.patch_status(&key.name, &params, &Patch::Apply(patch))).await.map(drop)
    }
}

fn started_empty(what: &StartedEmpty) -> Event {
    let note = format!(
        "No member with state could be reached ({}), so pod {} started empty. Their state is joined when they come back.",
        what.unreachable.join(", "),
        what.pod
    );
    Event::of_group(event::Reason::StartedEmpty, "Grant", true, note)
}

fn last_handoff(receipt: &Receipt, message: String) -> LastHandoff {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    LastHandoff {
        pod: receipt.pod_name.clone(),
        outcome: receipt.outcome,
        at: Time(now_in_seconds()),
        keys: signed(receipt.keys),
        keys_unacknowledged: signed(receipt.keys_unacknowledged),
        hold_millis: signed(receipt.hold_millis),
        message,
    }
}

/// Whether conditions say the same, but for the wording.
fn alike(left: &[Condition], right: &[Condition]) -> bool {
    let essence = |one: &Condition| (one.type_.clone(), one.status.clone(), one.reason.clone());
    left.iter().map(essence).eq(right.iter().map(essence))
}

/// The API has times in whole seconds.
fn now_in_seconds() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use baton_crds::membership::MemberPhase::{Active, Leaving};
    use baton_crds::status::HandoffOutcome::Acknowledged;

    use super::*;
    use crate::fixture::{ApiRequest, Requests, group, listing, pod, receipt, row, view};
    use crate::handoff::Stage;
    use crate::lease::Holder;

    /// An operator that looks on while pod `a` leaves in good order, and is elected then, by an API server that has these
    /// records; what that is asked.
    async fn elected_after_a_departure(records: serde_json::Value) -> (Requests, impl Sized) {
        let (api, requests) = Requests::answer(move |_, _| (200, json!({"metadata": {}, "items": records})));
        let attendance = Arc::new(Attendance::default());
        let seen = |phase| {
            let mut view = view(&[pod("a"), pod("b")]);
            view.listing = Some(Arc::new(listing(1, None, vec![row(1, "a", phase), row(2, "b", Active)])));
            Arc::new(view)
        };
        let (views, view) = watch::channel(seen(Active));
        let holder = watch::Sender::new(Holder::Nobody);
        let announcer = Announcer::new(api.clone(), None);
        let (metrics, office) = (Metrics::default(), Office::of(&holder));
        let reporter = Reporter {
            attendance: attendance.clone(),
            api,
            announcer,
            metrics,
            office,
            tracer: Tracer::default(),
            view,
        };
        tokio::spawn(reporter.run());
        let pause = || tokio::time::sleep(4 * GATHER);
        pause().await;
        views.send_replace(seen(Leaving));
        attendance.leave_receipt(&group("web", 0).key, receipt(1, Stage::Sealed, Acknowledged));
        pause().await;
        assert!(requests.take().is_empty(), "who looks on is silent");
        holder.send_replace(Holder::Own(Term(1)));
        // It ends when nothing can change any more.
        (requests, (views, holder))
    }

    fn tells_a_handoff(one: &ApiRequest) -> bool {
        one.method == "PATCH" && one.path.contains("handoffs/")
    }

    #[tokio::test]
    async fn a_handoff_that_the_operator_before_has_not_told_is_told_by_the_next() {
        let (requests, _alive) = elected_after_a_departure(json!([])).await;
        let told = requests.wait_for(1, tells_a_handoff).await;
        assert!(told[0].path.ends_with("handoffs/a-0000000000000001"), "{told:?}");
    }

    #[tokio::test]
    async fn a_handoff_that_the_operator_before_has_told_is_not_told_again() {
        let told = record(
            &group("web", 0),
            None,
            &receipt(1, Stage::Sealed, Acknowledged),
            baton_crds::handoff::DepartureReason::PodDeleted,
            now_in_seconds(),
        );
        let (requests, _alive) = elected_after_a_departure(json!([told])).await;
        tokio::time::sleep(4 * GATHER).await;
        assert!(!requests.take().iter().any(tells_a_handoff));
    }
}
