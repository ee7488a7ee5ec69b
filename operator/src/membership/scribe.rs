//! The task that keeps one group's Membership: decides, writes, reads pods for proof, and waits for news. It works while
//! this operator holds the lease; what it measured of time is measured anew in each term.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use futures_util::StreamExt;
use futures_util::stream;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::sync::watch;

use super::{Decision, Draft, PodCheck, PodRef, Situation, Unreached, Verdict, decide, store};
use crate::api::{ApiError, ApiServer};
use crate::directory::Attendance;
use crate::index::{GroupView, Listing, SharedIndex};
use crate::lease::Office;
use crate::metrics::Metrics;

/// How many pods are read at once. A whole group may end in one moment.
const READS: usize = 8;

/// The shortest and the longest pause after a write that failed.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Keeps one group's Membership.
#[derive(Clone)]
pub struct Scribe {
    /// Where the newest listing goes, ahead of the watch.
    pub index: SharedIndex,
    /// Who attends.
    pub attendance: Arc<Attendance>,
    /// Where the object is.
    pub api: ApiServer,
    /// Counts writes.
    pub metrics: Metrics,
    /// Whether this operator writes.
    pub office: Office,
    /// The group.
    pub view: watch::Receiver<Arc<GroupView>>,
}

// === impl Scribe ===

impl Scribe {
    /// Runs until the group is gone.
    pub async fn run(mut self) {
        let mut office = self.office.clone();
        loop {
            let term = office.elected().await;
            tokio::select! {
                () = self.keep() => return,
                () = office.ended(term) => {}
            }
        }
    }

    /// Keeps the Membership until the group is gone.
    async fn keep(&mut self) {
        let key = self.view.borrow().group.key.clone();
        let mut changes = self.attendance.changes(&key);
        let mut check = PodCheck::default();
        let mut silence = None;
        let mut unreached = Unreached::new();
        let mut pause = PAUSE.0;
        let mut failures = Repeat::new();
        loop {
            changes.mark_unchanged();
            let view = self.view.borrow_and_update().clone();
            let attendees = self.attendance.attendees(&key);
            let decision = decide(Situation {
                view: &view,
                attendees: &attendees,
                verdicts: check.verdicts(),
                silence,
                unreached: &unreached,
                now: Instant::now(),
            });
            let Decision { draft, merged, ask, silence: since, unreached: missed, again_in } = decision;
            (silence, unreached) = (since, missed);

            if let Some(draft) = draft {
                if self.write(&view, draft, &mut failures).await {
                    pause = PAUSE.0;
                    failures.worked();
                } else {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
                continue;
            }
            if let Some(listing) = view.listing.as_deref().filter(|_| merged) {
                self.attendance.merged(&key, &attendees, listing);
                if view.remembered.is_some() {
                    self.index.write().forget_remembered(&key);
                }
            }
            let due = check.due(&ask, Instant::now());
            if !due.is_empty() {
                self.read_pods(&key.namespace, due, &mut check).await;
                continue;
            }
            let recheck = if ask.is_empty() { None } else { check.again_in(Instant::now()) };
            tokio::select! {
                changed = self.view.changed() => if changed.is_err() { return },
                _ = changes.changed() => {}
                () = sleep(again_in) => {}
                () = sleep(recheck) => {}
            }
        }
    }

    /// Writes a draft; whether it, or something newer, is in the index now.
    async fn write(&self, view: &GroupView, draft: Draft, failures: &mut Repeat) -> bool {
        let group = &view.group;
        let result = store::write(&self.api, group, view.listing.as_deref(), &draft).await;
        self.metrics.wrote_membership(result.is_ok());
        match result {
            Ok(object) => {
                tracing::info!(group = %group.key, number = draft.number, members = draft.members.len(), "A membership was written");
                self.index(object);
                if let Some(what) = draft.started_empty {
                    self.attendance.leave_started_empty(&group.key, what);
                }
                true
            }
            Err(error) if error.is_conflict() || error.is_not_found() => self.refresh(view, &error).await,
            Err(error) => {
                let count = error.is_news().then(|| failures.failed(&error.to_string(), Instant::now())).flatten();
                if let Some(count) = count {
                    tracing::warn!(group = %group.key, error = %error, count, "A membership could not be written");
                }
                false
            }
        }
    }

    /// Takes the object as it is, after a write that was derived from an older one.
    async fn refresh(&self, view: &GroupView, error: &ApiError) -> bool {
        let group = &view.group;
        tracing::debug!(group = %group.key, error = %error, "A membership is derived afresh");
        match store::read(&self.api, group).await {
            Ok(Some(object)) => self.index(object),
            Ok(None) => {
                if let Some(listing) = &view.listing {
                    self.index.write().delete_listing(&group.key, &listing.uid);
                }
            }
            Err(_) => return false,
        }
        // A conflict that repeats, with an object that is being deleted, must not spin.
        false
    }

    fn index(&self, object: baton_crds::Membership) {
        if let Some((key, listing)) = Listing::of(object) {
            self.index.write().apply_listing(&key, listing);
        }
    }

    async fn read_pods(&self, namespace: &str, due: Vec<PodRef>, check: &mut PodCheck) {
        let pods: Api<Pod> = Api::namespaced(self.api.client(), namespace);
        let pods = &pods;
        let mut reads = stream::iter(due)
            .map(|pod| async move {
                let found = self.api.call(pods.get_opt(&pod.name)).await;
                (pod, found)
            })
            .buffer_unordered(READS);
        while let Some((pod, found)) = reads.next().await {
            let verdict = match found {
                Ok(found) => Some(Verdict::of(&pod.uid, found.as_ref())),
                Err(error) => {
                    tracing::debug!(pod = pod.name, error = %error, "A pod could not be read");
                    None
                }
            };
            check.note(&pod, verdict, Instant::now());
        }
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use baton_crds::membership::{MemberPhase, ReplicaId};

    use super::*;
    use crate::fixture::{Requests, attendee, group, pod, view};
    use crate::lease::{Holder, Term};

    #[tokio::test]
    async fn what_agents_say_is_written_down_by_the_holder_of_the_lease_alone() {
        let (api, requests) = Requests::answer(|_, _| (200, serde_json::json!({})));
        let attendance = Arc::new(Attendance::default());
        let key = group("web", 0).key;
        let hello = attendee(0, "a", MemberPhase::Joining, Instant::now());
        let _seat = attendance.seat(key, ReplicaId(1), hello);
        let holder = watch::Sender::new(Holder::Nobody);
        let (_views, view) = watch::channel(Arc::new(view(&[pod("a")])));
        let office = Office::of(&holder);
        let scribe =
            Scribe { index: SharedIndex::default(), attendance, api, metrics: Metrics::default(), office, view };
        tokio::spawn(scribe.run());
        let pause = || tokio::time::sleep(Duration::from_millis(100));
        pause().await;
        assert!(requests.take().is_empty(), "who does not hold it is silent");
        holder.send_replace(Holder::Own(Term(1)));
        requests.wait_for(1, |one| one.method == "POST" && one.path.ends_with("memberships")).await;
        holder.send_replace(Holder::Other { name: "b".into(), address: None });
        // What was under way may still come.
        for _ in 0..20 {
            requests.take();
            tokio::time::sleep(2 * PAUSE.0).await;
            if requests.take().is_empty() {
                return;
            }
        }
        panic!("and so is who does not any more");
    }
}
