use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_crds::membership::{Followed, MemberPhase, MemberRow, ReplicaId};
use baton_replica::settle_round;

use super::{Decision, Draft, PodCheck, PodRef, Situation, Unreached, Verdict, decide};
use crate::directory::{Attendee, Settled};
use crate::fixture::{attendee, known, listing, pod, row, view};
use crate::index::{Agent, GroupView, Life, PodFacts, Standing};
use MemberPhase::{Active, Gone, Joining, Leaving};

/// One group in one situation; each test changes what it is about.
struct World {
    view: GroupView,
    attendees: BTreeMap<ReplicaId, Attendee>,
    verdicts: BTreeMap<String, Verdict>,
    silence: Option<Instant>,
    unreached: Unreached,
    now: Instant,
}

impl World {
    fn new(pods: &[PodFacts]) -> Self {
        let (attendees, verdicts) = Default::default();
        Self { view: view(pods), attendees, verdicts, silence: None, unreached: Unreached::new(), now: Instant::now() }
    }

    fn listed(mut self, number: u64, first: Option<u64>, rows: Vec<MemberRow>) -> Self {
        self.view.listing = Some(Arc::new(listing(number, first, rows)));
        self
    }

    fn attended(mut self, agents: &[(u64, &str, MemberPhase)]) -> Self {
        for (arrival, (replica, pod, phase)) in agents.iter().enumerate() {
            self.attendees.insert(ReplicaId(*replica), attendee(arrival as u64, pod, *phase, self.now));
        }
        self
    }

    fn agent(&mut self, replica: u64) -> &mut Attendee {
        self.attendees.get_mut(&ReplicaId(replica)).expect("an attendee")
    }

    fn decide(&self) -> Decision {
        decide(Situation {
            view: &self.view,
            attendees: &self.attendees,
            verdicts: &self.verdicts,
            silence: self.silence,
            unreached: &self.unreached,
            now: self.now,
        })
    }

    fn draft(&self) -> Draft {
        self.decide().draft.expect("a draft")
    }
}

fn phases(draft: &Draft) -> Vec<(u64, MemberPhase)> {
    draft.members.iter().map(|row| (row.replica.0, row.phase)).collect()
}

#[test]
fn a_group_without_agents_has_no_list() {
    assert_eq!(World::new(&[pod("a")]).decide().draft, None);
}

#[test]
fn a_first_hello_makes_a_member_and_grants_the_first_one() {
    let world = World::new(&[pod("a"), pod("b")]).attended(&[(1, "a", Joining), (2, "b", Joining)]);
    let draft = world.draft();
    assert_eq!((draft.number, draft.first), (1, Some(ReplicaId(1))));
    assert_eq!(draft.members, [row(1, "a", Joining), row(2, "b", Joining)]);
    assert_eq!(draft.started_empty, None);
}

