//! The Handoff objects of one group: written when a departure is concluded, deleted when they are old or too many.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use baton_crds::handoff::{Handoff, HandoffStatus};
use baton_crds::label;
use baton_telemetry::Repeat;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;

use super::record::ACKNOWLEDGED;
use crate::api::{ApiError, ApiServer};
use crate::index::GroupFacts;

/// How many records of one group are kept at most: what a rollout of a large group leaves.
const RECORDS: usize = 256;

/// How many records wait for the API server at most. The oldest is dropped: its departure was an event too.
const PENDING: usize = 1_024;

/// How many objects are written or deleted in one turn, so that a swarm of departures does not keep a status waiting.
const TURN: usize = 16;

/// How often old records are looked for.
const SWEEP: Duration = Duration::from_secs(300);

/// How long after a failure the next attempt is made.
const RETRY: Duration = Duration::from_secs(2);

/// The manager of all fields.
const FIELD_MANAGER: &str = "baton-operator";

/// The records of one group.
#[derive(Debug, Default)]
pub struct Archive {
    pending: VecDeque<Handoff>,
    /// What the API server has, by name; none before it was asked.
    shelf: Option<BTreeMap<String, Kept>>,
    swept: Option<Instant>,
    failures: Repeat,
}

/// What is remembered of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    at: Timestamp,
    acknowledged: bool,
}

// === impl Archive ===

impl Archive {
    /// Adds the record of a departure. A later one of the same departure takes its place.
    pub fn add(&mut self, record: Handoff) {
        self.pending.retain(|one| one.metadata.name != record.metadata.name);
        if self.pending.len() == PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(record);
    }

    /// Writes what is pending and deletes what is surplus, a bounded number at once; answers when to come again.
    pub async fn keep(&mut self, api: &ApiServer, group: &GroupFacts, now: Instant, wall: Timestamp) -> Duration {
        let swept = *self.swept.get_or_insert_with(|| now.checked_sub(head_start(&group.uid)).unwrap_or(now));
        let wait = SWEEP.saturating_sub(now.saturating_duration_since(swept));
        if (self.pending.is_empty() && !wait.is_zero()) || group.deleting {
            return wait;
        }
        match self.turn(api, group, wall).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => {
                self.failures.worked();
                self.swept = Some(now);
                SWEEP
            }
            Err(error) => {
                let news = error.is_news().then(|| self.failures.failed(&error.to_string(), Instant::now()));
                if let Some(count) = news.flatten() {
                    tracing::warn!(group = %group.key, error = %error, count, "The records of handoffs cannot be kept");
                }
                RETRY
            }
        }
    }

    /// Others may write from now on: what the API server has is not known any more.
    pub fn put_away(&mut self) {
        (self.shelf, self.swept) = (None, None);
    }

    /// Whether records wait to be written.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The names of all records that there are. What is pending and was written by another is dropped.
    pub async fn names(&mut self, api: &ApiServer, group: &GroupFacts) -> Result<BTreeSet<String>, ApiError> {
        let records: Api<Handoff> = Api::namespaced(api.client(), &group.key.namespace);
        let shelf = self.shelf.insert(list(api, &records, group).await?);
        let is_new = |record: &Handoff| record.metadata.name.as_ref().is_none_or(|name| !shelf.contains_key(name));
        self.pending.retain(is_new);
        Ok(shelf.keys().cloned().collect())
    }

    /// One bounded step; says whether there is more to do.
    async fn turn(&mut self, api: &ApiServer, group: &GroupFacts, wall: Timestamp) -> Result<bool, ApiError> {
        let records: Api<Handoff> = Api::namespaced(api.client(), &group.key.namespace);
        let shelf = match &mut self.shelf {
            Some(shelf) => shelf,
            none => none.insert(list(api, &records, group).await?),
        };
        for _ in 0..TURN {
            let Some(record) = self.pending.front() else { break };
            let name = record.metadata.name.clone().unwrap_or_default();
            write(api, &records, &name, record).await?;
            shelf.insert(name, Kept::of(record));
            self.pending.pop_front();
        }
        let surplus = surplus(shelf, group.spec.handoff.keep_records.get(), wall);
        for name in surplus.iter().take(TURN) {
            match api.write(records.delete(name, &DeleteParams::default())).await {
                Err(error) if !error.is_not_found() => return Err(error),
                Ok(_) | Err(_) => shelf.remove(name),
            };
        }
        Ok(!self.pending.is_empty() || surplus.len() > TURN)
    }
}

