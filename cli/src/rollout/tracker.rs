//! How far a rollout is, and how its pods handed off: decided from what was seen, look by look.
//!
//! Records of handoffs may be deleted while the rollout goes on, and members are dropped from the list when they are
//! settled, so that what was seen once is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use baton_crds::handoff::Handoff;
use baton_crds::membership::{MemberPhase, MemberRow};
use baton_crds::{HandoffGroup, Membership};
use kube::ResourceExt;

use super::workload::Facts;
use crate::handoff::{acknowledged, is_acknowledged};
use crate::human;

/// How long after the end of a rollout a record may still come: the operator gives up on a receipt after 15 s.
const LATE: Duration = Duration::from_secs(30);

/// What one look has seen.
pub(super) struct Look {
    pub(super) facts: Facts,
    pub(super) group: HandoffGroup,
    pub(super) list: Option<Membership>,
    pub(super) records: Vec<Handoff>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Pods are replaced, or the last old ones have not ended.
    Waiting,
    /// It is over; the records of some pods are still to come.
    Settling,
    /// It is over, and all is known that will ever be.
    Over,
}

/// One rollout.
pub(super) struct Tracker {
    /// `Deployment/web`.
    workload: String,
    generation: i64,
    /// Records of departures before this rollout.
    before: BTreeSet<String>,
    /// The workload's members that were ever seen, and held state: pod names by pod UID.
    held: BTreeMap<String, String>,
    /// What made each member that was ever seen, by replica id.
    controllers: BTreeMap<String, String>,
    /// The newest word of each record of this rollout, by its name.
    records: BTreeMap<String, Handoff>,
    /// Pods of which no record has come although they have ended.
    missing: Vec<String>,
    drained_at: Option<Duration>,
    news: Vec<String>,
}

// === impl Tracker ===

impl Tracker {
    /// Begins with what was there before the restart that made this generation.
    pub(super) fn new(workload: &str, generation: i64, before: &Look) -> Self {
        let mut tracker = Self {
            workload: workload.to_owned(),
            generation,
            before: before.records.iter().map(ResourceExt::name_any).collect(),
            held: BTreeMap::new(),
            controllers: BTreeMap::new(),
            records: BTreeMap::new(),
            missing: Vec::new(),
            drained_at: None,
            news: Vec::new(),
        };
        tracker.remember(before);
        tracker
    }

    /// The generation that is waited for.
    pub(super) const fn generation(&self) -> i64 {
        self.generation
    }

    /// Takes one look, so long after the restart.
    pub(super) fn look(&mut self, look: &Look, elapsed: Duration) -> State {
        self.remember(look);
        self.note_records(&look.records);
        if !self.is_drained(&look.group) {
            // A pod that a later look shows as leaving may follow one that seemed to be the last.
            self.drained_at = None;
            return State::Waiting;
        }
        let since = *self.drained_at.get_or_insert(elapsed);
        self.missing = self.unrecorded(look.list.as_ref());
        if self.missing.is_empty() || elapsed.saturating_sub(since) >= LATE { State::Over } else { State::Settling }
    }

    /// What has become known since this was asked last: one sentence each.
    pub(super) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// How many pods have handed off well.
    pub(super) fn handed_off(&self) -> usize {
        self.records.values().filter(|record| is_acknowledged(record)).count()
    }

    /// What did not go well: one sentence each.
    pub(super) fn unwell(&self) -> Vec<String> {
        let failed = self.records.values().filter(|record| !is_acknowledged(record)).map(sentence);
        let missing = self.missing.iter().map(|pod| format!("nobody has recorded how pod {pod} left"));
        failed.chain(missing).collect()
    }

    /// One line for a person who waits.
    pub(super) fn progress(&self, look: &Look) -> String {
        let Facts { generation, observed, replicas, updated, ready, .. } = look.facts;
        if observed < self.generation {
            return format!("the controller of {} has not seen the restart yet", self.workload);
        }
        let rows = look.list.iter().flat_map(|list| &list.spec.members);
        let leaving = rows.filter(|row| row.controller == self.workload && row.phase == MemberPhase::Leaving).count();
        let mut parts = vec![format!("{updated} of {replicas} pods are new"), format!("{ready} ready")];
        if leaving > 0 {
            parts.push(format!("{leaving} leaving"));
        }
        parts.push(format!("{} handed off", self.handed_off()));
        let failed = self.records.len() - self.handed_off();
        if failed > 0 {
            parts.push(format!("{failed} not well"));
        }
        if self.drained_at.is_some() {
            parts.push(format!("over; waiting for the record of {}", self.missing.join(", ")));
        }
        if generation > self.generation {
            parts.push(format!("changed again, to generation {generation}"));
        }
        parts.extend(look.facts.complaint.iter().map(|complaint| format!("its controller says: {complaint}")));
        parts.join(", ")
    }

