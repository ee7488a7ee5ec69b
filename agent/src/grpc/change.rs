//! Writes: one, a stream of them, and batches.

use baton_api as api;
use baton_replica::Key;

use crate::engine::{Batch, Change, Engine};
use crate::grpc::{convert, request};
use crate::problem::Problem;

/// One operation.
pub(super) async fn write(engine: &Engine, request: api::WriteRequest) -> Result<api::WriteResult, Problem> {
    let write = request::write(request)?;
    let key = write.key.clone();
    let stored = engine.write(write).await?;
    Ok(convert::result(&key, stored, engine.replica()))
}

/// The same for streams, in which one that fails does not end the others.
pub(super) async fn write_or_say(engine: &Engine, request: api::WriteRequest) -> api::WriteResult {
    write(engine, request).await.unwrap_or_else(failed)
}

pub(super) async fn batch(engine: &Engine, request: api::BatchRequest) -> Result<api::BatchResponse, Problem> {
    let acks = request::acks(request.acks)?;
    let part = |(at, request)| request::part(request).map_err(|problem| placed(at, problem));
    let changes: Result<Vec<Change>, Problem> = request.requests.into_iter().enumerate().map(part).collect();
    let changes = changes?;
    let keys: Vec<Key> = changes.iter().map(|change| change.key.clone()).collect();
    let (batch, me) = (Batch { changes, acks }, engine.replica());
    let results = if request.by_shard {
        let results = engine.write_by_shard(batch).await.into_iter().enumerate().zip(&keys);
        let outcome = |((at, result), key): ((usize, Result<_, _>), &Key)| match result {
            Ok(stored) => convert::result(key, stored, me),
            Err(failure) => failed(Problem::in_part(at, failure)),
        };
        results.map(outcome).collect()
    } else {
        let stored = engine.write_together(batch).await?;
        stored.into_iter().zip(&keys).map(|(stored, key)| convert::result(key, stored, me)).collect()
    };
    Ok(api::BatchResponse { results })
}

pub(super) async fn clear(engine: &Engine, request: api::ClearRequest) -> Result<api::ClearResponse, Problem> {
    let (key, acks) = (request::key(request.key)?, request::acks(request.acks)?);
    let deleted = engine.clear(&key.without_field(), acks).await?;
    Ok(api::ClearResponse { deleted: deleted as u64 })
}

fn failed(problem: Problem) -> api::WriteResult {
    api::WriteResult { problem: Some(problem.into()), ..api::WriteResult::default() }
}

fn placed(at: usize, problem: Problem) -> Problem {
    Problem { message: format!("request {at}: {}", problem.message), at: Some(at), ..problem }
}
