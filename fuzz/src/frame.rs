//! Frames: a whole conversation as bytes, as three peers send it to one replica.

use baton_replica::ReplicaId;
use baton_wire::convert::{phase_from_wire, shard_message_to_wire};
use baton_wire::peer::frame::Body;
use baton_wire::peer::{self as wire, Frame};
use bytes::{Buf, Bytes};
use prost::Message;

use crate::meter::Meter;
use crate::replica::{Replica, Situation, peer};
use crate::{directory, membership, shard};

/// The byte of each situation.
const SITUATIONS: [Situation; 4] = [Situation::Joining, Situation::Live, Situation::Leaving, Situation::Sealed];

/// Takes the replica's situation and then frames: from whom, how long, and the frame.
pub fn run(bytes: &[u8]) {
    let (situation, frames) = parts(bytes);
    let mut replica = Replica::new(situation);
    let mut meter = Meter::new();
    for (from, frame) in frames {
        let came = meter.came() + frame.len();
        meter.bounded(frame.len(), || take(&mut replica, from, frame, came));
    }
}

/// The situation and the frames.
pub fn show(bytes: &[u8]) -> String {
    let (situation, frames) = parts(bytes);
    let shown = frames.into_iter().map(|(from, frame)| format!("{from}: {:#?}\n", Frame::decode(frame)));
    format!("{situation:?}\n{}", shown.collect::<String>())
}

fn parts(bytes: &[u8]) -> (Situation, Vec<(ReplicaId, Bytes)>) {
    let mut rest = Bytes::copy_from_slice(bytes);
    let situation = if rest.is_empty() { 0 } else { rest.get_u8() };
    let mut frames = Vec::new();
    while rest.has_remaining() {
        let from = peer(rest.get_u8());
        let Ok(length) = prost::decode_length_delimiter(&mut rest) else { break };
        frames.push((from, rest.split_to(length.min(rest.len()))));
    }
    (SITUATIONS[usize::from(situation) % SITUATIONS.len()], frames)
}

/// What a session does with a frame.
fn take(replica: &mut Replica, from: ReplicaId, frame: Bytes, came: usize) {
    let Ok(frame) = Frame::decode(frame) else { return replica.relink(from) };
    match frame.body {
        Some(Body::Shard(frame)) => frame.body.into_iter().for_each(|body| replica.hear(from, body, came)),
        Some(Body::NewerMembership(list)) => membership::take(list),
        Some(Body::Phase(notice)) => drop(phase_from_wire(notice.phase)),
        _ => {}
    }
}

/// A frame of each kind, and a shard's messages in an order that makes sense.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let shard = |message| Body::Shard(wire::ShardFrame { shard: 0, body: Some(shard_message_to_wire(message)) });
    let hello = wire::Hello { protocol: 1, group: "games/arena".into(), replica: 2, shards: 16, ..Default::default() };
    let refused = wire::Refused { code: "gone".into(), message: "removed".into() };
    let others = [
        Body::Hello(hello),
        Body::NewerMembership(membership::usual()),
        Body::Phase(wire::PhaseNotice { phase: 3 }),
        Body::Heartbeat(wire::Heartbeat { seen: 1, sum: 2 }),
        Body::Receipt(directory::receipt()),
        Body::Refused(refused),
        Body::ReceiptKept(wire::ReceiptKept {}),
    ];
    let conversation = shard::conversation();
    vec![
        ("others", talk(1, others)),
        ("joining", talk(0, conversation.clone().into_iter().map(shard))),
        ("live", talk(1, conversation.clone().into_iter().map(shard))),
        ("leaving", talk(2, conversation.clone().into_iter().map(shard))),
        ("sealed", talk(3, conversation.into_iter().map(shard))),
    ]
}

/// Frames of the first peer.
fn talk(situation: u8, bodies: impl IntoIterator<Item = Body>) -> Vec<u8> {
    let frame = |body| Frame { membership: 7, body: Some(body) }.encode_length_delimited_to_vec();
    let frames = bodies.into_iter().map(|body| [vec![0], frame(body)].concat());
    [situation].into_iter().chain(frames.flatten()).collect()
}