#[test]
fn what_is_written_already_is_not_written_again() {
    let world = World::new(&[pod("a")]).listed(4, Some(1), vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    let nothing =
        Decision { draft: None, merged: true, ask: vec![], silence: None, unreached: Unreached::new(), again_in: None };
    assert_eq!(world.decide(), nothing);
}

#[test]
fn many_changes_are_one_version() {
    let mut leaving = pod("a");
    leaving.life = Life::Terminating { grace_seconds: 27 };
    let world = World::new(&[leaving, pod("b"), pod("c")])
        .listed(4, Some(1), vec![row(1, "a", Active), row(2, "b", Joining)])
        .attended(&[(1, "a", Active), (2, "b", Active), (3, "c", Joining)]);
    let draft = world.draft();
    assert_eq!(draft.number, 5);
    assert_eq!(phases(&draft), [(1, Leaving), (2, Active), (3, Joining)]);
    assert_eq!(draft.members[0].grace_seconds, 27);
    assert!(draft.members[1].held_state);
}

#[test]
fn phases_never_go_back() {
    let world = World::new(&[pod("a")]).listed(4, Some(1), vec![row(1, "a", Leaving)]).attended(&[(1, "a", Active)]);
    assert_eq!(world.decide().draft, None);
    let world = World::new(&[pod("a")]).listed(4, None, vec![row(1, "a", Gone)]).attended(&[(1, "a", Active)]);
    assert_eq!(world.decide().draft, None);
}

#[test]
fn a_new_agent_in_the_same_pod_is_a_new_row_and_ends_the_old_one() {
    let world = World::new(&[pod("a"), pod("b")])
        .listed(4, Some(1), vec![row(1, "a", Active), row(2, "b", Active)])
        .attended(&[(2, "b", Active), (3, "a", Joining)]);
    let draft = world.draft();
    assert_eq!(phases(&draft), [(1, Gone), (2, Active), (3, Joining)]);
    assert_eq!(draft.first, None);
}

#[test]
fn a_lingering_stream_of_the_old_agent_does_not_end_the_new_one() {
    let world = World::new(&[pod("a")])
        .listed(4, None, vec![row(1, "a", Active), row(3, "a", Joining)])
        .attended(&[(1, "a", Active), (3, "a", Joining)]);
    assert_eq!(phases(&world.draft()), [(1, Gone), (3, Joining)]);
}

#[test]
fn absence_from_the_cache_is_no_proof() {
    let world = World::new(&[pod("b")])
        .listed(4, None, vec![row(1, "a", Leaving), row(2, "b", Active)])
        .attended(&[(2, "b", Active)]);
    let decision = world.decide();
    assert_eq!(decision.draft, None);
    assert_eq!(decision.ask, [PodRef { name: "a".into(), uid: "uid-a".into() }]);
}

#[test]
fn a_live_read_that_finds_the_pod_keeps_the_member() {
    let mut world = World::new(&[]).listed(4, None, vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    world.verdicts.insert("uid-a".into(), Verdict::Running);
    assert_eq!(world.decide().draft, None);
    world.verdicts.insert("uid-a".into(), Verdict::Terminating { grace_seconds: 9 });
    let draft = world.draft();
    assert_eq!((draft.members[0].phase, draft.members[0].grace_seconds), (Leaving, 9));
}

#[test]
fn proof_of_the_pods_end_removes_the_member() {
    let mut finished = pod("b");
    finished.life = Life::Finished;
    let mut world = World::new(&[finished, pod("c")])
        .listed(4, None, vec![row(1, "a", Leaving), row(2, "b", Leaving), row(3, "c", Active)])
        .attended(&[(3, "c", Active)]);
    assert_eq!(world.decide().ask.len(), 2);
    for uid in ["uid-a", "uid-b"] {
        world.verdicts.insert(uid.into(), Verdict::Ended);
    }
    let decision = world.decide();
    assert_eq!(phases(&decision.draft.expect("a draft")), [(1, Gone), (2, Gone), (3, Active)]);
    assert_eq!(decision.ask, []);
}

#[test]
fn a_pod_of_the_same_name_with_another_uid_is_another_pod() {
    let mut other = pod("a");
    other.uid = "uid-new".into();
    let world = World::new(&[other]).listed(4, None, vec![row(1, "a", Active)]);
    assert_eq!(world.decide().ask, [PodRef { name: "a".into(), uid: "uid-a".into() }]);
}

#[test]
fn a_pod_relabelled_out_of_its_group_leaves_and_keeps_running() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(4, None, vec![row(1, "a", Active), row(2, "b", Active)])
        .attended(&[(1, "a", Active), (2, "b", Active)]);
    world.view.pods.get_mut("a").expect("a pod").standing = Standing::Stray;
    assert_eq!(phases(&world.draft()), [(1, Leaving), (2, Active)]);
}

#[test]
fn a_rollback_raises_the_revision_of_members() {
    let mut world = World::new(&[pod("a")]).listed(4, None, vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    world.view.pods.get_mut("a").expect("a pod").revision = 7;
    assert_eq!(world.draft().members[0].revision, 7);
}

#[test]
fn nobody_starts_empty_while_a_member_with_state_is_there() {
    for phase in [Active, Leaving] {
        let world = World::new(&[pod("a"), pod("b")])
            .listed(4, None, vec![row(1, "a", phase), row(2, "b", Joining)])
            .attended(&[(1, "a", phase), (2, "b", Joining)]);
        let decision = world.decide();
        assert_eq!((decision.draft, decision.silence), (None, None), "{phase:?}");
    }
}

#[test]
fn a_grant_is_void_when_its_replica_is_gone_and_goes_to_another_pod() {
    let world = World::new(&[pod("a"), pod("b")])
        .listed(4, Some(1), vec![row(1, "a", Joining), row(2, "b", Joining)])
        .attended(&[(2, "b", Joining), (3, "a", Joining)]);
    let draft = world.draft();
    assert_eq!(phases(&draft), [(1, Gone), (2, Joining), (3, Joining)]);
    assert_eq!(draft.first, Some(ReplicaId(2)));

    let alone = World::new(&[pod("a")]).listed(4, Some(1), vec![row(1, "a", Joining)]).attended(&[(3, "a", Joining)]);
    assert_eq!(alone.draft().first, Some(ReplicaId(3)));
}

#[test]
fn a_grantee_counts_as_holder_until_it_is_gone() {
    let world = World::new(&[pod("a"), pod("b")])
        .listed(4, Some(1), vec![row(1, "a", Joining), row(2, "b", Joining)])
        .attended(&[(1, "a", Joining), (2, "b", Joining)]);
    assert_eq!(world.decide().draft, None);
}

#[test]
fn when_all_that_held_state_are_gone_the_next_starts_empty_without_alarm() {
    let mut world = World::new(&[pod("b")])
        .listed(4, Some(1), vec![row(1, "a", Leaving), row(2, "b", Joining)])
        .attended(&[(2, "b", Joining)]);
    world.verdicts.insert("uid-a".into(), Verdict::Ended);
    let draft = world.draft();
    assert_eq!((draft.first, draft.started_empty), (Some(ReplicaId(2)), None));
}

#[test]
fn a_leaving_pod_is_not_granted() {
    let mut leaving = pod("a");
    leaving.life = Life::Terminating { grace_seconds: 30 };
    let world = World::new(&[leaving]).attended(&[(1, "a", Joining)]);
    let draft = world.draft();
    assert_eq!((phases(&draft), draft.first), (vec![(1, Leaving)], None));
}

#[test]
fn unreachable_holders_are_waited_for_before_someone_starts_empty() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(4, None, vec![row(1, "a", Active), row(2, "b", Joining)])
        .attended(&[(2, "b", Joining)]);
    let decision = world.decide();
    assert_eq!((decision.draft, decision.silence), (None, Some(world.now)));
    assert_eq!(decision.again_in, Some(Duration::from_secs(60)));

    world.silence = decision.silence;
    world.now += Duration::from_secs(59);
    assert_eq!(world.decide().draft, None);
    world.now += Duration::from_secs(1);
    let draft = world.draft();
    assert_eq!(draft.first, Some(ReplicaId(2)));
    let started_empty = draft.started_empty.expect("an alarm");
    assert_eq!((started_empty.pod.as_str(), started_empty.unreachable), ("b", vec!["a".to_owned()]));
    assert_eq!(phases(&World { ..world }.draft()), [(1, Active), (2, Joining)]);
}

#[test]
fn a_holder_that_a_joining_agent_reaches_is_reachable() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(4, None, vec![row(1, "a", Active), row(2, "b", Joining)])
        .attended(&[(2, "b", Joining)]);
    world.silence = Some(world.now);
    world.now += Duration::from_secs(600);
    world.agent(2).reached = [ReplicaId(1)].into();
    let decision = world.decide();
    assert_eq!((decision.draft, decision.silence), (None, None));
}

