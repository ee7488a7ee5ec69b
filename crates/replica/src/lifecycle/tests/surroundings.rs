//! What a process makes of the lists that it hears of.

use super::*;
use crate::{
    Condition, Key, Limits, MapName, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster, Settings,
    Shard, Value,
};

const ME: u64 = 1;

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

/// A list of this process and another, in which it is so far.
fn list(number: u64, phase: MemberPhase) -> Membership {
    Membership {
        version: MembershipVersion { uid: "u".to_owned(), number },
        members: vec![Member::new(id(ME), phase), Member::new(id(2), MemberPhase::Active)],
        first: None,
        settings: Settings::default(),
        follows: Vec::new(),
    }
}

fn shards(roster: &Roster) -> Vec<Shard> {
    (0..2).map(|index| Shard::new(index, roster.clone(), Limits::default())).collect()
}

/// A process of two shards that has just started.
struct Process {
    life: Lifecycle,
    roster: Roster,
    list: Option<Membership>,
    shards: Vec<Shard>,
}

// === impl Process ===

impl Process {
    fn new() -> Self {
        let roster = Roster::new(id(ME));
        Self { life: Lifecycle::new(active(30).budget), shards: shards(&roster), roster, list: None }
    }

    /// One that holds the state.
    fn live() -> Self {
        let mut process = Self::new();
        process.start_empty();
        process
    }

    fn start_empty(&mut self) {
        self.shards.iter_mut().for_each(|shard| _ = shard.start_empty());
    }

    fn put(&mut self, name: &str) {
        let key = Key::new(&MapName::parse("map").expect("valid"), name.as_bytes()).expect("valid");
        let value = Value { content_type: "".into(), body: "v".into() };
        self.shards[0].put(&key, value, &Condition::Always, 0).expect("live");
    }

    /// It is told this list, and asked what to do until there is nothing.
    fn hear(&mut self, list: Membership, now: u64) -> Vec<Action> {
        self.roster.take(&list);
        self.list = Some(list);
        self.look(now)
    }

    fn look(&mut self, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) =
            self.life.next_action(&Surroundings::of(&self.roster, self.list.as_ref()), &self.shards, now)
        {
            actions.push(action);
            match action {
                Action::StartEmpty => self.start_empty(),
                Action::BeginAgain => {
                    self.roster = Roster::new(id(9));
                    if let Some(list) = &self.list {
                        self.roster.take(list);
                    }
                    let former = std::mem::replace(&mut self.shards, shards(&self.roster));
                    self.shards.iter_mut().zip(former).for_each(|(shard, former)| shard.inherit(former));
                }
                _ => {}
            }
        }
        actions
    }
}

#[test]
fn who_is_the_first_starts_without_state_once() {
    let mut process = Process::new();
    assert_eq!(process.hear(list(1, MemberPhase::Joining), 0), []);
    let first = |number, of| Membership { first: Some(id(of)), ..list(number, MemberPhase::Joining) };
    assert_eq!(process.hear(first(2, 2), 1), [], "another is");
    assert_eq!(process.life.phase(), Phase::Joining);
    assert_eq!(process.hear(first(3, ME), 2), [Action::StartEmpty]);
    assert_eq!(process.life.phase(), Phase::Active);
    assert_eq!(process.look(3), []);
}

#[test]
fn neither_who_holds_the_state_nor_who_leaves_starts_without_it() {
    let first = Membership { first: Some(id(ME)), ..list(1, MemberPhase::Joining) };
    assert_eq!(Process::live().hear(first.clone(), 0), []);
    let mut leaver = Process::new();
    leaver.life.hook(0);
    let actions = leaver.hear(first, 1);
    assert!(!actions.contains(&Action::StartEmpty), "{actions:?}");
}

#[test]
fn a_grant_that_was_not_acted_on_yet_is_asked_for_once() {
    let mut process = Process::new();
    process.list = Some(Membership { first: Some(id(ME)), ..list(1, MemberPhase::Joining) });
    let around = Surroundings::of(&process.roster, process.list.as_ref());
    process.life.notice(&around, false, 0);
    process.life.notice(&around, false, 1);
    assert_eq!(actions(&mut process.life), [Action::StartEmpty]);
}

#[test]
fn who_is_removed_begins_again_and_joins_anew() {
    let mut process = Process::live();
    assert_eq!(process.hear(list(1, MemberPhase::Active), 0), []);
    assert_eq!(process.life.phase(), Phase::Active);
    assert_eq!(process.hear(list(2, MemberPhase::Gone), 1), [Action::BeginAgain]);
    assert_eq!((process.life.phase(), process.life.leaving()), (Phase::Joining, false));
    assert_eq!(process.look(2), [], "the new id is nobody's whom the list calls Gone");
}

#[test]
fn a_hook_before_the_new_id_is_taken_comes_after_it() {
    let mut process = Process::live();
    process.roster.take(&list(1, MemberPhase::Gone));
    process.life.notice(&Surroundings::of(&process.roster, None), true, 0);
    process.life.hook(1);
    assert_eq!(actions(&mut process.life), [Action::BeginAgain, Action::AnnounceLeaving, Action::AskAgain]);
}

/// Nobody else may have what it holds: under its new id it hands that off, in the time that it has left.
#[test]
fn who_is_removed_while_it_leaves_begins_again_and_leaves() {
    let mut process = Process::live();
    process.put("k");
    process.life.hook(0);
    assert_eq!(process.look(1), [Action::AnnounceLeaving, Action::AskAgain]);
    let again = [Action::BeginAgain, Action::AnnounceLeaving, Action::AskAgain];
    assert_eq!(process.hear(list(1, MemberPhase::Gone), 2), again);
    assert_eq!((process.life.phase(), process.life.leaving()), (Phase::Draining, true));
    assert_eq!(process.look(3), [], "it is not handed off, but to be issued again");
    process.life.stop(4);
    assert_eq!(process.look(5), [], "what is sealed takes in no state");
    let failed = Outcome::Failed;
    assert_eq!(process.look(30_000), [Action::ReturnHook(failed), Action::Exit(failed)], "counted from the first call");
}

#[test]
fn who_is_removed_when_its_app_is_gone_is_sealed_once_more() {
    let mut process = Process::live();
    process.life.stop(0);
    process.roster.take(&list(1, MemberPhase::Gone));
    let again = [Action::BeginAgain, Action::AnnounceLeaving, Action::Seal, Action::Exit(Outcome::Nothing)];
    assert_eq!(process.look(1), again, "it holds nothing");
    assert_eq!(process.life.phase(), Phase::Sealed);
}

#[test]
fn whom_the_list_calls_leaving_leaves_with_the_grace_that_it_says() {
    let mut process = Process::live();
    let mut leaving = list(1, MemberPhase::Leaving);
    leaving.members[0].grace = Some(Duration::from_secs(60));
    leaving.settings.handoff_timeout = Duration::from_secs(40);
    assert_eq!(process.hear(leaving, 5), [Action::AnnounceLeaving]);
    assert_eq!(process.life.budget.hold(), Duration::from_secs(40));
    let others =
        Membership { members: list(2, MemberPhase::Leaving).members.split_off(1), ..list(2, MemberPhase::Active) };
    assert_eq!(Process::live().hear(others, 5), [], "a list that does not name it says nothing of it");
}
