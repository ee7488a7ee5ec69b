//! What is weighed before it is decoded: on a low scale, so that what weighs much there is still a short input.

use baton_wire::directory::{Hello, Membership, Notice, Report, Version, notice, report};
use baton_wire::identity::{IssueRequest, IssueResponse};
use baton_wire::peer::frame::Body;
use baton_wire::peer::{self as wire, Frame, IdentifyRequest, Identity, Publication, Publications, shard_frame};
use baton_wire::weight::{Scale, Weighed, Weight};
use bytes::{Buf, Bytes};
use prost::Message;

use crate::{directory, membership, meter, shard};

/// How many bytes one of the input stands for: light messages up to 1 KiB, loose bytes up to 4.
const LIGHT_STEP: usize = 4;
const LOOSE_STEP: usize = 16;

/// What an input begins with: the kind of message, and the scale.
const HEAD: usize = 4;

/// Kinds of messages that are weighed.
const KINDS: u8 = 7;

/// What a message has in it, told from the message itself and not from its bytes.
trait Counted: Message + Default + PartialEq + Weighed {
    fn count(&self) -> Weight {
        Weight::default()
    }
}

/// Takes the kind of message, a scale, and the message.
pub fn run(bytes: &[u8]) {
    let Some((kind, scale, message)) = read(bytes) else { return };
    match kind {
        0 => check::<Frame>(&scale, &message),
        1 => check::<Notice>(&scale, &message),
        2 => check::<Report>(&scale, &message),
        3 => check::<Identity>(&scale, &message),
        4 => check::<IssueRequest>(&scale, &message),
        5 => check::<IssueResponse>(&scale, &message),
        _ => check::<IdentifyRequest>(&scale, &message),
    }
}

/// The scale and the message.
pub fn show(bytes: &[u8]) -> String {
    let Some((kind, scale, message)) = read(bytes) else { return String::new() };
    let shown = match kind {
        0 => format!("{:#?}", Frame::decode(message)),
        1 => format!("{:#?}", Notice::decode(message)),
        2 => format!("{:#?}", Report::decode(message)),
        3 => format!("{:#?}", Identity::decode(message)),
        4 => format!("{:#?}", IssueRequest::decode(message)),
        5 => format!("{:#?}", IssueResponse::decode(message)),
        _ => format!("{:#?}", IdentifyRequest::decode(message)),
    };
    format!("{scale:?}, at most {} bytes\n{shown}", scale.most())
}

fn read(bytes: &[u8]) -> Option<(u8, Scale, Bytes)> {
    let mut rest = Bytes::copy_from_slice(bytes);
    if rest.len() < HEAD {
        return None;
    }
    let (kind, light, loose, parts) = (rest.get_u8(), rest.get_u8(), rest.get_u8(), rest.get_u8());
    let (light, loose) = (LIGHT_STEP * usize::from(light), LOOSE_STEP * usize::from(loose));
    Some((kind % KINDS, Scale { light, loose, parts: parts.into() }, rest))
}

/// What passes is decoded within the memory that the scale states. What anybody could have sent, as one who speaks this
/// release does, passes exactly if there is no more in it than the scale allows.
fn check<M: Counted>(scale: &Scale, bytes: &Bytes) {
    let passes = scale.passes::<M>(bytes);
    let decoded =
        if passes { meter::at_most(scale.most(), || M::decode(bytes.clone())) } else { M::decode(bytes.clone()) };
    let Ok(message) = decoded else { return };
    let (honest, count) = (message.encode_to_vec(), message.count());
    let fits = honest.len() - count.packed <= scale.loose && count.parts <= scale.parts;
    let weight = M::weigh(&honest);
    assert_eq!(weight, Some(count), "a message of {} bytes is weighed as another", honest.len());
    let due = honest.len() <= scale.light || fits;
    assert_eq!(scale.passes::<M>(&honest), due, "{count:?} in {} bytes", honest.len());
    // What came can be said in more bytes than it needs, but has as much in it.
    let came = M::weigh(bytes).unwrap_or(Weight { packed: 0, parts: usize::MAX });
    assert!(came.parts >= count.parts, "{came:?} became {count:?}");
}

const fn parts_of(list: &Membership) -> usize {
    let settings = match &list.settings {
        Some(settings) => settings.maps.len(),
        None => 0,
    };
    list.members.len() + list.follows.len() + settings
}

const fn parts(parts: usize) -> Weight {
    Weight { packed: 0, parts }
}

const fn packed(items: &Bytes) -> Weight {
    Weight { packed: items.len(), parts: 0 }
}

// === impl Counted ===

// Every body has its line: one that is new does not compile until it is counted.

impl Counted for Frame {
    fn count(&self) -> Weight {
        let Some(body) = &self.body else { return Weight::default() };
        match body {
            Body::Hello(_) | Body::Phase(_) | Body::Heartbeat(_) | Body::Refused(_) | Body::ReceiptKept(_) => parts(0),
            Body::NewerMembership(list) => parts(parts_of(list)),
            Body::Shard(shard) => shard.body.as_ref().map_or(parts(0), of_shard),
            Body::Receipt(receipt) => parts(receipt.survivors.len()),
            Body::Publications(list) => Weight {
                packed: list.publications.iter().map(Message::encoded_len).sum(),
                parts: list.publications.len(),
            },
        }
    }
}

