//! Agents of neighbouring releases understand each other: what a newer one adds is passed over, and what an older one
//! leaves out has a meaning that is safe.

use baton_replica::{Applied, Chunk, MemberPhase, Packed, Range, ReplicaId, Settings, ShardMessage, VersionVector};
use baton_wire::convert::{
    MAX_CHANNEL_BYTES, MAX_MESSAGE_BYTES, WireError, membership_from_wire, phase_from_wire, publication_from_wire,
    shard_message_from_wire,
};
use baton_wire::directory::{self, Membership};
use baton_wire::peer::{self, Frame, ShardFrame, frame, shard_frame};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// A message with fields that this release does not know, one of each wire type.
fn newer(message: &impl Message) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    encode_key(900, WireType::Varint, &mut bytes);
    encode_varint(u64::MAX, &mut bytes);
    encode_key(901, WireType::SixtyFourBit, &mut bytes);
    bytes.extend([0xff; 8]);
    encode_key(902, WireType::ThirtyTwoBit, &mut bytes);
    bytes.extend([0xff; 4]);
    [bytes, field(903, b"what is it")].concat()
}

/// A field that is a message, or bytes.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut bytes);
    encode_varint(content.len() as u64, &mut bytes);
    [bytes, content.to_vec()].concat()
}

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn version() -> directory::Version {
    directory::Version { uid: "5f0c".to_owned(), number: 7 }
}

fn row() -> directory::Member {
    directory::Member { replica: 2, pod_name: "web-2".to_owned(), phase: 2, ..Default::default() }
}

/// What every message of a shard is when its sender says nothing but whose it is.
fn sparse() -> Vec<shard_frame::Body> {
    vec![
        shard_frame::Body::Applied(peer::Applied::default()),
        shard_frame::Body::Range(peer::Range { origin: 2, ..Default::default() }),
        shard_frame::Body::Pull(peer::Pull { origin: 2, ..Default::default() }),
        shard_frame::Body::Behind(peer::Behind { origin: 2 }),
        shard_frame::Body::Fetch(peer::Fetch::default()),
        shard_frame::Body::Chunk(peer::Chunk { last: true, ..Default::default() }),
        shard_frame::Body::ChunkSeen(peer::ChunkSeen::default()),
        shard_frame::Body::Settle(peer::Settle { origin: 2, ..Default::default() }),
        shard_frame::Body::Digest(peer::Digest { membership: Some(version()), sum: vec![0; 16].into(), clock: None }),
    ]
}

