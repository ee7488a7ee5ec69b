//! What a process answers when it is asked who it is.

use baton_wire::convert::identity_from_wire;
use baton_wire::directory::Phase;
use baton_wire::handshake::shortened;
use baton_wire::peer::{IdentifyRequest, Identity};
use prost::Message;

use crate::meter::Meter;

/// Takes the bytes for the question, then for the answer.
pub fn run(bytes: &[u8]) {
    let mut meter = Meter::new();
    meter.bounded(bytes.len(), || drop(IdentifyRequest::decode(bytes)));
    meter.bounded(0, || {
        let Ok(answer) = Identity::decode(bytes) else { return };
        let named = answer.gone.len();
        let Ok(identified) = identity_from_wire(answer) else { return };
        assert!(identified.gone.len() <= named, "processes that it did not name");
        // An agent of another group says so in its log.
        assert!(!shortened(&identified.group).contains(char::is_control), "a group that is more than one line");
    });
}

/// The answer.
pub fn show(bytes: &[u8]) -> String {
    format!("{:#?}", Identity::decode(bytes))
}

/// A usual answer, and those that no process gives.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let usual = Identity {
        group: "games/arena".into(),
        replica: 2,
        phase: Phase::Active.into(),
        pod_name: "game-2".into(),
        gone: vec![3, 4],
    };
    let nobody = Identity { replica: 0, ..usual.clone() };
    let unknown = Identity { phase: i32::MAX, ..usual.clone() };
    let lines = Identity { group: "no\nINFO all is well\u{1b}[0m".repeat(20), gone: vec![0; 300], ..usual.clone() };
    let encoded = [("usual", usual), ("nobody", nobody), ("unknown-phase", unknown), ("lines", lines)];
    encoded.map(|(name, answer)| (name, answer.encode_to_vec())).into()
}
