//! What a process makes of the lists that it hears of.

use super::*;
use crate::{Limits, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster, Settings, Shard};

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
                    self.roster.take(self.list.as_ref().expect("one has removed it"));
                    self.shards = shards(&self.roster);
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

#[test]
fn who_is_removed_while_it_leaves_goes_on_leaving() {
    let mut process = Process::live();
    process.life.hook(0);
    let actions = process.hear(list(1, MemberPhase::Gone), 1);
    assert_eq!(actions.first(), Some(&Action::AnnounceLeaving));
    assert!(!actions.contains(&Action::BeginAgain), "{actions:?}");
    assert!(process.life.leaving());
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
