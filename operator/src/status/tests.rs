use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use baton_crds::HandoffGroupStatus;
use baton_crds::membership::MemberPhase::{Active, Gone, Joining, Leaving};
use baton_crds::membership::{MemberRow, ReplicaId};
use baton_crds::status::{HandoffOutcome, LastHandoff};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{Newest, Observation, derive};
use crate::directory::Attendee;
use crate::fixture::{attendee, listing, pod, row, view};
use crate::index::{Agent, GroupView, PodFacts, PodView, Standing};
use crate::membership::StartedEmpty;

struct World {
    view: GroupView,
    attendees: BTreeMap<ReplicaId, Attendee>,
    before: HandoffGroupStatus,
    newest: Newest,
    started_empty: Option<StartedEmpty>,
    now: Timestamp,
}

impl World {
    fn new(pods: &[&str], rows: Vec<MemberRow>, attending: &[u64]) -> Self {
        let pods: Vec<_> = pods.iter().map(|name| pod(name)).collect();
        let mut view = view(&pods);
        let seated = rows.iter().filter(|row| attending.contains(&row.replica.0));
        let attendees =
            seated.map(|row| (row.replica, attendee(0, &row.pod_name, row.phase, Instant::now()))).collect();
        view.listing = Some(Arc::new(listing(1, None, rows)));
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let before = HandoffGroupStatus::default();
        Self { view, attendees, before, newest: Newest::default(), started_empty: None, now }
    }

    /// One member, in order.
    fn of_one() -> Self {
        Self::new(&["a"], vec![row(1, "a", Active)], &[1])
    }

    /// One more pod that the group selects.
    fn select(&mut self, pod: PodFacts) {
        let placed = PodView { facts: Arc::new(pod), ..self.view.pods["a"].clone() };
        self.view.pods.insert(placed.facts.name.clone(), placed);
    }

    fn status(&self) -> HandoffGroupStatus {
        derive(Observation {
            view: &self.view,
            attendees: &self.attendees,
            before: &self.before,
            newest: &self.newest,
            started_empty: self.started_empty.as_ref(),
            now: self.now,
        })
    }

    /// Status and reason of one condition.
    fn condition(&self, kind: &str) -> (String, String) {
        let status = self.status();
        let one = status.conditions.into_iter().find(|one| one.type_ == kind).expect("a condition");
        assert_eq!(one.observed_generation, Some(1));
        assert!(one.message.ends_with('.'), "{}", one.message);
        (one.status, one.reason)
    }

    fn handoff(&mut self, outcome: HandoffOutcome) {
        self.newest.conclude(LastHandoff {
            pod: "a".into(),
            outcome,
            at: Time(self.now),
            keys: 3,
            keys_unacknowledged: 1,
            hold_millis: 5,
            message: "Pod a ended badly.".into(),
        });
    }

    /// The next look, after this long.
    fn pass(&mut self, seconds: i64) {
        self.before = self.status();
        self.now += SignedDuration::from_secs(seconds);
        self.started_empty = None;
    }
}

fn says(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}

#[test]
fn a_group_in_order_says_so() {
    let world = World::new(&["a", "b"], vec![row(1, "a", Active), row(2, "b", Active), row(3, "c", Gone)], &[1, 2]);
    let status = world.status();
    assert_eq!((status.members, status.in_sync, status.draining, status.observed_generation), (2, 2, 0, Some(1)));
    assert_eq!(world.condition("Ready"), says("True", "MembersReady"));
    assert_eq!(world.condition("InSync"), says("True", "AllInSync"));
    assert_eq!(world.condition("Drained"), says("True", "NobodyLeaving"));
    assert_eq!(world.condition("HandoffSafe"), says("True", "SurvivorsAvailable"));
    assert_eq!(world.condition("Degraded"), says("False", "AsExpected"));
}

#[test]
fn a_member_that_was_removed_is_shown_while_its_pod_is_there() {
    let forgotten = MemberRow { forgotten: true, ..row(2, "b", Gone) };
    let world = World::new(&["a", "b"], vec![row(1, "a", Active), forgotten.clone()], &[1]);
    assert_eq!(world.condition("Degraded"), says("True", "MemberForgotten"));
    let world = World::new(&["a"], vec![row(1, "a", Active), forgotten], &[1]);
    assert_eq!(world.condition("Degraded"), says("False", "AsExpected"));
}

