//! Part of invariant 9: what an agent says arrives as it was said, and is never more than the receiver takes.
//!
//! Each message and each list goes through the bytes of the wire and back, as on a link: it is not too heavy to be taken
//! apart, it is decoded, and what comes out equals what went in. A message ends with the entry, or the batch of entries,
//! that brings it to the sender's limit: without that, it is below. Of a batch that is too large for one message, entries go
//! ahead of the range.

use baton_replica::{ChunkItem, Entry, Limits, MemberPhase, Membership, Packed, Packer, Range, ShardMessage};
use baton_wire::convert::{
    membership_from_wire, membership_to_wire, phase_from_wire, phase_to_wire, shard_message_from_wire,
    shard_message_to_wire,
};
use baton_wire::peer::frame::Body;
use baton_wire::peer::shard_frame;
use baton_wire::peer::{Frame, PhaseNotice, ShardFrame};
use baton_wire::weight::Scale;
use prost::Message;

/// When a message of a shard arrives from one who has these limits. Returns it as it was decoded.
pub(crate) fn check_message(shard: usize, message: ShardMessage, limits: Limits) -> Result<ShardMessage, String> {
    let body = shard_message_to_wire(message.clone());
    if packed_bytes(&body) > limits.batch_bytes {
        check_size(&message, limits)?;
    }
    if let ShardMessage::Range(range) = &message {
        check_entries(range, limits)?;
    }
    let frame = ShardFrame { shard: shard as u32, body: Some(body) };
    let Body::Shard(frame) = carried(Body::Shard(frame))? else { return Err(lost(&message)) };
    let decoded = frame.body.map(shard_message_from_wire).transpose();
    match decoded.map_err(|error| format!("{message:?} is refused: {error}"))? {
        Some(decoded) if decoded == message && frame.shard as usize == shard => Ok(decoded),
        other => Err(format!("{message:?} arrives as {other:?}")),
    }
}

/// When a list is passed on. Returns it as it was decoded.
pub(crate) fn check_list(list: &Membership) -> Result<Membership, String> {
    let Body::NewerMembership(arrived) = carried(Body::NewerMembership(membership_to_wire(list)))? else {
        return Err(lost(list));
    };
    let decoded = membership_from_wire(arrived).map_err(|error| format!("{list:?} is refused: {error}"))?;
    if decoded == *list { Ok(decoded) } else { Err(format!("{list:?} arrives as {decoded:?}")) }
}

/// When a process says how far it is.
pub(crate) fn check_phase(phase: MemberPhase) -> Result<(), String> {
    let said = PhaseNotice { phase: phase_to_wire(phase).into() };
    let Body::Phase(arrived) = carried(Body::Phase(said))? else { return Err(lost(phase)) };
    if phase_from_wire(arrived.phase) == Some(phase) { Ok(()) } else { Err(lost(phase)) }
}

/// What comes out of a frame's bytes.
fn carried(body: Body) -> Result<Body, String> {
    let bytes = Frame { membership: 0, body: Some(body) }.encode_to_vec();
    if !Scale::WIRE.passes::<Frame>(&bytes) {
        return Err(format!("a frame of {} bytes has more parts than any may have", bytes.len()));
    }
    let frame = Frame::decode(&bytes[..]).map_err(|error| format!("a frame is refused: {error}"))?;
    frame.body.ok_or_else(|| "a frame arrives without its content".to_owned())
}

fn lost(said: impl std::fmt::Debug) -> String {
    format!("{said:?} arrives as something else")
}

fn packed_bytes(body: &shard_frame::Body) -> usize {
    match body {
        shard_frame::Body::Range(range) => range.items.len(),
        shard_frame::Body::Chunk(chunk) => chunk.items.len(),
        shard_frame::Body::Settle(settle) => settle.items.len(),
        _ => 0,
    }
}

/// Of a message with more than a limit allows.
fn check_size(message: &ShardMessage, limits: Limits) -> Result<(), String> {
    let bytes = match message {
        ShardMessage::Range(range) => before_last_batch(range),
        ShardMessage::Chunk(chunk) => {
            let items = chunk.items.items().map_err(|error| format!("{chunk:?} is refused: {error}"))?;
            before_last(&items)
        }
        ShardMessage::Settle(settle) => before_last(&settle.items),
        _ => 0,
    };
    match bytes >= limits.batch_bytes {
        true => Err(format!("{bytes} bytes of {limits:?} were not enough for {message:?}")),
        false => Ok(()),
    }
}

/// Whatever a batch holds, one message has no more than one entry, or than a limit allows.
fn check_entries(range: &Range, limits: Limits) -> Result<(), String> {
    let mut packer = Packer::default();
    let entries = range.items.iter().filter(|item| item.entry != Entry::default());
    let count = entries.inspect(|item| packer.add(&item.key, &[], &item.entry)).count();
    let bytes = packer.finish().into_bytes().len();
    match count > 1 && bytes > limits.message_bytes {
        true => Err(format!("{bytes} bytes are more than {limits:?} allow: {range:?}")),
        false => Ok(()),
    }
}

fn before_last(items: &[ChunkItem]) -> usize {
    let Some((_, before)) = items.split_last() else { return 0 };
    before.iter().cloned().collect::<Packed>().into_bytes().len()
}

/// Peers see all writes of a batch, or none.
fn before_last_batch(range: &Range) -> usize {
    let last =
        (range.from + 1..range.to).rev().find(|counter| !range.continued.contains(counter)).unwrap_or(range.from);
    let mut packer = Packer::default();
    let before = range.items.iter().filter(|item| item.slots.iter().any(|slot| *slot <= last));
    before.for_each(|item| packer.add(&item.key, &item.slots, &item.entry));
    packer.finish().into_bytes().len()
}