    fn remember(&mut self, look: &Look) {
        for row in look.list.iter().flat_map(|list| &list.spec.members) {
            self.controllers.insert(row.replica.to_string(), row.controller.clone());
            if row.controller == self.workload && row.held_state && !row.forgotten && row.phase != MemberPhase::Gone {
                self.held.insert(row.pod_uid.clone(), row.pod_name.clone());
            }
        }
    }

    fn note_records(&mut self, records: &[Handoff]) {
        for record in records {
            let name = record.name_any();
            // A record is there a moment before its status.
            let Some(condition) = acknowledged(record) else { continue };
            if self.before.contains(&name) || !self.is_ours(record) {
                continue;
            }
            let said = self.records.get(&name).and_then(acknowledged).map(|said| (&said.status, &said.reason));
            if said != Some((&condition.status, &condition.reason)) {
                self.news.push(sentence(record));
            }
            self.records.insert(name, record.clone());
        }
    }

    /// Whether a record is about a pod of this workload. One that was a member for less than a second may never have been
    /// seen in the list: its name tells.
    fn is_ours(&self, record: &Handoff) -> bool {
        match self.controllers.get(&record.spec.replica.to_string()) {
            Some(controller) => *controller == self.workload,
            None => {
                let name = self.workload.split_once('/').map_or("", |(_, name)| name);
                record.spec.pod_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
            }
        }
    }

    fn is_drained(&self, group: &HandoffGroup) -> bool {
        let workloads = group.status.iter().flat_map(|status| &status.workloads);
        let mut ours = workloads.filter(|one| format!("{}/{}", one.kind, one.name) == self.workload);
        ours.any(|one| one.drained_generation.is_some_and(|drained| drained >= self.generation))
    }

    /// Pods that held state, are not there any more, and have no record.
    fn unrecorded(&self, list: Option<&Membership>) -> Vec<String> {
        let stays = |row: &&MemberRow| row.phase != MemberPhase::Gone;
        let rows = list.iter().flat_map(|list| &list.spec.members).filter(stays);
        let there: BTreeSet<&str> = rows.map(|row| row.pod_uid.as_str()).collect();
        let recorded: BTreeSet<&str> = self.records.values().map(|record| record.spec.pod_uid.as_str()).collect();
        let open =
            self.held.iter().filter(|(uid, _)| !there.contains(uid.as_str()) && !recorded.contains(uid.as_str()));
        open.map(|(_, name)| name.clone()).collect()
    }
}

