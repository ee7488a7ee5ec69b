//! What an operator and an agent say to each other: reports one way, notices the other.

use baton_wire::convert::phase_from_wire;
use baton_wire::directory::{self as wire, notice, report};
use prost::Message;

use crate::membership;
use crate::meter::Meter;

/// Takes the bytes first for a notice, then for a report.
pub fn run(bytes: &[u8]) {
    let mut meter = Meter::new();
    meter.bounded(bytes.len(), || {
        let Ok(notice) = wire::Notice::decode(bytes) else { return };
        if let Some(wire::notice::Body::Membership(list)) = notice.body {
            membership::take(list);
        }
    });
    meter.bounded(0, || {
        let Ok(report) = wire::Report::decode(bytes) else { return };
        let again = wire::Report::decode(report.encode_to_vec().as_slice());
        assert_eq!(again.as_ref(), Ok(&report), "a report that is passed on is another report");
        match report.body {
            Some(report::Body::Hello(hello)) => drop(phase_from_wire(hello.phase)),
            Some(report::Body::Phase(report)) => drop(phase_from_wire(report.phase)),
            Some(report::Body::Reachability(_) | report::Body::Handoff(_) | report::Body::Settled(_)) | None => {}
        }
    });
}

/// The notice and the report.
pub fn show(bytes: &[u8]) -> String {
    format!("{:#?}\n{:#?}", wire::Notice::decode(bytes), wire::Report::decode(bytes))
}

/// One of each report and notice.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let notice = |body| wire::Notice { body: Some(body) }.encode_to_vec();
    let said = |body| wire::Report { body: Some(body) }.encode_to_vec();
    let hello = wire::Hello {
        namespace: "games".into(),
        group: "arena".into(),
        pod_name: "game-1".into(),
        replica: 1,
        phase: wire::Phase::Active.into(),
        members: membership::usual().members,
        ..Default::default()
    };
    let phase = wire::PhaseReport {
        phase: wire::Phase::Active.into(),
        in_sync: true,
        keys: 40,
        bytes: u64::MAX,
        held_state: true,
        tombstones: u64::MAX,
    };
    let reached = wire::Reachability { reached: vec![1, 2, u64::MAX], always: true };
    vec![
        ("membership", notice(notice::Body::Membership(membership::usual()))),
        ("refusal", notice(notice::Body::Refusal(wire::Refusal { retry: true, message: "no pod".into() }))),
        ("hello", said(report::Body::Hello(hello))),
        ("phase", said(report::Body::Phase(phase))),
        ("reachability", said(report::Body::Reachability(reached))),
        ("receipt", said(report::Body::Handoff(receipt()))),
        ("settled", said(report::Body::Settled(wire::Settled { round: 7, replicas: vec![3, 4] }))),
    ]
}

/// A receipt as a leaving agent gives it.
pub(crate) fn receipt() -> wire::HandoffReport {
    wire::HandoffReport {
        replica: 2,
        pod_name: "game-2".into(),
        stage: wire::handoff_report::Stage::Sealed.into(),
        outcome: wire::Outcome::Acknowledged.into(),
        keys: 40,
        survivors: vec!["game-1".into(), "game-3".into()],
        ..Default::default()
    }
}