// === impl Kept ===

impl Kept {
    fn of(record: &Handoff) -> Self {
        let acknowledged = |status: &HandoffStatus| {
            status.conditions.iter().any(|one| one.type_ == ACKNOWLEDGED && one.status == "True")
        };
        let made = record.metadata.creation_timestamp.as_ref();
        Self {
            at: record.status.as_ref().map(|status| &status.at).or(made).map_or(Timestamp::MIN, |time| time.0),
            acknowledged: record.status.as_ref().is_some_and(acknowledged),
        }
    }
}

/// What is too old, and what is too much: first what went well, the oldest first.
fn surplus(shelf: &BTreeMap<String, Kept>, keep: Duration, now: Timestamp) -> Vec<String> {
    let old = |kept: &Kept| now.duration_since(kept.at).unsigned_abs() >= keep && kept.at < now;
    let (expired, mut rest): (Vec<_>, Vec<_>) = shelf.iter().partition(|(_, kept)| old(kept));
    rest.sort_by_key(|(_, kept)| (!kept.acknowledged, kept.at));
    let too_many = rest.len().saturating_sub(RECORDS);
    expired.into_iter().chain(rest.into_iter().take(too_many)).map(|(name, _)| name.clone()).collect()
}

/// Groups that are taken care of from one moment on do not ask the API server in one moment.
fn head_start(uid: &str) -> Duration {
    let spread: u64 = uid.bytes().map(u64::from).sum();
    Duration::from_secs(spread % SWEEP.as_secs())
}

async fn list(api: &ApiServer, records: &Api<Handoff>, group: &GroupFacts) -> Result<BTreeMap<String, Kept>, ApiError> {
    let params =
        ListParams::default().labels(&format!("{}={}", label::GROUP, group.key.name)).limit(4 * RECORDS as u32);
    let listed = api.call(records.list(&params)).await?;
    let kept = |record: Handoff| Some((record.metadata.name.clone()?, Kept::of(&record)));
    Ok(listed.items.into_iter().filter_map(kept).collect())
}

