//! What stops the writes of a process that may have lost the lease without knowing: one that was frozen, or is cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{DEADLINE, DURATION};

/// How long before another may take the lease the last write has been given up.
const MARGIN: Duration = Duration::from_secs(1);

/// Until when this process may write. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

/// Leave to make one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// How long the write may take at most.
    pub limit: Duration,
}

// === impl Fence ===

impl Fence {
    /// The lease was taken or renewed by a request that began at this moment: nobody else takes it within its duration.
    pub fn open(&self, begun: Instant) {
        *self.0.lock() = Some(begun);
    }

    /// The lease was lost or given back.
    pub fn close(&self) {
        *self.0.lock() = None;
    }

    /// Leave to begin a write now, if nobody else can hold the lease before it has ended.
    pub fn pass(&self, now: Instant) -> Option<Pass> {
        let begun = (*self.0.lock())?;
        let age = now.saturating_duration_since(begun);
        (age < DEADLINE).then(|| Pass { limit: DURATION - MARGIN - age })
    }
}
