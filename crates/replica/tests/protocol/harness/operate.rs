//! Operations of all kinds.

use baton_replica::{Condition, Done, Dot, Key, Operation, Rejected, ReplicaId, Request, WriteError};

use super::oracle::Operation as Noted;
use super::schedule::{Schedule, Step, named};
use super::world::World;

/// After so many steps all faults end for a moment, so that who is gone is forgotten.
const PAUSE: usize = 60;

/// Runs a schedule in which other operations take the place of its puts and deletes. They get a number to choose by. The
/// check comes after each step, and after the end of all faults.
pub(crate) fn drive(
    schedule: &Schedule,
    mut act: impl FnMut(&mut World, ReplicaId, &Key, u8),
    mut check: impl FnMut(&mut World),
) -> World {
    let (mut world, _) = World::new(schedule.limits.clone());
    for _ in 1..schedule.nodes {
        world.spawn();
    }
    check(&mut world);
    world.settle();
    world.need = schedule.need;
    for (number, step) in schedule.steps.iter().enumerate() {
        match *step {
            Step::Put { at, key } | Step::Delete { at, key } => {
                let deletes = matches!(step, Step::Delete { .. });
                let replica = world.pick(at);
                act(&mut world, replica, &named(key), at / 5 * 2 + u8::from(deletes));
            }
            ref other => world.step(other),
        }
        check(&mut world);
        if number % PAUSE == PAUSE - 1 {
            world.settle();
            check(&mut world);
        }
    }
    world.settle_owners();
    check(&mut world);
    world
}

// === impl World ===

impl World {
    /// Does one operation and tells the oracle which versions did not survive it.
    pub(crate) fn write_noted(
        &mut self,
        at: ReplicaId,
        key: &Key,
        condition: Condition,
        operation: Operation,
    ) -> Result<Done, WriteError> {
        let before = self.live_dots(at, key);
        let done = self.write(at, key, condition, operation)?;
        let after = self.live_dots(at, key);
        let observed: Vec<Dot> = before.into_iter().filter(|dot| !after.contains(dot)).collect();
        // A change of owner makes no version and supersedes none.
        if let Some(dot) = done.dot.filter(|dot| after.contains(dot) || !observed.is_empty()) {
            let read = self.shard(at).get(key, self.now).expect("live");
            let made = read.and_then(|read| {
                let version = read.versions().into_iter().find(|version| version.dot == dot)?;
                Some(version.value.unwrap_or(read.value))
            });
            self.oracle.record(dot, Noted { key: key.clone(), value: made, observed });
        }
        Ok(done)
    }

    /// Does one operation, of which the oracle is not told.
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

    /// Does a batch, of which the oracle is not told.
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
