//! When something happened to a member, and when the last of its peers was told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Its agent said hello.
    Joined,
    /// Its pod was marked for deletion.
    Leaving,
    /// Its pod was taken away.
    Gone,
}

/// What happened, and who has been told.
#[derive(Default)]
pub(crate) struct Sights(Mutex<HashMap<(u64, Stage), Sight>>);

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    begun: Instant,
    last: Duration,
    /// How many peers have been told.
    peers: u32,
    /// Whether a peer is silent at the time.
    pub(crate) beside_silent: bool,
}

// === impl Sights ===

impl Sights {
    /// It happens now.
    pub(crate) fn begin(&self, replica: u64, stage: Stage, beside_silent: bool) {
        let sight = Sight { begun: Instant::now(), last: Duration::ZERO, peers: 0, beside_silent };
        self.0.lock().insert((replica, stage), sight);
    }

    /// A peer is told now.
    pub(crate) fn see(&self, replica: u64, stage: Stage) {
        if let Some(sight) = self.0.lock().get_mut(&(replica, stage)) {
            sight.last = sight.begun.elapsed();
            sight.peers += 1;
        }
    }

    /// Takes all that happened.
    pub(crate) fn take(&self) -> Vec<(Stage, Sight)> {
        self.0.lock().drain().map(|((_, stage), sight)| (stage, sight)).collect()
    }
}

// === impl Sight ===

impl Sight {
    /// From the event until the last peer was told; nothing if none was.
    pub(crate) fn took(&self) -> Option<Duration> {
        (self.peers > 0).then_some(self.last)
    }
}
