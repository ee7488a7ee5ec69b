use std::sync::Arc;
use std::time::Instant;

use baton_crds::group::Completion;
use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};
use baton_wire::directory as wire;

use super::Attendance;
use super::convert::{self, Malformed};
use crate::fixture::{attendee, group, listing, pod, row, view};
use crate::index::GroupKey;
use crate::membership::{Situation, Unreached, decide};

fn hello() -> wire::Hello {
    wire::Hello {
        namespace: "shop".into(),
        group: "web".into(),
        pod_name: "a".into(),
        pod_uid: "uid-a".into(),
        node: "node-1".into(),
        replica: 7,
        address: "10.0.0.1:7072".into(),
        phase: wire::Phase::Joining.into(),
        known: None,
        release: "0.1.0".into(),
        members: vec![],
        held_state: false,
        age_millis: 0,
        keeper: false,
        follows: Vec::new(),
    }
}

fn refused(change: impl FnOnce(&mut wire::Hello)) -> Malformed {
    let mut hello = hello();
    change(&mut hello);
    convert::introduction(hello, 0, Instant::now()).expect_err("a malformed hello")
}

#[test]
fn a_hello_is_checked_at_the_border() {
    let introduction = convert::introduction(hello(), 3, Instant::now()).expect("an introduction");
    assert_eq!((introduction.key, introduction.replica), (GroupKey::new("shop", "web"), ReplicaId(7)));
    assert!(!introduction.attendee.held_state);

    assert_eq!(refused(|hello| hello.replica = 0), Malformed::Missing("replica"));
    assert_eq!(refused(|hello| hello.group.clear()), Malformed::Missing("group"));
    assert_eq!(refused(|hello| hello.address = "x".repeat(2_000)), Malformed::Long("address"));
    assert_eq!(refused(|hello| hello.phase = wire::Phase::Gone.into()), Malformed::Unspeakable("phase"));
    assert_eq!(refused(|hello| hello.phase = 99), Malformed::Unspeakable("phase"));
    assert_eq!(refused(|hello| hello.members = vec![wire::Member::default(); 10_001]), Malformed::Long("members"));
}

/// The API server refuses an object with a number that is too high, or with two rows of one replica, for ever.
#[test]
fn nothing_that_an_agent_knows_makes_a_list_that_cannot_be_written() {
    let named = |replica| wire::Member {
        replica,
        pod_name: "b".into(),
        pod_uid: "uid-b".into(),
        phase: wire::Phase::Active.into(),
        ..wire::Member::default()
    };
    assert_eq!(refused(|hello| hello.members = vec![named(1), named(2), named(1)]), Malformed::Twice("members"));
    assert_eq!(refused(|hello| hello.members = vec![named(0)]), Malformed::Missing("members.replica"));

    let mut hello = hello();
    hello.known = Some(wire::Version { uid: "deleted".into(), number: u64::MAX });
    hello.members = vec![wire::Member { revision: u64::MAX, grace_seconds: u64::MAX, ..named(1) }];
    let now = Instant::now();
    let attendee = convert::introduction(hello, 0, now).expect("an introduction").attendee;
    let (attendees, nobody) = ([(ReplicaId(7), attendee)].into(), Unreached::new());
    let view = view(&[pod("a"), pod("b")]);
    let situation = Situation {
        view: &view,
        attendees: &attendees,
        verdicts: &Default::default(),
        silence: None,
        unreached: &nobody,
        now,
    };
    let draft = decide(situation).draft.expect("a draft");
    let greatest = draft.members.iter().flat_map(|row| [row.revision, row.grace_seconds]).max();
    assert!(draft.number > 1 && draft.number.max(greatest.expect("rows")) <= i64::MAX as u64, "{draft:?}");
}

