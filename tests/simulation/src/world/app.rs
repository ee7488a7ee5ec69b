//! Apps and what they own: an agent tells its app what it has adopted for it, and the app says that it runs that: soon,
//! late, twice, or not before there are no more faults.

use baton_replica::{Change, Condition, Operation, Owner, ReplicaId, Request, Token, Value, WriteError};

use super::client::Way;
use super::{Event, World};
use crate::invariant::{self, Invariant, Violation};
use crate::oracle::Adopted;
use crate::pod::App;

/// The pause before an app tries again what its agent could not do yet.
const PAUSE: u64 = 20;

// === impl World ===

impl World {
    /// The app hears what has changed.
    pub(super) fn listen(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let mut told = Vec::new();
        for index in 0..self.profile.shards {
            let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
            let changes = agent.shards[index].take_changes();
            for change in &changes {
                Invariant::Subscription.of(invariant::subscription::follow(&mut agent.known[index], change))?;
            }
            for change in changes {
                Invariant::Token.of(invariant::token::check(self, id, index, &change))?;
                let adopted = adopted(&change, id);
                told.extend(adopted.map(|token| Adopted { by: id, shard: index, key: change.key, token }));
            }
        }
        let Some(agent) = self.agents.get_mut(&id) else { return Ok(()) };
        let made = std::mem::take(&mut agent.adopted);
        Invariant::Adoption.of(invariant::adoption::check_told(self, id, &made, &told))?;
        for adopted in told {
            self.trace.say(self.now, || format!("the app of {id} is told that it owns {adopted:?}"));
            self.oracle.told.insert(adopted.clone());
            self.answer(adopted);
        }
        Ok(())
    }

    /// An app decides when it says that it runs what it was told of.
    fn answer(&mut self, adopted: Adopted) {
        let (soon, late) = (self.profile.gap, 20 * self.profile.gap);
        let confirm = |world: &mut Self, most: u64| {
            let after = 1 + world.rng.below(most);
            world.add(after, Event::Confirm(adopted.clone()));
        };
        if self.calm {
            return confirm(self, 1);
        }
        match self.rng.below(8) {
            0..3 => confirm(self, soon),
            3..5 => confirm(self, late),
            5 => [soon, late].into_iter().for_each(|most| confirm(self, most)),
            _ => self.unsaid.push(adopted),
        }
    }

    /// There are no more faults: apps say what they have not said.
    pub(super) fn confirm_all(&mut self) {
        for adopted in std::mem::take(&mut self.unsaid) {
            self.add(1, Event::Confirm(adopted));
        }
    }

    /// An app says that it runs what it was told of, under the token that it was told.
    pub(super) fn confirm(&mut self, adopted: Adopted) -> Result<(), Violation> {
        let Adopted { by, shard, key, token } = adopted.clone();
        let runs = |pod: &u32| self.pods.get(pod).is_some_and(|pod| pod.app == App::Running);
        if !self.agents.get(&by).is_some_and(|agent| runs(&agent.pod)) {
            return Ok(());
        }
        self.show_old_token(&adopted)?;
        let request = Request { key, condition: Condition::Token(token), operation: Operation::Confirm };
        match self.perform(by, shard, vec![request], Way::Alone)? {
            Err(WriteError::Joining) => self.add(PAUSE, Event::Confirm(adopted)),
            Err(error) => Invariant::Ownership.of(invariant::ownership::check_refused(self, &adopted, &error))?,
            Ok(_) => {}
        }
        self.after(by)
    }

    /// Whoever shows a token that another came after is refused.
    fn show_old_token(&mut self, adopted: &Adopted) -> Result<(), Violation> {
        let Adopted { by, shard, key, token } = adopted;
        let wall = self.wall(*by);
        let Some(agent) = self.agents.get_mut(by) else { return Ok(()) };
        let seen = agent.seen(*shard);
        let known = self.oracle.sayings(*shard, key).filter(|(_, said)| self.oracle.covers(&seen, said.dot));
        let tokens = known.filter_map(|(saying, _)| Token::of(&saying.owner));
        let Some(old) = tokens.filter(|old| old < token).max() else { return Ok(()) };
        // Of a key that is there it writes nothing.
        let value = Value { content_type: "".into(), body: Default::default() };
        let nothing = Operation::Init { value, expires_at: None };
        let shown = agent.shards[*shard].write_one(key, &Condition::Token(old), nothing, wall);
        // Where the later ones have ended, the old one may be there again.
        let ended = || self.oracle.sayings(*shard, key).any(|(saying, _)| self.oracle.may_have_ended(saying));
        Invariant::Token.of(match shown {
            Ok(_) if !ended() => Err(format!("{by} takes {old} of {key:?}, and was told {token}")),
            _ => Ok(()),
        })
    }
}

/// What a change is to the app, as the agent tells it: the key has come to this replica, and nobody has confirmed it.
fn adopted(change: &Change, me: ReplicaId) -> Option<Token> {
    let mine = |owner: Option<Owner>| owner.filter(|owner| owner.replica == Some(me));
    let before = mine(change.before.as_ref().and_then(|state| state.owner));
    let after = mine(change.after.as_ref().and_then(|state| state.owner));
    after.filter(|owner| before.is_none() && !owner.confirmed).as_ref().and_then(Token::of)
}