#[test]
fn an_agent_that_has_just_come_gets_time_to_find_holders() {
    let mut world = World::new(&[pod("a"), pod("b")]).listed(4, None, vec![row(1, "a", Active), row(2, "b", Joining)]);
    world.silence = Some(world.now);
    world.now += Duration::from_secs(600);
    let world = world.attended(&[(2, "b", Joining)]);
    let decision = world.decide();
    assert_eq!((decision.draft, decision.again_in), (None, Some(Duration::from_secs(10))));
}

#[test]
fn agents_that_run_are_registered_as_they_are_when_the_list_was_deleted() {
    let rows = vec![row(1, "a", Active), row(2, "b", Leaving), row(9, "z", Gone)];
    let mut world =
        World::new(&[pod("a"), pod("b"), pod("c")]).attended(&[(1, "a", Active), (2, "b", Leaving), (3, "c", Joining)]);
    world.agent(1).known = known("deleted", 41, rows.clone());
    world.agent(2).known = known("deleted", 40, rows);
    let draft = world.draft();
    assert_eq!(draft.number, 42);
    assert_eq!(phases(&draft), [(1, Active), (2, Leaving), (9, Gone), (3, Joining)]);
    assert_eq!(draft.first, None);
}

/// Who comes first takes over what retired replicas have added to counters: there must not be two such.
#[test]
fn a_newcomer_heard_before_those_of_the_list_that_was_deleted_is_not_the_oldest() {
    let mut world = World::new(&[pod("a"), pod("b"), pod("c")]).attended(&[(3, "c", Joining)]);
    let draft = world.draft();
    assert_eq!(phases(&draft), [(3, Joining)]);
    world = world.attended(&[(1, "a", Active), (2, "b", Active), (3, "c", Joining)]).listed(1, None, draft.members);
    for agent in [1, 2] {
        world.agent(agent).known = known("deleted", 41, vec![row(1, "a", Active), row(2, "b", Active)]);
    }
    let draft = world.draft();
    assert_eq!(phases(&draft), [(1, Active), (2, Active), (3, Joining)]);
}