fn of_shard(body: &shard_frame::Body) -> Weight {
    match body {
        shard_frame::Body::Range(range) => packed(&range.items),
        shard_frame::Body::Chunk(chunk) => packed(&chunk.items),
        shard_frame::Body::Settle(settle) => packed(&settle.items),
        shard_frame::Body::Applied(_)
        | shard_frame::Body::Pull(_)
        | shard_frame::Body::Behind(_)
        | shard_frame::Body::Fetch(_)
        | shard_frame::Body::ChunkSeen(_)
        | shard_frame::Body::Digest(_) => parts(0),
    }
}

impl Counted for Notice {
    fn count(&self) -> Weight {
        match &self.body {
            Some(notice::Body::Membership(list)) => parts(parts_of(list)),
            Some(notice::Body::Refusal(_)) | None => parts(0),
        }
    }
}

impl Counted for Report {
    fn count(&self) -> Weight {
        match &self.body {
            Some(report::Body::Hello(hello)) => parts(hello.members.len() + hello.follows.len()),
            Some(report::Body::Handoff(receipt)) => parts(receipt.survivors.len()),
            Some(report::Body::Phase(_) | report::Body::Reachability(_) | report::Body::Settled(_)) | None => parts(0),
        }
    }
}

impl Counted for Identity {}
impl Counted for IdentifyRequest {}
impl Counted for IssueRequest {}
impl Counted for IssueResponse {}

/// Messages of every kind on a scale that they just pass, and on one that they just do not.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |body| Frame { membership: 7, body: Some(body) }.encode_to_vec();
    let rows = |count| {
        let rows = membership::usual().members.into_iter().cycle().take(count);
        Membership { members: rows.collect(), ..membership::usual() }
    };
    let said = shard::conversation().into_iter().map(baton_wire::convert::shard_message_to_wire);
    let shard: Vec<u8> =
        said.flat_map(|body| frame(Body::Shard(wire::ShardFrame { shard: 3, body: Some(body) }))).collect();
    let range =
        wire::Range { origin: 2, to: 1, items: vec![7; 512].into(), continued: vec![1; 64], ..Default::default() };
    let range = frame(Body::Shard(wire::ShardFrame { shard: 3, body: Some(shard_frame::Body::Range(range)) }));
    let notice = Notice { body: Some(notice::Body::Membership(rows(8))) }.encode_to_vec();
    let follows = vec![Version { uid: "0e4d".into(), number: 9 }; 2];
    let later = Membership { follows: follows.clone(), ..rows(2) };
    let later = Notice { body: Some(notice::Body::Membership(later)) }.encode_to_vec();
    let hello = Hello { members: rows(2).members, follows, ..Default::default() };
    let hello = Report { body: Some(report::Body::Hello(hello)) }.encode_to_vec();
    let mut receipt = directory::receipt();
    receipt.survivors = vec!["game-1".into(); 12];
    let report = Report { body: Some(report::Body::Handoff(receipt)) }.encode_to_vec();
    let identity = Identity { group: "games/arena".into(), replica: 2, gone: vec![3; 40], ..Default::default() };
    let asked = IssueRequest { token: "t".repeat(90), group: "arena".into(), request: vec![0x30; 90].into() };
    let issued = IssueResponse { certificate: vec![0x30; 90].into(), valid_seconds: 86_400 };
    let said = |length| Publication { channel: "lobby".into(), payload: vec![b'x'; length].into() };
    let publications = |list| frame(Body::Publications(Publications { publications: list }));
    let messages = publications(vec![said(200), said(0), Publication::default()]);
    let on = |scale: [u8; 3], kind: u8, message: &[u8]| [&[kind], &scale[..], message].concat();
    vec![
        ("conversation", on([8, 64, 0], 0, &shard)),
        ("range", on([8, 6, 0], 0, &range)),
        ("range-too-loose", on([8, 4, 0], 0, &range)),
        ("newer-list", on([8, 64, 9], 0, &frame(Body::NewerMembership(rows(8))))),
        ("publications", on([8, 1, 3], 0, &messages)),
        ("publications-of-too-many-parts", on([8, 1, 2], 0, &messages)),
        ("empty-publications", on([8, 64, 255], 0, &publications(vec![Publication::default(); 255]))),
        ("notice", on([8, 64, 9], 1, &notice)),
        ("notice-of-too-many-parts", on([8, 64, 8], 1, &notice)),
        ("notice-that-comes-after-others", on([8, 64, 5], 1, &later)),
        ("hello", on([8, 64, 4], 2, &hello)),
        ("report", on([8, 64, 12], 2, &report)),
        ("report-of-too-many-parts", on([8, 64, 11], 2, &report)),
        ("empty-rows", on([0, 255, 255], 1, &empty_rows(255))),
        ("light-empty-rows", on([128, 0, 0], 1, &empty_rows(254))),
        ("identity", on([8, 64, 0], 3, &identity.encode_to_vec())),
        ("asked", on([8, 64, 0], 4, &asked.encode_to_vec())),
        ("issued", on([8, 64, 0], 5, &issued.encode_to_vec())),
        ("question", on([8, 64, 0], 6, &IdentifyRequest {}.encode_to_vec())),
    ]
}

/// The most memory for the bytes.
fn empty_rows(count: usize) -> Vec<u8> {
    let list = Membership { members: vec![Default::default(); count], ..Default::default() };
    Notice { body: Some(notice::Body::Membership(list)) }.encode_to_vec()
}
