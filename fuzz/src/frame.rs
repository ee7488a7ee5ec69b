//! Frames: a whole conversation as bytes, as three peers send it to one replica.

use baton_replica::ReplicaId;
use baton_wire::convert::{
    MAX_CHANNEL_BYTES, phase_from_wire, publication_from_wire, publication_to_wire, shard_message_to_wire,
};
use baton_wire::directory::Version;
use baton_wire::handshake::{PROTOCOL, shortened};
use baton_wire::peer::frame::Body;
use baton_wire::peer::{self as wire, Frame};
use bytes::{Buf, Bytes};
use prost::Message;

use crate::meter::Meter;
use crate::replica::{GROUP, ME, Replica, SHARDS, Situation, peer};
use crate::{directory, membership, shard};

/// The name of a channel that is longer than any.
const LONG: [u8; MAX_CHANNEL_BYTES + 1] = [b'x'; MAX_CHANNEL_BYTES + 1];

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
        Some(Body::Hello(hello)) => replica.greet(hello),
        Some(Body::Publications(list)) => list.publications.iter().for_each(publish),
        Some(Body::Refused(refused)) => {
            assert!(!shortened(&refused.message).contains(char::is_control), "a refusal that is more than one line");
        }
        // Numbers, and a receipt that is kept as it came.
        Some(Body::Heartbeat(_) | Body::Receipt(_) | Body::ReceiptKept(_)) | None => {}
    }
}

/// What a session does with a message of a channel.
fn publish(publication: &wire::Publication) {
    let Ok((channel, payload)) = publication_from_wire(publication) else { return };
    let again = publication_to_wire(channel, payload);
    assert_eq!(again, *publication, "a message arrives as another message");
}

/// A frame of each kind, and a shard's messages in an order that makes sense.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let shard = |message| Body::Shard(wire::ShardFrame { shard: 0, body: Some(shard_message_to_wire(message)) });
    let hello = wire::Hello {
        protocol: PROTOCOL,
        group: GROUP.into(),
        replica: 2,
        shards: SHARDS as u32,
        phase: 2,
        membership: Some(Version { uid: "uid".into(), number: 9 }),
        ..Default::default()
    };
    let refusals = [
        wire::Hello { protocol: 0, ..hello.clone() },
        wire::Hello { group: "no\nINFO all is well".into(), ..hello.clone() },
        wire::Hello { shards: u32::MAX, ..hello.clone() },
        wire::Hello { replica: 0, ..hello.clone() },
        wire::Hello { replica: ME, ..hello.clone() },
        wire::Hello { replica: u64::MAX, ..hello.clone() },
        wire::Hello { pod_name: "another".into(), ..hello.clone() },
        wire::Hello { phase: i32::MAX, membership: Some(Version { uid: "file:1".into(), number: 1 }), ..hello.clone() },
    ];
    let said = |channel: &'static str, payload: Vec<u8>| publication_to_wire(channel.into(), payload.into());
    let messages = vec![said("lobby", b"hello".to_vec()), said("", Vec::new()), said("lobby", vec![0xff; 300])];
    let long = vec![said(str::from_utf8(&LONG).expect("letters"), Vec::new())];
    let publications = |publications| Body::Publications(wire::Publications { publications });
    let refused = wire::Refused { code: "gone".into(), message: "removed\nby a person".into() };
    let others = [
        Body::Hello(hello),
        publications(messages.clone()),
        Body::NewerMembership(membership::usual()),
        Body::Phase(wire::PhaseNotice { phase: 3 }),
        Body::Heartbeat(wire::Heartbeat { seen: 1, sum: 2, shard: 0 }),
        Body::Receipt(directory::receipt()),
        Body::Refused(refused),
        Body::ReceiptKept(wire::ReceiptKept {}),
    ];
    let conversation = shard::conversation();
    vec![
        ("others", talk(1, others)),
        ("hellos", talk(1, refusals.map(Body::Hello))),
        ("publications", talk(1, [messages, long, Vec::new()].map(publications))),
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
