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

    /// Looks after departed owners, as far as it is this replica's to do; says how many writes that took.
    pub(crate) fn adopt(&mut self, at: ReplicaId) -> usize {
        self.now += 1;
        let now = self.now;
        let node = self.node(at);
        let mut writes = 0;
        while node.shard.adoption_due() {
            writes += node.shard.adopt(now + node.skew, 3).writes;
        }
        node.wake_all();
        writes
    }

    /// Ends all faults and waits until nobody has anything to say or to adopt.
    pub(crate) fn settle_owners(&mut self) {
        loop {
            self.settle();
            let writes: usize = self.ids().into_iter().map(|id| self.adopt(id)).sum();
            if writes == 0 {
                return;
            }
        }
    }
}