#[test]
fn a_leaving_agent_held_state_unless_its_own_list_says_otherwise() {
    let held = |members: Vec<wire::Member>| {
        let mut hello = hello();
        hello.phase = wire::Phase::Leaving.into();
        hello.members = members;
        convert::introduction(hello, 0, Instant::now()).expect("an introduction").attendee.held_state
    };
    assert!(held(vec![]));
    let own = |held_state| wire::Member {
        replica: 7,
        pod_name: "a".into(),
        pod_uid: "uid-a".into(),
        phase: wire::Phase::Leaving.into(),
        held_state,
        ..wire::Member::default()
    };
    assert!(held(vec![own(true)]));
    assert!(!held(vec![own(false)]));
    let mut late = hello();
    (late.phase, late.held_state, late.members) = (wire::Phase::Leaving.into(), true, vec![own(false)]);
    let late = convert::introduction(late, 0, Instant::now()).expect("an introduction").attendee;
    assert!(late.held_state, "it has got the state while it was leaving");
}

#[test]
fn an_agent_is_told_the_whole_list_and_its_settings() {
    let mut spec = group("web", 0).spec;
    spec.handoff.acks = 2;
    spec.handoff.completion = Completion::Adopted;
    let presence = serde_json::json!({"name": "presence", "acks": "all", "onDeparture": "Release"});
    spec.maps = vec![serde_json::from_value(presence).expect("a map")];
    let keeper = MemberRow { keeper: true, ..row(2, "b", MemberPhase::Gone) };
    let listing = listing(9, Some(1), vec![row(1, "a", MemberPhase::Active), keeper]);
    let told = convert::membership(&listing, &spec);
    assert_eq!(told.version, Some(wire::Version { uid: "list".into(), number: 9 }));
    assert_eq!((told.first, told.members.len()), (1, 2));
    assert_eq!(told.members[1].phase(), wire::Phase::Gone);
    assert!(told.members[1].keeper && !told.members[0].keeper);
    let settings = told.settings.expect("settings");
    assert_eq!((settings.handoff_acks, settings.handoff_timeout_millis), (2, 20_000));
    assert_eq!((settings.default_write_acks, settings.accept_when_alone), (1, true));
    assert_eq!(settings.completion(), wire::Completion::Adopted);
    let presence = &settings.maps[0];
    assert_eq!((presence.write_rule(), presence.on_departure()), (wire::AckRule::All, wire::OnDeparture::Release));
}

#[test]
fn a_newer_stream_of_an_agent_takes_the_seat() {
    let attendance = Arc::new(Attendance::default());
    let key = GroupKey::new("shop", "web");
    let mut changes = attendance.changes(&key);
    let now = Instant::now();
    let seat = |arrival| attendance.seat(key.clone(), ReplicaId(1), attendee(arrival, "a", MemberPhase::Active, now));
    let (old, new) = (seat(0), seat(1));
    assert!(changes.has_changed().expect("open"));
    old.update(|attendee| attendee.keys = 5);
    assert_eq!(attendance.attendees(&key)[&ReplicaId(1)].keys, 0);
    drop(old);
    assert_eq!(attendance.len(), 1);
    changes.mark_unchanged();
    new.update(|attendee| attendee.keys = 6);
    assert_eq!(attendance.attendees(&key)[&ReplicaId(1)].keys, 6);
    assert!(changes.has_changed().expect("open"));
    drop(new);
    assert!(attendance.is_empty());
}

#[test]
fn a_receipt_needs_a_stage_and_an_outcome() {
    let report = |stage: i32, outcome: i32| wire::HandoffReport {
        replica: 1,
        pod_name: "a".into(),
        pod_uid: "uid-a".into(),
        stage,
        outcome,
        ..wire::HandoffReport::default()
    };
    assert!(convert::receipt(report(1, 0)).is_ok());
    assert!(convert::receipt(report(3, 2)).is_ok());
    assert_eq!(convert::receipt(report(3, 0)), Err(Malformed::Unspeakable("outcome")));
    assert_eq!(convert::receipt(report(0, 1)), Err(Malformed::Unspeakable("stage")));
}