#[test]
fn counts_are_the_largest_that_a_member_reports() {
    let mut world = World::new(&["a", "b"], vec![row(1, "a", Active), row(2, "b", Active)], &[1, 2]);
    for (replica, keys) in [(1, 40), (2, 50)] {
        let one = world.attendees.get_mut(&ReplicaId(replica)).expect("an attendee");
        (one.keys, one.bytes) = (keys, keys * 10);
    }
    assert_eq!((world.status().keys, world.status().bytes), (50, 500));
}

#[test]
fn ready_says_what_is_missing_the_worst_first() {
    let mut world = World::new(&[], vec![], &[]);
    assert_eq!(world.condition("Ready"), says("False", "NoPodsSelected"));
    world = World::new(&["a"], vec![row(1, "a", Joining)], &[1]);
    assert_eq!(world.condition("Ready"), says("False", "MembersStarting"));

    let mut bare = pod("b");
    bare.agent = Agent::Absent;
    world.select(bare);
    assert_eq!(world.condition("Ready"), says("False", "AgentNotInjected"));

    world.view.conflicts.insert("c".into(), "older".into());
    assert_eq!(world.condition("Ready"), says("False", "GroupConflict"));

    let mut group = (*world.view.group).clone();
    group.spec.selector.match_labels.clear();
    world.view.group = Arc::new(group);
    assert_eq!(world.condition("Ready"), says("False", "InvalidSelector"));
}

#[test]
fn keepers_count_as_members_and_hold_a_group_of_no_pods() {
    let keeper = |replica, pod| MemberRow { keeper: true, ..row(replica, pod, Active) };
    let kept = || vec![keeper(1, "k-0"), keeper(2, "k-1")];
    let mut world = World::new(&["k-0", "k-1"], kept(), &[1, 2]);
    world.view.pods.values_mut().for_each(|pod| pod.standing = Standing::Keeper);
    assert_eq!((world.status().members, world.status().keepers, world.status().in_sync), (2, 2, 2));
    assert_eq!(world.condition("Ready"), says("True", "KeepersOnly"));
    assert_eq!(world.condition("HandoffSafe"), says("True", "KeepersAvailable"));
    assert_eq!(world.condition("Drained"), says("True", "NobodyLeaving"));

    let starting = [kept(), vec![row(3, "a", Joining)]].concat();
    world = World::new(&["a"], starting, &[1, 2, 3]);
    assert_eq!(world.condition("Ready"), says("False", "MembersStarting"));
    world = World::new(&["a"], [kept(), vec![row(3, "a", Active)]].concat(), &[1, 2, 3]);
    assert_eq!(world.condition("Ready"), says("True", "MembersReady"));
}

#[test]
fn a_pod_that_refuses_an_agent_by_its_own_label_is_not_missed() {
    let mut world = World::of_one();
    let mut bare = pod("b");
    bare.agent = Agent::Absent;
    bare.labels.insert("baton.dev/inject".into(), "disabled".into());
    world.select(bare);
    assert_eq!(world.condition("Ready"), says("True", "MembersReady"));
}

#[test]
fn in_sync_tells_agents_that_lag_from_those_that_are_parted_or_not_heard() {
    let mut world = World::new(&["a", "b"], vec![row(1, "a", Active), row(2, "b", Active)], &[1, 2]);
    world.attendees.get_mut(&ReplicaId(1)).expect("an attendee").in_sync = false;
    assert_eq!(world.condition("InSync"), says("False", "MembersCatchingUp"));
    assert_eq!(world.status().in_sync, 1);
    world.attendees.remove(&ReplicaId(2));
    assert_eq!(world.condition("InSync"), says("False", "MembersUnheard"));
    let mut apart = World::new(&["a", "b"], vec![row(1, "a", Active), row(2, "b", Active)], &[1, 2]);
    assert_eq!(apart.condition("InSync"), says("True", "AllInSync"));
    apart.attendees.get_mut(&ReplicaId(1)).expect("an attendee").says_whom_it_reaches = true;
    assert_eq!(apart.condition("InSync"), says("False", "MembersParted"));
    apart.attendees.get_mut(&ReplicaId(1)).expect("an attendee").reached.insert(ReplicaId(2));
    assert_eq!(apart.condition("InSync"), says("True", "AllInSync"));
    let empty = World::new(&["a"], vec![row(1, "a", Joining)], &[1]);
    assert_eq!(empty.condition("InSync"), says("Unknown", "NoMembers"));
}