/// An agent that missed that somebody was retired goes straight to the list of the object made anew, and has to be told.
#[test]
fn a_list_says_which_lists_of_the_object_that_was_deleted_it_comes_after() {
    let followed = |uid: &str, number| Followed { uid: uid.into(), number };
    let rows = vec![row(1, "a", Active), row(2, "b", Active)];
    let mut world = World::new(&[pod("a"), pod("b")]).attended(&[(1, "a", Active), (2, "b", Active)]);
    world.agent(2).known = known("deleted", 40, vec![row(9, "z", Gone), row(1, "a", Active), row(2, "b", Active)]);
    assert_eq!(world.draft().follows, [followed("deleted", 40)]);
    world.agent(1).known = known("deleted", 41, rows.clone());
    assert_eq!(world.draft().follows, [followed("deleted", 41)]);

    // An operator that remembers needs nobody to say it, and what that one came after comes with it.
    let mut remembered = listing(42, None, rows.clone());
    (remembered.uid, remembered.spec.follows) = ("deleted".into(), vec![followed("before", 7)]);
    world.view.remembered = Some(Arc::new(remembered));
    assert_eq!(world.draft().follows, [followed("before", 7), followed("deleted", 42)]);

    // It is said once, and stays.
    let draft = world.draft();
    world = world.listed(draft.number, None, draft.members);
    world.view.listing = world.view.listing.map(|listing| {
        let mut listing = (*listing).clone();
        listing.spec.follows = draft.follows;
        Arc::new(listing)
    });
    assert_eq!(world.decide().draft, None);
}

#[test]
fn a_list_comes_after_none_of_which_not_all_is_in_it() {
    let mut world = World::new(&[pod("a"), pod("b")]).attended(&[(1, "a", Active), (2, "b", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active)]);
    assert_eq!(world.draft().follows, [], "only its own row was kept");
    world.agent(2).known = known("another", 50, vec![row(1, "a", Active), row(2, "b", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active), row(9, "z", Active)]);
    let draft = world.draft();
    assert_eq!(draft.follows.iter().map(|list| list.uid.as_str()).collect::<Vec<_>>(), ["another"]);
    assert!(draft.members.iter().all(|row| row.replica != ReplicaId(9)));
}

