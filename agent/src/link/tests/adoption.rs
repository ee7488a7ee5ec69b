//! Who takes over what a leaver owns, and what the leaver sees of it.

use baton_replica::{Completion, Effects, Handover, OnDeparture, Roster, Wake};

use super::*;

const KEYS: usize = 20;

// === impl Town ===

impl Town {
    /// Tells all agents what the group asks of them.
    fn ask(&mut self, settings: &Settings) {
        let list = Membership { settings: settings.clone(), ..self.list(&[]) };
        self.agents.iter().for_each(|agent| agent.engine.take_membership_from_source(list.clone()));
    }

    /// Claims keys at one agent, and waits until all know whose they are.
    async fn own(&self, at: usize) {
        for number in 0..KEYS {
            self[at].put(&number.to_string()).await;
            self[at].operate(number, Operation::Claim);
        }
        let owner = Some(id(at as u64 + 1));
        wait("all know the owner", || (0..self.agents.len()).all(|other| self[other].owners() == vec![owner; KEYS]))
            .await;
    }
}

// === impl Agent ===

impl Agent {
    fn operate(&self, number: usize, operation: Operation) {
        let key = key(&number.to_string());
        self.engine.with_shard((key.hash() % SHARDS as u64) as usize, None, |shard| {
            shard.write_one(&key, &Condition::Always, operation, crate::engine::wall_millis()).expect("it is live");
            Effects { wake: Wake::All, ..Effects::default() }
        });
    }

    /// What of its keys its group asks it to wait for.
    fn awaited(&self) -> Handover {
        self.engine.handover().awaited(self.engine.settings().completion)
    }

    /// The owners of the keys that are left.
    fn owners(&self) -> Vec<Option<ReplicaId>> {
        let read = |number: usize| self.engine.get(&key(&number.to_string())).expect("it is live");
        (0..KEYS).filter_map(read).map(|read| read.owner.and_then(|owner| owner.replica)).collect()
    }
}

#[tokio::test]
async fn survivors_take_over_what_a_leaver_owns_and_it_sees_them_do_so() {
    let mut town = Town::of(3).await;
    town.ask(&Settings { completion: Completion::Confirmed, ..Settings::default() });
    town.own(2).await;
    assert_eq!(town[2].awaited(), Handover { unadopted: KEYS, unconfirmed: 0 });

    town[2].engine.update_roster(Roster::leave);
    town[2].engine.set_phase(Phase::Draining);
    wait("all has another owner", || town[2].engine.handover().unadopted == 0).await;
    assert_eq!(town[2].awaited(), Handover { unadopted: 0, unconfirmed: KEYS });
    let owners = town[0].owners();
    assert!(owners.iter().all(|owner| [Some(id(1)), Some(id(2))].contains(owner)), "{owners:?}");

    for (number, owner) in owners.into_iter().enumerate() {
        let at = if owner == Some(id(1)) { 0 } else { 1 };
        town[at].operate(number, Operation::Confirm);
    }
    wait("all is confirmed", || town[2].awaited() == Handover::default()).await;
}

#[tokio::test]
async fn a_keeper_takes_nothing_over() {
    let mut town = Town::of(3).await;
    town.own(2).await;
    let mut list = town.list(&[]);
    list.members[0].keeper = true;
    town.agents.iter().for_each(|agent| agent.engine.take_membership_from_source(list.clone()));
    town[2].engine.update_roster(Roster::leave);
    town[2].engine.set_phase(Phase::Draining);
    wait("all has another owner", || town[2].engine.handover().unadopted == 0).await;
    wait("all know it", || town[0].owners() == vec![Some(id(2)); KEYS]).await;
}

#[tokio::test]
async fn what_is_kept_or_released_needs_no_new_owner() {
    for (what, left) in [(OnDeparture::Keep, vec![None; KEYS]), (OnDeparture::Release, vec![])] {
        let mut town = Town::of(2).await;
        let map = MapName::parse("default").expect("a name");
        let settings =
            Settings { completion: Completion::Adopted, on_departure: vec![(map, what)], ..Settings::default() };
        town.ask(&settings);
        town.own(1).await;
        town[1].engine.update_roster(Roster::leave);
        town[1].engine.set_phase(Phase::Draining);
        wait("nothing is owned", || town[1].awaited() == Handover::default()).await;
        assert_eq!(town[0].owners(), left, "{what:?}");
    }
}

#[tokio::test]
async fn a_group_that_does_not_ask_for_it_waits_for_no_owner() {
    let town = Town::of(2).await;
    town.own(1).await;
    assert_eq!(town[1].engine.handover(), Handover { unadopted: KEYS, unconfirmed: 0 });
    assert_eq!(town[1].awaited(), Handover::default());
}
