//! What a request of a client is, and what it must do.

use baton_replica::{Answer, Cleared, Condition, Done, Dot, Entry, Hlc, Key, Operation, Request, Shard, Value};
use bytes::Bytes;

use crate::oracle::Kind;
use crate::schedule::{Write, WriteKind};

/// What a batch may do to one key, in turn.
const ANY: [WriteKind; 11] = [
    WriteKind::Put,
    WriteKind::Init,
    WriteKind::Expiring(300),
    WriteKind::Delete,
    WriteKind::Take,
    WriteKind::Claim,
    WriteKind::Put,
    WriteKind::Confirm,
    WriteKind::Touch(Some(300)),
    WriteKind::Increment(2),
    WriteKind::Release,
];

/// The shard of a key.
pub(super) fn shard_of(key: &Key, shards: usize) -> usize {
    (key.hash() % shards as u64) as usize
}

/// The requests of a write: several, of different keys of one shard, if it is a batch. Their conditions are not set.
pub(super) fn requests(keys: &[Key], shards: usize, write: &Write, number: usize, now: u64) -> Vec<Request> {
    let first = (write.key % keys.len() as u64) as usize;
    let request = |key: &Key, operation| Request { key: key.clone(), condition: Condition::Always, operation };
    let (most, mixed) = match write.kind {
        WriteKind::Batch(most) => (most, false),
        WriteKind::Mixed(most) => (most, true),
        WriteKind::Clear => return vec![request(&keys[first].without_field(), Operation::Delete)],
        _ => return vec![request(&keys[first], single(write, number, now))],
    };
    let shard = shard_of(&keys[first], shards);
    let others = (0..keys.len()).map(|at| &keys[(first + at) % keys.len()]);
    let mates = others.filter(|key| shard_of(key, shards) == shard).take(most as usize).enumerate();
    let part = |at: usize| match (write.bytes + at as u64) % 4 {
        0 => Operation::Delete,
        1 => Operation::Increment(2),
        _ => Operation::Put { value: value(number + at, write.bytes), expires_at: None },
    };
    let any = |at: usize| {
        let kind = ANY[(write.bytes as usize + at) % ANY.len()];
        single(&Write { kind, ..*write }, number + at, now)
    };
    mates.map(|(at, key)| request(key, if mixed { any(at) } else { part(at) })).collect()
}

fn single(write: &Write, number: usize, now: u64) -> Operation {
    // Some values are integers, so that there is something to add to.
    let value = || if write.bytes.is_multiple_of(3) { integer(number) } else { value(number, write.bytes) };
    match write.kind {
        WriteKind::Expiring(millis) => Operation::Put { value: value(), expires_at: Some(now + millis) },
        WriteKind::Delete => Operation::Delete,
        WriteKind::Init => Operation::Init { value: value(), expires_at: None },
        WriteKind::Take => Operation::Take,
        WriteKind::Increment(by) => Operation::Increment(by),
        WriteKind::Touch(millis) => Operation::Touch { expires_at: millis.map(|millis| now + millis) },
        WriteKind::Claim => Operation::Claim,
        WriteKind::Release => Operation::Release,
        WriteKind::Confirm => Operation::Confirm,
        WriteKind::Put | WriteKind::Batch(_) | WriteKind::Mixed(_) | WriteKind::Clear => {
            Operation::Put { value: value(), expires_at: None }
        }
    }
}

fn value(number: usize, bytes: u64) -> Value {
    Value { content_type: "".into(), body: Bytes::from(format!("{number}:{}", "x".repeat(bytes as usize))) }
}

fn integer(number: usize) -> Value {
    Value { content_type: "".into(), body: Bytes::from(number.to_string()) }
}

/// The deletes of the fields that a key has.
pub(super) fn fields(shard: &Shard, key: &Key, now: u64) -> Vec<Request> {
    let listed = shard.fields(key, b"", None, usize::MAX, now).unwrap_or_default();
    let delete = |key| Request { key, condition: Condition::Always, operation: Operation::Delete };
    listed.into_iter().map(|listed| delete(listed.key)).collect()
}

/// What was done by a key's delete with its fields, in their order, by what existed before.
pub(super) fn cleared(cleared: &Cleared, existed: Vec<bool>) -> Vec<Done> {
    let deleted = existed.iter().filter(|existed| **existed).count() as u64;
    let first = cleared.last.map_or(0, |last| last.counter + 1 - deleted);
    let dot = |at: u64| cleared.last.map(|last| Dot { counter: first + at, ..last });
    let mut next = 0..deleted;
    let done = |existed: bool| {
        let dot = if existed { next.next().and_then(dot) } else { None };
        Done { dot, existed, answer: Answer::Nothing }
    };
    existed.into_iter().map(done).collect()
}

/// How the truth takes an operation.
pub(super) const fn kind(operation: &Operation) -> Kind {
    match operation {
        Operation::Put { .. } | Operation::Init { .. } | Operation::Delete | Operation::Take => Kind::Replace,
        Operation::Increment(by) => Kind::Add(*by),
        Operation::Touch { .. } => Kind::Copy,
        Operation::Claim | Operation::Release | Operation::Confirm => Kind::Own,
    }
}

/// What an operation has done to a key is what it says.
pub(super) fn check(operation: &Operation, before: &Entry, done: &Done, after: &Entry) -> Result<(), String> {
    let existed = !before.versions().is_empty();
    let made = done.dot.and_then(|dot| after.versions().iter().find(|version| version.dot == dot));
    let right = done.existed == existed
        && match operation {
            Operation::Put { value, expires_at } => {
                let same = |made: &baton_replica::Version| made.value.as_ref() == Some(value);
                // What has expired already may be gone.
                made.is_some_and(same) || expires_at.is_some()
            }
            Operation::Init { .. } => {
                existed != done.dot.is_some() && made.is_none_or(|made| made.hlc == Hlc::default())
            }
            Operation::Delete => existed == done.dot.is_some() && (!existed || after.versions().is_empty()),
            Operation::Take => {
                let taken = match &done.answer {
                    Answer::Taken(read) => read.as_ref().map(|read| read.value.clone()),
                    _ => None,
                };
                taken == before.value() && after.versions().is_empty()
            }
            Operation::Increment(by) => done.answer == Answer::Count(number(before) + by),
            Operation::Touch { .. } => {
                let winner = before.versions().first().map(|winner| winner.hlc);
                made.is_none_or(|made| Some(made.hlc) == winner)
            }
            Operation::Claim => after.owner().is_some_and(|owner| Some(owner.dot) == done.dot && owner.confirmed),
            Operation::Release => after.owner().is_none_or(|owner| owner.replica.is_none()),
            Operation::Confirm => after.owner().is_some_and(|owner| owner.confirmed),
        };
    if right { Ok(()) } else { Err(format!("{operation:?} of {before:?} gives {done:?} and {after:?}")) }
}

/// What is added to.
fn number(entry: &Entry) -> i64 {
    let put = || entry.value().and_then(|value| value.integer());
    entry.counter().or_else(put).unwrap_or_default()
}