/// Its writes would come back where what had superseded them is forgotten.
#[test]
fn who_was_retired_before_the_list_was_deleted_is_not_listed_again_by_who_missed_it() {
    let mut world = World::new(&[pod("a"), pod("b")]).attended(&[(1, "a", Active), (2, "b", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active), row(2, "b", Active)]);
    world.agent(2).known = known("deleted", 40, vec![row(9, "z", Gone), row(1, "a", Active), row(2, "b", Active)]);
    assert_eq!(phases(&world.draft()), [(1, Active), (2, Active)]);
    world = world.listed(42, None, vec![row(1, "a", Active), row(2, "b", Active)]);
    assert_eq!(world.decide().draft, None);
}

#[test]
fn the_operators_own_memory_outlives_the_object() {
    let mut world = World::new(&[pod("a"), pod("b")]).attended(&[(2, "b", Joining)]);
    world.view.remembered = Some(Arc::new(listing(17, Some(1), vec![row(1, "a", Active)])));
    let draft = world.draft();
    assert_eq!((draft.number, draft.first), (18, Some(ReplicaId(1))));
    assert_eq!(phases(&draft), [(1, Active), (2, Joining)]);
}

#[test]
fn a_pod_with_a_started_agent_that_nobody_has_heard_may_hold_state() {
    let mut started = pod("a");
    started.agent = Agent::Present { started: true, termination: None };
    let mut world = World::new(&[started, pod("b")]).attended(&[(2, "b", Joining)]);
    let draft = world.draft();
    assert_eq!((phases(&draft), draft.first), (vec![(2, Joining)], None));

    world = world.listed(1, None, vec![row(2, "b", Joining)]);
    world.silence = Some(world.now);
    world.now += Duration::from_secs(60);
    assert_eq!(world.draft().started_empty.expect("an alarm").unreachable, ["a"]);
}

/// It may be the only one that has a write of whom the others have settled among themselves.
#[test]
fn nobody_is_dropped_while_a_started_agent_has_not_been_heard() {
    let rows = vec![row(1, "a", Active), row(3, "c", Gone)];
    let ids = [(1, baton_replica::MemberPhase::Active), (3, baton_replica::MemberPhase::Gone)];
    let round = settle_round("list", ids.map(|(id, phase)| (baton_replica::ReplicaId::new(id).expect("an id"), phase)));
    let mut started = pod("b");
    started.agent = Agent::Present { started: true, termination: None };
    let mut world = World::new(&[pod("a"), started]).listed(2, None, rows).attended(&[(1, "a", Active)]);
    world.agent(1).settled = Settled { round, replicas: BTreeSet::from([ReplicaId(3)]) };
    assert_eq!(world.decide().draft, None);

    world.view.pods.remove("b");
    assert_eq!(phases(&world.draft()), [(1, Active)]);
}

#[test]
fn an_object_restored_from_a_backup_is_overtaken() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(4, None, vec![row(1, "a", Joining)])
        .attended(&[(1, "a", Active), (2, "b", Active)]);
    world.agent(1).known = known("list", 30, vec![row(1, "a", Active), row(2, "b", Active), row(7, "y", Gone)]);
    let draft = world.draft();
    assert_eq!((draft.number, phases(&draft)), (31, vec![(1, Active), (2, Active), (7, Gone)]));
}