/// Writes the object and then its status. Both are the whole truth, so that a later record of a departure overwrites an
/// earlier one.
async fn write(api: &ApiServer, records: &Api<Handoff>, name: &str, record: &Handoff) -> Result<(), ApiError> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let types = json!({ "apiVersion": Handoff::api_version(&()), "kind": Handoff::kind(&()) });
    let mut object = types.clone();
    object["metadata"] = json!({
        "name": name,
        "labels": record.metadata.labels,
        "ownerReferences": record.metadata.owner_references,
    });
    object["spec"] = json!(record.spec);
    api.write(records.patch(name, &params, &Patch::Apply(object))).await?;
    let mut status = types;
    status["metadata"] = json!({ "name": name });
    status["status"] = json!(record.status);
    api.write(records.patch_status(name, &params, &Patch::Apply(status))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use baton_crds::handoff::DepartureReason;
    use baton_crds::status::HandoffOutcome::{Acknowledged, Failed};
    use k8s_openapi::jiff::SignedDuration;

    use super::*;
    use crate::fixture::{Requests, group, receipt};
    use crate::handoff::{Receipt, Stage, record};

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time")
    }

    fn kept(minutes_ago: i64, acknowledged: bool) -> Kept {
        Kept { at: now() - SignedDuration::from_mins(minutes_ago), acknowledged }
    }

    fn record_of(receipt: &Receipt) -> Handoff {
        record(&group("web", 0), None, receipt, DepartureReason::PodDeleted, now())
    }

    #[test]
    fn what_is_old_is_surplus() {
        let shelf = [("old", kept(24 * 60, true)), ("older", kept(48 * 60, false)), ("new", kept(60, true))];
        let shelf = shelf.map(|(name, kept)| (name.to_owned(), kept)).into();
        assert_eq!(surplus(&shelf, DAY, now()), ["old", "older"]);
        assert_eq!(surplus(&shelf, DAY * 30, now()), Vec::<String>::new());
    }

    #[test]
    fn of_too_many_those_that_went_well_go_first() {
        let mut shelf: BTreeMap<String, Kept> =
            (0..RECORDS).map(|n| (format!("bad-{n}"), kept(n as i64, false))).collect();
        shelf.insert("good-new".into(), kept(0, true));
        shelf.insert("good-old".into(), kept(500, true));
        assert_eq!(surplus(&shelf, DAY, now()), ["good-old", "good-new"]);
        shelf.insert("bad-oldest".into(), kept(600, false));
        assert_eq!(surplus(&shelf, DAY, now()), ["good-old", "good-new", "bad-oldest"]);
    }

    #[tokio::test]
    async fn a_record_is_written_with_its_status_and_replaced_by_a_later_one() {
        let (api, requests) = Requests::answer(|_, _| (200, json!({"metadata": {}, "items": []})));
        let mut archive = Archive::default();
        archive.add(record_of(&receipt(1, Stage::Hook, Failed)));
        archive.add(record_of(&receipt(1, Stage::Sealed, Acknowledged)));
        let _ = archive.keep(&api, &group("web", 0), Instant::now(), now()).await;
        let seen = requests.take();
        let what: Vec<_> =
            seen.iter().map(|one| (one.method.as_str(), one.path.rsplit('/').next().unwrap_or(""))).collect();
        assert_eq!(what[1..], [("PATCH", "a-0000000000000001"), ("PATCH", "status")]);
        assert!(what[0].0 == "GET" && seen[0].query.contains("labelSelector"), "{seen:?}");
        assert_eq!(seen[1].body["spec"]["podName"], "a");
        assert_eq!(seen[2].body["status"]["conditions"][0]["status"], "True");
        assert_eq!(seen.len(), 3);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_written_is_tried_again() {
        let refuse =
            || (500, json!({"kind": "Status", "status": "Failure", "message": "no", "reason": "no", "code": 500}));
        let (api, requests) = Requests::answer(move |method, _| match method {
            "GET" => (200, json!({"metadata": {}, "items": []})),
            _ => refuse(),
        });
        let mut archive = Archive::default();
        archive.add(record_of(&receipt(1, Stage::Sealed, Failed)));
        for _ in 0..2 {
            assert_eq!(archive.keep(&api, &group("web", 0), Instant::now(), now()).await, RETRY);
        }
        let patches = requests.take().into_iter().filter(|one| one.method == "PATCH").count();
        assert_eq!((patches, archive.pending.len()), (2, 1));
    }

    #[tokio::test]
    async fn old_records_of_an_earlier_operator_are_deleted_in_time() {
        let old = Handoff {
            status: record_of(&receipt(1, Stage::Sealed, Failed)).status,
            ..record_of(&receipt(1, Stage::Sealed, Failed))
        };
        let listed = json!({"metadata": {}, "items": [old]});
        let (api, requests) = Requests::answer(move |_, _| (200, listed.clone()));
        let (mut archive, start) = (Archive::default(), Instant::now());
        let later = now() + SignedDuration::from_hours(25);
        let wait = archive.keep(&api, &group("web", 0), start, later).await;
        assert!(wait <= SWEEP && requests.take().is_empty(), "not all groups at once");
        let _ = archive.keep(&api, &group("web", 0), start + SWEEP, later).await;
        let seen = requests.take();
        assert_eq!(seen.iter().map(|one| one.method.as_str()).collect::<Vec<_>>(), ["GET", "DELETE"]);
    }
}
