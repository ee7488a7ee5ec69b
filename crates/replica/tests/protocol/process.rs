//! A process is as far as the slowest of its shards, each of which is handed off to whom it may be.

use std::time::Duration;

use baton_replica::{
    Action, Budget, Completion, Condition, Handover, Lifecycle, Membership, Need, Operation, Outcome, Progress,
    ReplicaId, Settings, Shard, Shards, Stage, Surroundings,
};

use crate::harness::{World, key, roomy};

const NEED: Need = Need { acks: 1, level: 0 };

/// A group of processes of two shards: a world for each, in which they have the same ids.
struct Group([World; 2]);

/// One of them.
struct Process<'a>(&'a Group, ReplicaId);

impl Shards for Process<'_> {
    fn count(&self) -> usize {
        self.0.0.len()
    }

    fn look_at<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R {
        look(self.0.0[index].shard(self.1))
    }
}

// === impl Group ===

impl Group {
    fn new<const N: usize>() -> (Self, [ReplicaId; N]) {
        let (one, ids) = World::group(roomy());
        let (other, same) = World::group(roomy());
        assert_eq!(ids, same);
        (Self([one, other]), ids)
    }

    fn exchange(&mut self, a: ReplicaId, b: ReplicaId) {
        self.0.iter_mut().for_each(|world| world.exchange(a, b));
    }

    /// What the lifecycle asks of a process, whose group asks for this, until there is nothing.
    fn drive(&mut self, life: &mut Lifecycle, id: ReplicaId, settings: &Settings, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        let list = self.list(settings);
        while let Some(action) = {
            let roster = self.0[0].shard(id).roster();
            life.next_action(&Surroundings::of(roster, Some(&list)), &Process(self, id), now)
        } {
            actions.push(action);
            match action {
                Action::AnnounceLeaving => self.0.iter_mut().for_each(|world| world.leave(id)),
                Action::Seal => self.0.iter_mut().for_each(|world| world.seal(id)),
                _ => {}
            }
        }
        actions
    }

    fn list(&self, settings: &Settings) -> Membership {
        Membership { settings: settings.clone(), ..(*self.0[0].operator.list()).clone() }
    }
}

fn life() -> Lifecycle {
    let seconds = Duration::from_secs;
    Lifecycle::new(Budget { grace: seconds(30), handoff_timeout: seconds(20), stop_without_hook: seconds(30) })
}

#[test]
fn a_process_is_covered_when_all_its_shards_are_each_by_another_perhaps() {
    let (mut group, [leaver, a, b]) = Group::new();
    let clocks = |group: &Group| Process(group, leaver).clocks();
    assert_eq!(Process(&group, leaver).progress(&clocks(&group), NEED), Progress::Nothing);
    for (world, apart) in group.0.iter_mut().zip([b, a]) {
        world.part(leaver, apart);
        world.put(leaver, &key("k"));
        world.leave(leaver);
    }
    group.0[0].exchange(leaver, a);
    assert_eq!(Process(&group, leaver).progress(&clocks(&group), NEED), Progress::Uncovered, "one of two shards is");
    assert_eq!(Process(&group, leaver).covering(&clocks(&group), NEED), []);
    group.0[1].exchange(leaver, b);
    assert_eq!(Process(&group, leaver).progress(&clocks(&group), NEED), Progress::Covered);
    assert_eq!(Process(&group, leaver).covering(&clocks(&group), NEED), [], "nobody has both");
    group.0[1].connect(leaver, a);
    group.0[1].exchange(leaver, a);
    assert_eq!(Process(&group, leaver).covering(&clocks(&group), NEED), [a]);
    assert_eq!(Process(&group, leaver).keys_not_covered(), 0);
}

#[test]
fn a_hook_answers_for_what_was_known_when_it_was_called_and_the_end_for_everything() {
    let (mut group, [leaver, survivor]) = Group::new();
    let (mut life, settings) = (life(), Settings::default());
    group.0[0].put(leaver, &key("early"));
    life.hook(0);
    assert_eq!(group.drive(&mut life, leaver, &settings, 0), [Action::AnnounceLeaving, Action::AskAgain]);
    group.exchange(leaver, survivor);
    group.0[1].put(leaver, &key("late"));
    let returned = Action::ReturnHook(Outcome::Acknowledged);
    assert_eq!(group.drive(&mut life, leaver, &settings, 1), [returned], "the late write is not its concern");
    let list = group.list(&settings);
    let around = Surroundings::of(group.0[0].shard(leaver).roster(), Some(&list));
    let hook = life.account(Stage::Hook, Outcome::Acknowledged, &around, &Process(&group, leaver));
    assert_eq!((hook.covered, hook.survivors, hook.keys_not_covered), (true, vec![survivor], 0));
    let end = life.account(Stage::Sealed, Outcome::Failed, &around, &Process(&group, leaver));
    assert_eq!((end.covered, end.survivors, end.keys_not_covered), (false, vec![], 1));

    life.stop(2);
    assert_eq!(group.drive(&mut life, leaver, &settings, 2), [Action::Seal]);
    group.exchange(leaver, survivor);
    assert_eq!(group.drive(&mut life, leaver, &settings, 3), [Action::Exit(Outcome::Acknowledged)]);
}

#[test]
fn a_hook_waits_for_new_owners_if_the_group_asks_for_them_and_the_end_does_not() {
    let (mut group, [leaver, survivor]) = Group::new();
    let (mut life, settings) = (life(), Settings { completion: Completion::Adopted, ..Settings::default() });
    group.0[1].put(leaver, &key("k"));
    group.0[1].write(leaver, &key("k"), Condition::Always, Operation::Claim).expect("live");
    life.hook(0);
    group.drive(&mut life, leaver, &settings, 0);
    group.exchange(leaver, survivor);
    assert_eq!(group.drive(&mut life, leaver, &settings, 1), []);
    let list = group.list(&settings);
    let around = Surroundings::of(group.0[0].shard(leaver).roster(), Some(&list));
    let waits = life.account(Stage::Hook, Outcome::Failed, &around, &Process(&group, leaver));
    assert_eq!((waits.covered, waits.handover), (true, Handover { unadopted: 1, unconfirmed: 0 }));

    life.stop(2);
    assert_eq!(group.drive(&mut life, leaver, &settings, 2), [Action::Seal]);
    group.exchange(leaver, survivor);
    assert_eq!(group.drive(&mut life, leaver, &settings, 3), [Action::Exit(Outcome::Acknowledged)]);
}
