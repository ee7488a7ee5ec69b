//! A process that the group has removed lives on under a new id, and issues again what the group has nothing of.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_replica::{Effects, Phase, ReplicaId, Roster, Shard};
use tokio::time::sleep;

use crate::engine::{Engine, wall_millis};

/// Keys of a shard that are looked at under one hold of its lock.
const STEP: usize = 512;

/// The pause between two steps: members acknowledge before the log window is full. The app waits meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// The pause while nothing can be issued again: the state is still on its way, or there is no room.
const WAIT: Duration = Duration::from_millis(100);

/// Issues again what was held under a former id, until the process ends. Sleeps while there is nothing.
pub(crate) async fn reissue(engine: Arc<Engine>) {
    loop {
        if engine.inherited_keys() == 0 {
            engine.inherited.notified().await;
        }
        let mut pause = WAIT;
        for index in 0..engine.shards.len() {
            let effects = engine.with_shard(index, None, |shard| shard.reissue(wall_millis(), STEP));
            if effects != Effects::default() {
                pause = PAUSE;
            }
        }
        sleep(pause).await;
    }
}

// === impl Engine ===

impl Engine {
    /// Keys that were held under a former id, of which those that the group lacks are not issued again yet.
    pub(crate) fn inherited_keys(&self) -> u64 {
        (0..self.shards.len()).map(|index| self.inspect(index, Shard::inherited) as u64).sum()
    }

    /// Lives on under a new id, without state, and keeps what it held to issue it again. The app gets 503 until the state
    /// is here again.
    pub(crate) fn take_new_id(&self, replica: ReplicaId) {
        // Before the id: nobody may hear of the new one that it held the state once.
        self.set_phase(Phase::Joining);
        let mut roster = self.roster.lock();
        *roster = Roster::new(replica);
        if let Some(list) = &*self.membership.borrow() {
            roster.take(list);
        }
        self.note_again(|watched| {
            for (index, cell) in self.shards.iter().enumerate() {
                let mut shard = cell.shard.lock();
                let fresh = Shard::new(index, roster.clone(), baton_replica::Limits::default());
                let former = std::mem::replace(&mut *shard, fresh);
                shard.inherit(former);
                shard.watch(watched);
                self.note_deadline(cell, &shard);
                self.note_orphans(&shard);
                cell.acknowledged.notify_waiters();
            }
        });
        self.usage.clear();
        self.was_in_sync.store(false, Ordering::Relaxed);
        self.caught_up_at.store(0, Ordering::Relaxed);
        drop(roster);
        // Peers know them by the former id.
        self.links.all().iter().for_each(|link| link.closed.cancel());
        self.inherited.notify_one();
    }
}