#[test]
fn drained_is_false_while_someone_leaves() {
    let world = World::new(&["a", "b"], vec![row(1, "a", Leaving), row(2, "b", Active)], &[1, 2]);
    assert_eq!(world.condition("Drained"), says("False", "MembersLeaving"));
    assert_eq!(world.status().draining, 1);
}

#[test]
fn a_failed_handoff_is_shown_for_a_while_even_if_later_ones_succeed() {
    let mut world = World::of_one();
    world.handoff(HandoffOutcome::Failed);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffFailed"));
    world.pass(60);
    world.handoff(HandoffOutcome::Acknowledged);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffFailed"));
    world.pass(600);
    assert_eq!(world.condition("Degraded"), says("False", "AsExpected"));
}

/// Of two that end at once the one that has failed may be told first.
#[test]
fn a_handoff_that_has_failed_is_shown_although_another_succeeds_before_anybody_looks() {
    let mut world = World::of_one();
    world.handoff(HandoffOutcome::Failed);
    world.handoff(HandoffOutcome::Acknowledged);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffFailed"));
    let status = world.status();
    assert_eq!(status.last_handoff.map(|last| last.outcome), Some(HandoffOutcome::Acknowledged));
    assert_eq!(status.last_unsuccessful_handoff.map(|last| last.outcome), Some(HandoffOutcome::Failed));
}

#[test]
fn a_second_failure_is_shown_for_as_long_as_the_first() {
    let mut world = World::of_one();
    world.handoff(HandoffOutcome::Failed);
    world.pass(540);
    world.handoff(HandoffOutcome::Failed);
    world.pass(1);
    world.handoff(HandoffOutcome::Acknowledged);
    world.pass(590);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffFailed"));
    world.pass(9);
    assert_eq!(world.condition("Degraded"), says("False", "AsExpected"));
}

#[test]
fn an_operator_that_has_just_started_goes_on_showing_what_its_predecessor_showed() {
    let mut world = World::of_one();
    world.handoff(HandoffOutcome::Failed);
    world.handoff(HandoffOutcome::Acknowledged);
    let said = world.status();
    world.newest = Newest::default();
    world.newest.take(&said);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffFailed"));
    // What is newer here was not written yet.
    world.now += SignedDuration::from_secs(1);
    world.handoff(HandoffOutcome::Unknown);
    world.newest.take(&said);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffUnknown"));
}

#[test]
fn a_handoff_of_unknown_end_is_no_success() {
    let mut world = World::of_one();
    world.handoff(HandoffOutcome::Unknown);
    assert_eq!(world.condition("Degraded"), says("True", "HandoffUnknown"));
}

#[test]
fn an_empty_start_is_shown_until_the_lost_members_are_heard_or_have_ended() {
    let rows = vec![row(1, "a", Active), row(2, "b", Active)];
    let mut world = World::new(&["a", "b"], rows.clone(), &[2]);
    world.started_empty = Some(StartedEmpty { pod: "b".into(), unreachable: vec!["a".into()] });
    assert_eq!(world.condition("Degraded"), says("True", "StateUnreachable"));
    world.pass(3_600);
    assert_eq!(world.condition("Degraded"), says("True", "StateUnreachable"));
    let before = world.status();
    let mut back = World::new(&["a", "b"], rows, &[1, 2]);
    back.before = before;
    assert_eq!(back.condition("Degraded"), says("False", "AsExpected"));
}

#[test]
fn a_list_that_passes_the_greatest_size_is_shown_with_those_who_are_gone() {
    let gone = |count: u64| (2..count).map(|replica| row(replica, &format!("a-pod-{replica}"), Gone));
    let mut world = World::of_one();
    let mut listed = |count| {
        let rows = [row(1, "a", Active)].into_iter().chain(gone(count)).collect();
        world.view.listing = Some(Arc::new(listing(1, None, rows)));
        world.condition("Degraded")
    };
    assert_eq!(listed(1_000), says("False", "AsExpected"));
    assert_eq!(listed(3_000), says("True", "ListTooLarge"));
}

#[test]
fn a_transition_is_dated_when_the_status_changes_and_not_before() {
    let mut world = World::of_one();
    let first = world.now;
    world.pass(60);
    assert!(world.status().conditions.iter().all(|one| one.last_transition_time.0 == first));
    world.view.listing = Some(Arc::new(listing(2, None, vec![row(1, "a", Leaving)])));
    let drained = world.status().conditions.into_iter().find(|one| one.type_ == "Drained").expect("a condition");
    assert_eq!(drained.last_transition_time.0, world.now);
}