/// The number of a shard's message in its frame, and the message with what is not known.
fn numbered(body: &shard_frame::Body) -> (u32, Vec<u8>) {
    match body {
        shard_frame::Body::Applied(message) => (2, newer(message)),
        shard_frame::Body::Range(message) => (3, newer(message)),
        shard_frame::Body::Pull(message) => (4, newer(message)),
        shard_frame::Body::Behind(message) => (5, newer(message)),
        shard_frame::Body::Fetch(message) => (6, newer(message)),
        shard_frame::Body::Chunk(message) => (7, newer(message)),
        shard_frame::Body::ChunkSeen(message) => (8, newer(message)),
        shard_frame::Body::Settle(message) => (9, newer(message)),
        shard_frame::Body::Digest(message) => (10, newer(message)),
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over_in_every_message_of_a_shard() {
    for body in sparse() {
        let (number, content) = numbered(&body);
        let shard = [newer(&ShardFrame { shard: 3, body: None }), field(number, &content)].concat();
        let bytes = [newer(&Frame { membership: 7, body: None }), field(6, &shard)].concat();
        let expected = ShardFrame { shard: 3, body: Some(body.clone()) };
        let frame = Frame::decode(bytes.as_slice()).expect("a sound frame");
        assert_eq!(frame, Frame { membership: 7, body: Some(frame::Body::Shard(expected)) });
        assert!(shard_message_from_wire(body).is_ok());
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over_in_lists_and_clocks_within_messages() {
    let list = Membership { version: Some(version()), ..Default::default() };
    let settings = directory::Settings { handoff_acks: 2, ..Default::default() };
    let bytes = [newer(&list), field(2, &newer(&row())), field(4, &newer(&settings))].concat();
    let taken = Membership::decode(bytes.as_slice()).expect("a sound list");
    assert_eq!(taken, Membership { members: vec![row()], settings: Some(settings), ..list });
    assert_eq!(membership_from_wire(taken).expect("a sound list").members.len(), 1);

    let clock = peer::VersionVector { replicas: vec![2, 3], counters: vec![9, 1] };
    let bytes = [newer(&peer::Applied::default()), field(1, &newer(&clock))].concat();
    let applied = peer::Applied::decode(bytes.as_slice()).expect("a sound acknowledgement");
    assert_eq!(applied, peer::Applied { clock: Some(clock), ..Default::default() });
}

#[test]
fn fields_that_are_not_known_are_passed_over_in_messages_of_channels() {
    let publication = peer::Publication { channel: "news".into(), payload: "hello".into() };
    let list = [newer(&peer::Publications::default()), field(1, &newer(&publication))].concat();
    let taken = peer::Publications::decode(list.as_slice()).expect("sound messages");
    assert_eq!(taken.publications, [publication]);
    assert_eq!(publication_from_wire(&taken.publications[0]), Ok(("news".into(), "hello".into())));
}

#[test]
fn a_message_that_is_not_known_is_an_empty_frame_which_agents_pass_over() {
    let bytes = [newer(&Frame { membership: 7, body: None }), field(40, b"news")].concat();
    assert_eq!(Frame::decode(bytes.as_slice()), Ok(Frame { membership: 7, body: None }));
    let bytes = [newer(&ShardFrame { shard: 3, body: None }), field(40, b"news")].concat();
    assert_eq!(ShardFrame::decode(bytes.as_slice()), Ok(ShardFrame { shard: 3, body: None }));
}

#[test]
fn an_acknowledgement_that_leaves_all_out_acknowledges_nothing_and_vouches_for_nothing() {
    let message = shard_message_from_wire(shard_frame::Body::Applied(peer::Applied::default()));
    let nothing = Applied {
        clock: VersionVector::new(),
        full: false,
        answers_range: false,
        heard_leaving: 0,
        leaving: 0,
        founders: Vec::new(),
    };
    assert_eq!(message, Ok(ShardMessage::Applied(nothing)));
}

#[test]
fn what_a_range_or_chunk_leaves_out_claims_nothing() {
    let range = shard_message_from_wire(shard_frame::Body::Range(peer::Range { origin: 2, ..Default::default() }));
    let empty = Range { origin: id(2), from: 0, to: 0, items: Vec::new(), continued: Vec::new(), token: 0, level: 0 };
    assert_eq!(range, Ok(ShardMessage::Range(empty)));

    // Without founders the sender is taken to know nothing of what retired replicas wrote.
    let chunk = shard_message_from_wire(shard_frame::Body::Chunk(peer::Chunk { last: true, ..Default::default() }));
    let empty = Chunk {
        transfer: 0,
        index: 0,
        clock: VersionVector::new(),
        listed: Vec::new(),
        founders: Vec::new(),
        token: 0,
        level: 0,
        keys: 0,
        after: None,
        through: None,
        items: Packed::default(),
    };
    assert_eq!(chunk, Ok(ShardMessage::Chunk(empty)));
}

#[test]
fn what_has_no_safe_meaning_when_it_is_left_out_is_refused() {
    let refused = [
        shard_frame::Body::Range(peer::Range::default()),
        shard_frame::Body::Pull(peer::Pull::default()),
        shard_frame::Body::Behind(peer::Behind::default()),
        shard_frame::Body::Settle(peer::Settle::default()),
        shard_frame::Body::Digest(peer::Digest::default()),
        // It ends nowhere, and is not the last.
        shard_frame::Body::Chunk(peer::Chunk::default()),
    ];
    for body in refused {
        assert!(shard_message_from_wire(body.clone()).is_err(), "{body:?}");
    }
    assert!(membership_from_wire(Membership::default()).is_err());
}

#[test]
fn settings_that_are_left_out_are_the_defaults_and_a_phase_that_is_not_known_is_none() {
    let list = Membership { version: Some(version()), members: vec![row()], ..Default::default() };
    let taken = membership_from_wire(list.clone()).expect("a sound list");
    assert_eq!((taken.settings, taken.first), (Settings::default(), None));
    assert!(taken.follows.is_empty(), "a list of an older operator comes after none that it knows of");
    assert_eq!((taken.members[0].phase, taken.members[0].held_state), (MemberPhase::Active, false));
    assert!(!taken.members[0].keeper, "an older operator has no keepers");
    assert_eq!((phase_from_wire(0), phase_from_wire(9)), (None, None));

    // Half a list would look like members that have left: who sends such lists speaks another protocol.
    let unknown = directory::Member { phase: 9, ..row() };
    let refused = membership_from_wire(Membership { members: vec![row(), unknown], ..list });
    assert_eq!(refused, Err(WireError::Malformed("a member's phase")));
}

#[test]
fn a_list_of_more_rows_than_any_group_has_is_refused() {
    let list = |rows: usize| Membership { version: Some(version()), members: vec![row(); rows], ..Default::default() };
    assert!(membership_from_wire(list(32_768)).is_ok());
    assert!(membership_from_wire(list(32_769)).is_err());
}

#[test]
fn a_channel_or_message_that_is_too_long_is_refused() {
    let long = |bytes: usize| vec![0; bytes].into();
    let channel = peer::Publication { channel: long(MAX_CHANNEL_BYTES + 1), payload: Default::default() };
    let message = peer::Publication { channel: Default::default(), payload: long(MAX_MESSAGE_BYTES + 1) };
    assert!(publication_from_wire(&channel).is_err() && publication_from_wire(&message).is_err());
}

#[test]
fn a_list_says_which_lists_it_comes_after() {
    let version = |number| directory::Version { uid: "before".to_owned(), number };
    let list = |count| Membership {
        version: Some(version(9)),
        follows: (0..count).map(version).collect(),
        ..Default::default()
    };
    let taken = membership_from_wire(list(2)).expect("a sound list");
    assert_eq!(taken.follows.iter().map(|followed| followed.number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(baton_wire::convert::membership_to_wire(&taken).follows, list(2).follows);
    let refused = membership_from_wire(list(65));
    assert_eq!(refused, Err(WireError::Malformed("what the membership comes after")));
}
