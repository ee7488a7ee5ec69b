//! Operations of all kinds, of which the oracle is not told.

use baton_replica::{Condition, Done, Key, Operation, Rejected, ReplicaId, Request, WriteError};

use super::world::World;

// === impl World ===

impl World {
    /// Does one operation.
    pub(crate) fn write(
        &mut self,
        at: ReplicaId,
        key: &Key,
        condition: Condition,
        operation: Operation,
    ) -> Result<Done, WriteError> {
        let request = Request { key: key.clone(), condition, operation };
        let done = self.write_all(at, vec![request]).map_err(|rejected| rejected.error)?;
        Ok(done.into_iter().next().expect("one for each request"))
    }

    /// Does a batch.
    pub(crate) fn write_all(&mut self, at: ReplicaId, requests: Vec<Request>) -> Result<Vec<Done>, Rejected> {
        self.now += 1;
        let now = self.now;
        let node = self.node(at);
        let done = node.shard.write(requests, now + node.skew)?;
        node.wake_all();
        Ok(done)
    }
}
