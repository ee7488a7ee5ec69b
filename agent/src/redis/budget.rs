//! Memory for what clients have begun to send, and for what they do not take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes of all connections together, in KiB: sixteen of the largest value that an agent can be told to take.
const BUDGET_KIB: usize = 64 * 1024;

/// What a connection has without asking: most requests, and most replies to a pipeline of them.
const FREE_BYTES: usize = 8 * 1024;

/// How long a large request may wait until there is room for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Room for all connections.
pub(super) struct Budget {
    kib: Arc<Semaphore>,
}

/// What one connection has of it.
#[derive(Default)]
pub(super) struct Room {
    permit: Option<OwnedSemaphorePermit>,
}

/// There is none left.
#[derive(Debug)]
pub(super) struct NoRoom;

// === impl Budget ===

impl Budget {
    pub(super) fn new() -> Self {
        Self { kib: Arc::new(Semaphore::new(BUDGET_KIB)) }
    }
}

// === impl Room ===

impl Room {
    /// Waits for room for so many bytes.
    pub(super) async fn reserve(&mut self, budget: &Budget, bytes: usize) -> Result<(), NoRoom> {
        let more = self.missing(bytes);
        if more == 0 {
            return Ok(());
        }
        match timeout(PATIENCE, budget.kib.clone().acquire_many_owned(more)).await {
            Ok(Ok(permit)) => {
                self.add(permit);
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(NoRoom),
        }
    }

    /// Takes room for so many bytes, if there is.
    pub(super) fn take(&mut self, budget: &Budget, bytes: usize) -> Result<(), NoRoom> {
        let more = self.missing(bytes);
        if more > 0 {
            self.add(budget.kib.clone().try_acquire_many_owned(more).map_err(|_| NoRoom)?);
        }
        Ok(())
    }

    /// Gives all of it back.
    pub(super) fn give_back(&mut self) {
        self.permit = None;
    }

    fn missing(&self, bytes: usize) -> u32 {
        let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(1024).min(BUDGET_KIB);
        wanted.saturating_sub(self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)) as u32
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_reserved_is_missing_for_others_until_it_is_given_back() {
        let budget = Budget::new();
        let (mut one, mut other) = (Room::default(), Room::default());
        assert!(one.take(&budget, FREE_BYTES).is_ok() && one.permit.is_none());
        assert!(one.reserve(&budget, BUDGET_KIB * 1024).await.is_ok());
        assert!(one.reserve(&budget, BUDGET_KIB * 2048).await.is_ok(), "all of it is enough for anything");
        assert!(other.take(&budget, FREE_BYTES + 20_000).is_err());
        let waiting = timeout(Duration::from_millis(20), other.reserve(&budget, FREE_BYTES + 20_000)).await;
        assert!(waiting.is_err());
        one.give_back();
        assert!(other.reserve(&budget, FREE_BYTES + 20_000).await.is_ok());
        assert!(other.take(&budget, FREE_BYTES + 21_000).is_ok());
    }
}
