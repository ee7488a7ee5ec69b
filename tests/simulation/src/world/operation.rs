//! What a request of a client is, and what it must do.

use baton_replica::{Answer, Condition, Done, Entry, Hlc, Key, Operation, Request, Value};
use bytes::Bytes;

use crate::oracle::Kind;
use crate::schedule::{Write, WriteKind};

/// The shard of a key.
pub(super) fn shard_of(key: &Key, shards: usize) -> usize {
    (key.hash() % shards as u64) as usize
}

/// The requests of a write: several, of different keys of one shard, if it is a batch. Their conditions are not set.
pub(super) fn requests(keys: &[Key], shards: usize, write: &Write, number: usize, now: u64) -> Vec<Request> {
    let first = (write.key % keys.len() as u64) as usize;
    let request = |key: &Key, operation| Request { key: key.clone(), condition: Condition::Always, operation };
    let WriteKind::Batch(most) = write.kind else {
        return vec![request(&keys[first], single(write, number, now))];
    };
    let shard = shard_of(&keys[first], shards);
    let others = (0..keys.len()).map(|at| &keys[(first + at) % keys.len()]);
    let mates = others.filter(|key| shard_of(key, shards) == shard).take(most as usize).enumerate();
    let part = |at: usize| match (write.bytes + at as u64) % 4 {
        0 => Operation::Delete,
        1 => Operation::Increment(2),
        _ => Operation::Put { value: value(number + at, write.bytes), expires_at: None },
    };
    mates.map(|(at, key)| request(key, part(at))).collect()
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
        WriteKind::Put | WriteKind::Batch(_) => Operation::Put { value: value(), expires_at: None },
    }
}

fn value(number: usize, bytes: u64) -> Value {
    Value { content_type: "".into(), body: Bytes::from(format!("{number}:{}", "x".repeat(bytes as usize))) }
}

fn integer(number: usize) -> Value {
    Value { content_type: "".into(), body: Bytes::from(number.to_string()) }
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