#[test]
fn what_an_agent_knows_of_an_earlier_version_is_no_news() {
    let mut world = World::new(&[pod("a")]).listed(30, None, vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    world.agent(1).known = known("list", 4, vec![row(1, "a", Joining), row(5, "x", Active)]);
    assert_eq!(world.decide().draft, None);
}

#[test]
fn an_id_that_was_removed_never_comes_back() {
    let mut world =
        World::new(&[pod("a"), pod("b")]).listed(30, None, vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    world = world.attended(&[(1, "a", Active), (2, "b", Active)]);
    world.agent(2).known = known("list", 12, vec![row(1, "a", Active), row(2, "b", Active)]);
    assert_eq!(world.decide().draft, None, "the list named it once, and does not any more");
    world.agent(2).known = known("another", 12, vec![row(2, "b", Active)]);
    assert_eq!(phases(&world.draft()), [(1, Active), (2, Active)], "a list of another object fences nobody");
}

#[test]
fn a_list_of_a_group_made_anew_is_taken_over() {
    let mut world = World::new(&[pod("a")]).listed(4, None, vec![row(1, "a", Active)]).attended(&[(1, "a", Active)]);
    let mut orphan = listing(4, None, vec![row(1, "a", Active)]);
    orphan.owner = Some("an earlier group".into());
    world.view.listing = Some(Arc::new(orphan));
    assert_eq!(world.draft().number, 5);
}

#[test]
fn nothing_is_written_for_a_group_that_is_being_deleted() {
    let mut world = World::new(&[pod("a")]).attended(&[(1, "a", Joining)]);
    let mut group = (*world.view.group).clone();
    group.deleting = true;
    world.view.group = Arc::new(group);
    assert_eq!(world.decide().draft, None);
}

#[test]
fn fields_of_a_newer_release_stay_in_rows_that_change() {
    let mut newer = row(1, "a", Joining);
    newer.unknown.insert("settled".into(), serde_json::json!({"0": 17}));
    let world = World::new(&[pod("a")]).listed(4, Some(1), vec![newer.clone()]).attended(&[(1, "a", Active)]);
    let draft = world.draft();
    assert_eq!((draft.members[0].phase, &draft.members[0].unknown), (Active, &newer.unknown));
}

#[test]
fn pods_are_read_again_after_a_second_and_forgotten_when_nobody_asks() {
    let now = Instant::now();
    let ask = [PodRef { name: "a".into(), uid: "uid-a".into() }];
    let mut check = PodCheck::default();
    assert_eq!(check.due(&ask, now), ask);
    check.note(&ask[0], Some(Verdict::Running), now);
    assert_eq!(check.due(&ask, now), []);
    assert_eq!(check.again_in(now), Some(Duration::from_secs(1)));
    assert_eq!(check.due(&ask, now + Duration::from_secs(1)), ask);
    assert_eq!(check.due(&[], now), []);
    assert!(check.verdicts().is_empty());
}

#[test]
fn only_not_found_another_uid_and_a_terminal_phase_are_proof() {
    let pod = |json| serde_json::from_value(json).expect("a pod");
    let meta = serde_json::json!({"name": "a", "uid": "u"});
    let running = pod(serde_json::json!({"metadata": meta, "status": {"phase": "Running"}}));
    let failed = pod(serde_json::json!({"metadata": meta, "status": {"phase": "Failed"}}));
    let leaving = pod(serde_json::json!({"metadata": {"name": "a", "uid": "u",
        "deletionTimestamp": "2026-11-20T10:00:00Z", "deletionGracePeriodSeconds": 27}}));
    assert_eq!(Verdict::of("u", None), Verdict::Ended);
    assert_eq!(Verdict::of("other", Some(&running)), Verdict::Ended);
    assert_eq!(Verdict::of("u", Some(&failed)), Verdict::Ended);
    assert_eq!(Verdict::of("u", Some(&running)), Verdict::Running);
    assert_eq!(Verdict::of("u", Some(&leaving)), Verdict::Terminating { grace_seconds: 27 });
}

/// The agent 2 in pod `b` was removed because nobody reached it; agent 3 ended in order and is settled by 1.
fn with_a_forgotten_member() -> World {
    let forgotten = MemberRow { forgotten: true, ..row(2, "b", Gone) };
    World::new(&[pod("a"), pod("b")])
        .listed(9, None, vec![row(1, "a", Active), forgotten, row(3, "c", Gone)])
        .attended(&[(1, "a", Active)])
}

#[test]
fn a_forgotten_member_stays_listed_while_its_pod_is_there_and_ends_with_it() {
    let mut world = with_a_forgotten_member();
    assert_eq!(world.decide().draft, None);
    world.view.pods.remove("b");
    let decision = world.decide();
    assert_eq!((decision.draft, decision.ask), (None, vec![PodRef { name: "b".into(), uid: "uid-b".into() }]));
    world.verdicts.insert("uid-b".into(), Verdict::Running);
    assert_eq!(world.decide().draft, None, "the cache may be behind");
    world.verdicts.insert("uid-b".into(), Verdict::Ended);
    assert!(!world.draft().members[1].forgotten);
}

#[test]
fn a_forgotten_member_that_says_hello_stays_removed_until_it_comes_under_a_new_id() {
    let mut world = with_a_forgotten_member().attended(&[(1, "a", Active), (2, "b", Active)]);
    assert_eq!(world.decide().draft, None, "it is told that it was removed");
    world.attendees.remove(&ReplicaId(2));
    let draft = world.attended(&[(1, "a", Active), (4, "b", Joining)]).draft();
    assert_eq!(phases(&draft), [(1, Active), (2, Gone), (3, Gone), (4, Joining)]);
    assert!(draft.members.iter().all(|row| !row.forgotten));
}

#[test]
fn whoever_is_gone_in_a_list_that_agents_remember_may_have_been_forgotten() {
    let mut world = World::new(&[pod("a"), pod("b")]).attended(&[(1, "a", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active), row(2, "b", Gone), row(3, "c", Gone)]);
    let draft = world.draft();
    let forgotten: Vec<bool> = draft.members.iter().map(|row| row.forgotten).collect();
    assert_eq!(forgotten, [false, true, true]);
    world.verdicts.insert("uid-c".into(), Verdict::Ended);
    assert!(world.draft().members[1].forgotten && !world.draft().members[2].forgotten);
}

#[test]
fn a_member_that_is_gone_only_in_a_list_that_agents_remember_may_have_been_forgotten() {
    // It has said hello to an operator without a memory before anybody who knew that it was removed.
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(41, None, vec![row(1, "a", Active), row(2, "b", Active)])
        .attended(&[(1, "a", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active), row(2, "b", Gone)]);
    let draft = world.draft();
    assert_eq!(phases(&draft), [(1, Active), (2, Gone)]);
    assert!(draft.members[1].forgotten);
}

#[test]
fn a_member_whose_pod_is_known_to_have_ended_is_not_doubted_again() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(41, None, vec![row(1, "a", Active), row(2, "b", Gone)])
        .attended(&[(1, "a", Active)]);
    world.agent(1).known = known("deleted", 41, vec![row(1, "a", Active), row(2, "b", Gone)]);
    assert!(!world.draft().members[1].forgotten);
}

#[test]
fn a_member_that_got_the_state_while_it_was_leaving_blocks_a_grant() {
    let mut world = World::new(&[pod("a"), pod("b")])
        .listed(4, None, vec![MemberRow { held_state: false, ..row(1, "a", Leaving) }, row(2, "b", Joining)])
        .attended(&[(1, "a", Leaving), (2, "b", Joining)]);
    world.agent(1).held_state = false;
    assert_eq!(world.draft().first, Some(ReplicaId(2)));
    world.agent(1).held_state = true;
    let draft = world.draft();
    assert_eq!((draft.first, draft.members[0].held_state), (None, true));
}

#[test]
fn a_keeper_is_a_member_and_stays_one_until_its_pod_goes() {
    let mut world = World::new(&[pod("a"), pod("k")]).attended(&[(1, "a", Active), (2, "k", Joining)]);
    world.view.pods.get_mut("k").expect("a pod").standing = Standing::Keeper;
    let draft = world.draft();
    assert_eq!(phases(&draft), [(1, Active), (2, Joining)]);
    assert_eq!(draft.members.iter().map(|row| row.keeper).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn who_says_that_it_has_no_app_is_believed_before_its_pod_is_seen() {
    let mut world = World::new(&[]).attended(&[(1, "k", Joining)]);
    world.agent(1).keeper = true;
    assert!(world.draft().members[0].keeper);
    let mut seen = World::new(&[pod("k")]).attended(&[(1, "k", Joining)]);
    seen.agent(1).keeper = true;
    assert!(!seen.draft().members[0].keeper, "a pod of the app has an app");
}
