//! With the writes of others, a replica gets to know what was promised of them: how many acknowledgements were asked for,
//! so that it leaves them with as many holders, and which tokens were given, so that it gives greater ones though the key
//! is no more.
//!
//! What a range or a chunk says of both is no less than what was asked for, or given, by any write that it claims.

use baton_replica::{Dot, ShardMessage};

use crate::oracle::Oracle;

/// When a message arrives.
pub(crate) fn check(oracle: &Oracle, shard: usize, message: &ShardMessage) -> Result<(), String> {
    let (token, level) = match message {
        ShardMessage::Range(range) => (range.token, range.level),
        ShardMessage::Chunk(chunk) => (chunk.token, chunk.level),
        _ => return Ok(()),
    };
    let claims = |dot: Dot| match message {
        ShardMessage::Range(range) => {
            dot.replica == range.origin && dot.counter > range.from && dot.counter <= range.to
        }
        ShardMessage::Chunk(chunk) => chunk.clock.covers(dot),
        _ => false,
    };
    let mut writes = oracle.operations.iter().filter(|operation| operation.shard == shard && claims(operation.dot));
    if let Some(operation) = writes.find(|operation| operation.asked > level) {
        let (dot, asked) = (operation.dot, operation.asked);
        return Err(format!("{dot} asked for {asked} acknowledgements, and is passed on with {level}: {message:?}"));
    }
    let of_shard = |number: usize| oracle.operations[number].shard == shard && claims(oracle.operations[number].dot);
    let mut sayings = oracle.sayings.iter().filter(|saying| of_shard(saying.operation));
    match sayings.find(|saying| saying.owner.token > token) {
        Some(saying) => Err(format!("{:?} is passed on with the token {token}: {message:?}", saying.owner)),
        None => Ok(()),
    }
}