/// How one pod left.
fn sentence(record: &Handoff) -> String {
    let pod = &record.spec.pod_name;
    let (Some(status), Some(condition)) = (&record.status, acknowledged(record)) else {
        return format!("pod {pod} has left");
    };
    let keys = human::count(status.keys.max(0) as usize, "key");
    match (condition.status.as_str(), status.survivors.as_slice()) {
        ("True", []) => format!("pod {pod} handed off {keys} in {}", human::millis(status.hold_millis)),
        ("True", survivors) => {
            format!("pod {pod} handed off {keys} to {} in {}", survivors.join(", "), human::millis(status.hold_millis))
        }
        ("False", _) => format!("pod {pod} did NOT hand off ({}): {}", condition.reason, condition.message),
        _ => format!("nobody knows how pod {pod} handed off ({}): {}", condition.reason, condition.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{group, handoff, membership};

    const WEB: &str = "Deployment/web";
    const SECOND: Duration = Duration::from_secs(1);

    fn look(drained: i64, rows: &[(u64, &str, &str)], records: &[Handoff]) -> Look {
        let mut group = group(&[]);
        group.status.as_mut().expect("a status").workloads[0].drained_generation = Some(drained);
        let facts = Facts { generation: 8, observed: 8, replicas: 2, updated: 1, ready: 2, ..Facts::default() };
        Look { facts, group, list: Some(membership(WEB, rows)), records: records.to_vec() }
    }

    fn begun() -> Tracker {
        Tracker::new(WEB, 8, &look(7, &[(1, "web-a", "Active"), (2, "web-b", "Active")], &[]))
    }

    fn record(replica: u64, pod: &str, acknowledged: &str, reason: &str) -> Handoff {
        let mut record = handoff(pod, 0, acknowledged, reason);
        record.spec.replica = baton_crds::membership::ReplicaId(replica);
        record
    }

    #[test]
    fn a_rollout_is_over_when_its_generation_is_drained_and_every_old_pod_has_a_record() {
        let mut tracker = begun();
        let half = [record(1, "web-a", "True", "Covered")];
        let rows = [(1, "web-a", "Gone"), (2, "web-b", "Leaving"), (3, "web-c", "Active"), (4, "web-d", "Active")];
        let seen = look(7, &rows, &half);
        assert_eq!(tracker.look(&seen, SECOND), State::Waiting);
        assert_eq!(tracker.progress(&seen), "1 of 2 pods are new, 2 ready, 1 leaving, 1 handed off");
        assert_eq!(tracker.take_news(), ["pod web-a handed off 40 keys to web-8, web-9 in 12ms"]);

        let seen = look(8, &[(3, "web-c", "Active"), (4, "web-d", "Active")], &half);
        assert_eq!(tracker.look(&seen, 2 * SECOND), State::Settling);
        assert!(tracker.progress(&seen).ends_with("over; waiting for the record of web-b"));
        // The first record may have been deleted by now.
        let all = [record(2, "web-b", "True", "NothingToHandOff")];
        assert_eq!(tracker.look(&look(8, &rows[2..], &all), 3 * SECOND), State::Over);
        assert_eq!((tracker.handed_off(), tracker.unwell().len()), (2, 0));
    }

    #[test]
    fn an_older_generation_that_is_drained_says_nothing_of_this_one() {
        let mut tracker = begun();
        assert_eq!(
            tracker.look(&look(7, &[(1, "web-a", "Active"), (2, "web-b", "Active")], &[]), SECOND),
            State::Waiting
        );
    }

    #[test]
    fn a_failed_handoff_is_told_at_once_and_again_if_it_ends_better() {
        let mut tracker = begun();
        let rows = [(1, "web-a", "Leaving"), (2, "web-b", "Active")];
        tracker.look(&look(7, &rows, &[record(1, "web-a", "False", "NotCovered")]), SECOND);
        assert!(tracker.take_news()[0].contains("web-a did NOT hand off (NotCovered)"));
        assert_eq!(tracker.unwell().len(), 1);
        tracker.look(&look(7, &rows, &[record(1, "web-a", "False", "NotCovered")]), SECOND);
        assert!(tracker.take_news().is_empty());
        tracker.look(&look(7, &rows, &[record(1, "web-a", "True", "Covered")]), SECOND);
        assert_eq!((tracker.take_news().len(), tracker.unwell().len()), (1, 0));
    }

    #[test]
    fn a_pod_that_nobody_speaks_of_is_not_well_in_the_end() {
        let mut tracker = begun();
        let end = look(8, &[(3, "web-c", "Active")], &[record(1, "web-a", "Unknown", "NoReceipt")]);
        assert_eq!(tracker.look(&end, SECOND), State::Settling);
        assert_eq!(tracker.look(&end, SECOND + LATE), State::Over);
        let unwell = tracker.unwell();
        assert!(unwell[0].contains("nobody knows how pod web-a handed off (NoReceipt)"), "{unwell:?}");
        assert_eq!(unwell[1], "nobody has recorded how pod web-b left");
    }

    #[test]
    fn what_happened_before_or_to_others_is_none_of_this_rollout() {
        let old = record(9, "web-z", "False", "NotCovered");
        let rows = [(1, "web-a", "Active")];
        let mut tracker = Tracker::new(WEB, 8, &look(7, &rows, std::slice::from_ref(&old)));
        let other = record(5, "worker-a", "False", "NotCovered");
        let brief = record(6, "web-y", "True", "NothingToHandOff");
        tracker.look(&look(7, &rows, &[old, other, brief]), SECOND);
        assert_eq!((tracker.handed_off(), tracker.unwell()), (1, vec![]));
        // The list says whose pod it is, whatever its name.
        let mut tracker = begun();
        let mut seen = look(7, &[], &[record(7, "web-api-1", "False", "NotCovered")]);
        seen.list = Some(membership("Deployment/web-api", &[(7, "web-api-1", "Leaving")]));
        tracker.look(&seen, SECOND);
        assert!(tracker.unwell().is_empty());
    }

    #[test]
    fn an_agent_that_started_again_in_its_pod_needs_no_record() {
        let mut tracker = begun();
        let rows = [(1, "web-a", "Gone"), (9, "web-a", "Active"), (2, "web-b", "Active")];
        assert_eq!(tracker.look(&look(8, &rows, &[]), SECOND), State::Over);
        assert!(tracker.unwell().is_empty());
    }

    #[test]
    fn progress_says_what_hinders_it() {
        let tracker = begun();
        let mut seen = look(7, &[], &[]);
        seen.facts.complaint = Some("quota exceeded".into());
        seen.facts.generation = 9;
        let line = tracker.progress(&seen);
        assert!(line.contains("changed again, to generation 9, its controller says: quota exceeded"), "{line}");
        seen.facts.observed = 7;
        assert_eq!(tracker.progress(&seen), "the controller of Deployment/web has not seen the restart yet");
    }
}
