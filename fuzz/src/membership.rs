//! Member lists, and everything that is decided from one: the roster, and how long a departure may take.

use std::time::Duration;

use baton_replica::{Action, Budget, Lifecycle, Member, Membership, Progress, ReplicaId, Roster};
use baton_wire::convert::{membership_from_wire, membership_to_wire};
use baton_wire::directory as wire;
use prost::Message;

use crate::meter::Meter;

/// Takes the bytes for a list.
pub fn run(bytes: &[u8]) {
    Meter::new().bounded(bytes.len(), || {
        if let Ok(list) = wire::Membership::decode(bytes) {
            take(list);
        }
    });
}

/// The list.
pub fn show(bytes: &[u8]) -> String {
    format!("{:#?}", wire::Membership::decode(bytes))
}

/// What an agent does with a list that it was sent.
pub(crate) fn take(list: wire::Membership) {
    let Ok(list) = membership_from_wire(list) else { return };
    let again = membership_from_wire(membership_to_wire(&list));
    assert_eq!(again.as_ref(), Ok(&list), "a list that is passed on is another list");
    let me = list.members.first().map_or(ReplicaId::new(1), |row| Some(row.replica));
    let mut roster = Roster::new(me.expect("not zero"));
    roster.take(&list);
    for row in &list.members {
        roster.set_linked(row.replica, true);
        roster.heard(row.replica, row.phase);
    }
    let _ = (roster.holders(), roster.survivors().count());
    for row in list.members.first().into_iter().chain(list.members.last()) {
        leave(&list, row);
    }
}

/// A departure under the list's settings, with the row's grace period: time only goes on, and it ends.
fn leave(list: &Membership, row: &Member) {
    let second = Duration::from_secs(1);
    let mut lifecycle = Lifecycle::new(Budget { grace: second, handoff_timeout: second, stop_without_hook: second });
    lifecycle.bootstrapped();
    lifecycle.set_handoff_timeout(list.settings.handoff_timeout);
    lifecycle.terminating(row.grace, 1_000);
    lifecycle.hook(1_000);
    while lifecycle.poll_action().is_some() {}
    assert!(lifecycle.next_deadline().is_some_and(|deadline| deadline >= 1_000), "the hook's deadline is in the past");
    lifecycle.stop(1_000);
    while lifecycle.poll_action().is_some() {}
    let end = lifecycle.next_deadline().expect("a stop ends");
    assert!(end > 1_000, "a stop has no time");
    lifecycle.progress(Progress::Uncovered, Progress::Uncovered, 1_000);
    lifecycle.tick(u64::MAX);
    let ended = std::iter::from_fn(|| lifecycle.poll_action()).any(|action| matches!(action, Action::Exit(_)));
    assert!(ended, "a stop did not end");
}

/// A usual list, and one at every limit.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let empty = wire::Membership { version: Some(wire::Version::default()), ..Default::default() };
    let edge = wire::Member { replica: 9, phase: wire::Phase::Leaving.into(), grace_seconds: u64::MAX, ..usual_row(9) };
    let settings =
        wire::Settings { handoff_timeout_millis: u64::MAX, handoff_acks: u32::MAX, ..usual().settings.expect("set") };
    let extreme = wire::Membership {
        version: Some(wire::Version { uid: String::new(), number: u64::MAX }),
        members: vec![edge],
        first: u64::MAX,
        settings: Some(settings),
        follows: Vec::new(),
    };
    let rows = wire::Membership { members: vec![wire::Member::default(); 64], ..empty.clone() };
    let encoded = [("usual", usual()), ("empty", empty), ("extreme", extreme), ("empty-rows", rows)];
    encoded.map(|(name, list)| (name, list.encode_to_vec())).into()
}

/// A list as an operator sends it.
pub(crate) fn usual() -> wire::Membership {
    let map = wire::MapSettings {
        name: "players".into(),
        max_bytes: 1 << 20,
        on_departure: wire::OnDeparture::Release.into(),
        write_acks: Some(0),
        ..Default::default()
    };
    wire::Membership {
        version: Some(wire::Version { uid: "5f0c".into(), number: 7 }),
        members: [1, 2, 3].map(usual_row).into(),
        first: 1,
        settings: Some(wire::Settings {
            handoff_acks: 1,
            handoff_timeout_millis: 20_000,
            default_write_acks: 1,
            accept_when_alone: true,
            maps: vec![map],
            default_write_rule: wire::AckRule::Majority.into(),
            completion: wire::Completion::Adopted.into(),
        }),
        follows: Vec::new(),
    }
}

fn usual_row(replica: u64) -> wire::Member {
    wire::Member {
        replica,
        pod_name: format!("game-{replica}"),
        pod_uid: "7d1f".into(),
        node: "node-1".into(),
        zone: "a".into(),
        controller: "game".into(),
        revision: 3,
        address: format!("10.0.0.{replica}:7400"),
        phase: wire::Phase::Active.into(),
        held_state: true,
        grace_seconds: 30,
        keeper: false,
    }
}
