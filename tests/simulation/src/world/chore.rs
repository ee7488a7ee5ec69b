//! What an agent does by itself: it drops what has expired, and takes over what departed members owned.

use baton_replica::{Dot, Entry, Key, ReplicaId};

use super::World;
use crate::invariant::{self, Invariant, Violation};
use crate::oracle::Kind;

/// Keys looked at in one go, as in the agent: there are fewer.
const MOST: usize = 64;

// === impl World ===

impl World {
    pub(super) fn chores(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let mut due = Vec::new();
        for (index, shard) in agent.shards.iter_mut().enumerate() {
            if shard.next_deadline().is_some_and(|deadline| deadline <= wall) {
                shard.expire(wall, MOST);
            }
            if shard.adoption_due() {
                due.push(index);
            }
        }
        for index in due {
            self.adopt(id, index, wall)?;
        }
        Ok(())
    }

    fn adopt(&mut self, id: ReplicaId, index: usize, wall: u64) -> Result<(), Violation> {
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let seen = agent.seen(index);
        let shard = &mut agent.shards[index];
        let before: Vec<(Key, Entry)> = shard.entries().collect();
        let counter = shard.clock().get(id);
        let adoption = shard.adopt(wall, MOST);
        if adoption.writes == 0 {
            return Ok(());
        }
        let made = shard.clock().get(id);
        agent.follow(
            index,
            None,
            baton_replica::Effects { wake: baton_replica::Wake::All, acknowledged: true, bootstrapped: false },
        );
        let mut purged: Vec<Key> = Vec::new();
        for counter in counter + 1..=made {
            let dot = Dot { replica: id, counter };
            let agent = self.agents.get(&id);
            let touched = before.iter().find_map(|(key, before)| {
                let after = agent?.entry(index, key).unwrap_or_default();
                let owns = after.versions().iter().any(|version| version.dots().any(|one| one == dot));
                let deletes = after.context().get(id) == counter;
                (owns || deletes).then(|| (key.clone(), before.clone(), after))
            });
            // With nobody else to know of it, a delete is purged at once.
            let forgotten = |key: &Key| agent.and_then(|agent| agent.entry(index, key)).is_none();
            let touched = touched.or_else(|| {
                let (key, before) = before.iter().find(|(key, _)| forgotten(key) && !purged.contains(key))?;
                purged.push(key.clone());
                Some((key.clone(), before.clone(), Entry::default()))
            });
            let Some((key, before, after)) = touched else { continue };
            self.trace.say(self.now, || format!("{id} changes the owner of {key:?} as {dot}: {:?}", after.owner()));
            let (kind, alone) = (Kind::Own, after.owner().is_some_and(|owner| owner.dot == dot && !owner.confirmed));
            let named = key.clone();
            let number = self.record(index, dot, key, kind, &before, &after)?;
            // What a put had not seen is said again, under the same token.
            let token = after.owner().map(|owner| owner.token);
            let again = self.oracle.tokens.iter().any(|(number, given)| {
                let earlier = &self.oracle.operations[*number];
                Some(*given) == token && earlier.shard == index && earlier.key == named
            });
            if again {
                self.oracle.tokens.extend(token.map(|token| (number, token)));
                continue;
            }
            if alone && before.owner().map(|owner| owner.token) != after.owner().map(|owner| owner.token) {
                Invariant::Ownership.of(invariant::ownership::check_token(self, index, &seen, dot, &after))?;
            }
            let adopted = |owner: &baton_replica::Owner| owner.replica == Some(id) && !owner.confirmed;
            if let (Some(was), Some(is)) = (before.owner(), after.owner().filter(|owner| owner.dot == dot))
                && adopted(is)
                && was.token >= is.token
            {
                return Invariant::Ownership.of(Err(format!("{dot} takes over with {} after {}", is.token, was.token)));
            }
            self.oracle.tokens.extend(after.owner().map(|owner| (number, owner.token)));
        }
        Ok(())
    }
}
