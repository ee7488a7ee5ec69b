//! What an agent does by itself: it drops what has expired, and takes over what departed members owned.

use baton_replica::{Dot, Effects, Entry, Key, ReplicaId, Token, Wake};

use super::{Event, World};
use crate::invariant::{self, Invariant, Violation};
use crate::oracle::{Kind, Seen, Takeover};

/// Keys looked at in one go, as in the agent: there are fewer.
const MOST: usize = 64;

// === impl World ===

impl World {
    pub(super) fn chores(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        for shard in &mut agent.shards {
            if shard.next_deadline().is_some_and(|deadline| deadline <= wall) {
                shard.expire(wall, MOST);
                Invariant::Expiry.of(invariant::expiry::check(shard, wall))?;
            }
        }
        let due = agent.shards.iter().any(|shard| shard.adoption_due());
        if !due {
            return Ok(());
        }
        if self.profile.lag == 0 {
            return self.adopt(id);
        }
        // Another task does it, by and by.
        if !std::mem::replace(&mut agent.adopts, true) {
            let after = self.rng.below(self.profile.lag + 1);
            self.add(after, Event::Adopt(id));
        }
        Ok(())
    }

    /// The task comes to it.
    pub(super) fn adopt_late(&mut self, id: ReplicaId) -> Result<(), Violation> {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.adopts = false;
            self.adopt(id)?;
        }
        self.after(id)
    }

    fn adopt(&mut self, id: ReplicaId) -> Result<(), Violation> {
        for index in 0..self.profile.shards {
            if self.agents.get(&id).is_some_and(|agent| agent.shards[index].adoption_due()) {
                self.adopt_in(id, index)?;
            }
        }
        Ok(())
    }

    fn adopt_in(&mut self, id: ReplicaId, index: usize) -> Result<(), Violation> {
        let wall = self.wall(id);
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let seen = agent.seen(index);
        let shard = &mut agent.shards[index];
        let before: Vec<(Key, Entry)> = shard.entries().collect();
        let counter = shard.clock().get(id);
        if shard.adopt(wall, MOST).writes == 0 {
            return Ok(());
        }
        let made = shard.clock().get(id);
        agent.follow(index, None, Effects { wake: Wake::All, acknowledged: true, bootstrapped: false });
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
            self.adopted((index, key), dot, (&before, &after), &seen)?;
        }
        Ok(())
    }

    /// A key has another owner, or none, or has ended with the one that it had.
    fn adopted(
        &mut self,
        (index, key): (usize, Key),
        dot: Dot,
        (before, after): (&Entry, &Entry),
        seen: &Seen,
    ) -> Result<(), Violation> {
        self.trace.say(self.now, || format!("{} takes over {key:?} as {dot}: {:?}", dot.replica, after.owner()));
        let number = self.record((index, key.clone()), dot, Kind::Own, (before, after), seen)?;
        Invariant::Ownership.of(invariant::ownership::check_token(self, index, seen, dot, after))?;
        self.oracle.note_owner(number, after);
        let (Some(was), Some(agent)) = (before.owner(), self.agents.get_mut(&dot.replica)) else { return Ok(()) };
        Invariant::Adoption.of(invariant::succession::check(agent, &key, was, after))?;
        let token = after.owner().filter(|owner| owner.dot == dot).and_then(Token::of);
        agent.adopted.extend(token.map(|token| (index, key.clone(), token)));
        let takeover = Takeover { shard: index, key, from: was.since, by: dot.replica, members: agent.members_known() };
        Invariant::Adoption.of(invariant::adoption::check_taker(self, &takeover))?;
        self.oracle.takeovers.push(takeover);
        match after.owner() {
            Some(is) if is.dot == dot && was.token >= is.token => {
                Invariant::Ownership.of(Err(format!("{dot} takes over with {} after {}", is.token, was.token)))
            }
            _ => Ok(()),
        }
    }
}
