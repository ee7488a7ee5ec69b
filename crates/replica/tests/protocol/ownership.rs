//! Invariant: with stable membership, each owned key ends with exactly one owner, and that owner is a member. No two
//! replicas ever get the same fencing token, and an owner's is above those of all that it follows.

pub(crate) mod overtaken;

use std::collections::BTreeMap;
use std::rc::Rc;

use baton_replica::{
    Answer, Completion, Condition, Handover, Key, MapName, MemberPhase, OnDeparture, Operation, Refusal, ReplicaId,
    Succession, Token, Value, WriteError,
};
use proptest::prelude::*;

use crate::harness::{Chances, Schedule, World, drive, key, roomy, schedules};

fn put(text: &str) -> Operation {
    put_until(text, None)
}

fn put_until(text: &str, expires_at: Option<u64>) -> Operation {
    Operation::Put { value: Value { content_type: "".into(), body: text.to_owned().into() }, expires_at }
}

fn done(world: &mut World, at: ReplicaId, operation: Operation) -> Answer {
    world.write(at, &key("k"), Condition::Always, operation).expect("can be done").answer
}

fn claim(world: &mut World, at: ReplicaId) -> Token {
    let answer = done(world, at, Operation::Claim);
    let Answer::Token(token) = answer else { panic!("{answer:?}") };
    token
}

/// Who owns the key, as a replica sees it, and whether that is confirmed.
fn owner(world: &World, at: ReplicaId) -> Option<(ReplicaId, bool)> {
    let owner = world.shard(at).get(&key("k"), world.now).expect("live")?.owner?;
    Some((owner.replica?, owner.confirmed))
}

fn token(world: &World, at: ReplicaId) -> Option<Token> {
    Token::of(&world.shard(at).get(&key("k"), world.now).expect("live").expect("there").owner?)
}

fn text(world: &World, at: ReplicaId) -> String {
    let read = world.shard(at).get(&key("k"), world.now).expect("live").expect("there");
    String::from_utf8_lossy(&read.value.body).into_owned()
}

#[test]
pub(crate) fn whoever_has_been_followed_is_refused_by_its_token() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("session"));
    let first = claim(&mut world, a);
    world.settle();
    assert_eq!(owner(&world, b), Some((a, true)));
    let second = claim(&mut world, b);
    assert!(second > first);
    world.settle();
    let late = world.write(a, &key("k"), Condition::Token(first), put("late"));
    assert!(matches!(late, Err(WriteError::Condition { .. })));
    world.write(a, &key("k"), Condition::Token(second), put("by the owner")).expect("the owner's token");
    world.settle();
    assert_eq!((owner(&world, a), token(&world, a)), (Some((b, true)), Some(second)));
}

#[test]
pub(crate) fn a_claim_of_what_is_free_fails_once_somebody_has_it() {
    let (mut world, [a]) = World::group(roomy());
    assert_eq!(
        world.write(a, &key("k"), Condition::Always, Operation::Claim),
        Err(WriteError::Refused(Refusal::NoValue))
    );
    done(&mut world, a, put("session"));
    let claim = |world: &mut World| world.write(a, &key("k"), Condition::Unowned, Operation::Claim);
    assert!(claim(&mut world).is_ok());
    assert!(claim(&mut world).is_err());
    done(&mut world, a, Operation::Release);
    assert_eq!(owner(&world, a), None);
    assert!(claim(&mut world).is_ok());
}

#[test]
pub(crate) fn two_claims_in_the_same_millisecond_get_different_tokens_and_one_owner() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, b, put("session"));
    world.settle();
    let now = world.now;
    let tokens = [a, c].map(|id| {
        let node = world.node(id);
        let done = node.shard.write_one(&key("k"), &Condition::Always, Operation::Claim, now + node.skew);
        node.wake_all();
        let Answer::Token(token) = done.expect("can be done").answer else { panic!("no token") };
        token
    });
    assert_eq!(tokens[0].number, tokens[1].number);
    assert_ne!(tokens[0], tokens[1]);
    world.settle();
    for id in [a, b, c] {
        assert_eq!(token(&world, id), tokens.into_iter().max());
    }
}

#[test]
pub(crate) fn a_token_is_above_one_that_was_given_by_a_clock_ahead_for_a_key_that_is_no_more() {
    let (mut world, [a, b]) = World::group(roomy());
    assert!(world.nodes[&a].skew > world.nodes[&b].skew);
    done(&mut world, a, put("first"));
    let first = claim(&mut world, a);
    done(&mut world, a, Operation::Delete);
    world.settle();
    done(&mut world, b, put("second"));
    assert!(claim(&mut world, b) > first);
}

#[test]
pub(crate) fn a_newcomer_knows_the_highest_token_of_what_was_deleted_before_it_came() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("first"));
    let first = claim(&mut world, a);
    done(&mut world, a, Operation::Delete);
    world.settle();
    let c = world.spawn();
    let d = world.spawn();
    world.settle();
    let behind = if world.nodes[&c].skew == 0 { c } else { d };
    done(&mut world, behind, put("second"));
    assert!(claim(&mut world, behind) > first);
    assert!(world.nodes[&b].skew == 0);
}

#[test]
pub(crate) fn the_first_claim_survives_a_deletion_and_a_put_that_have_not_seen_it() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    world.settle();
    let first = claim(&mut world, b);
    done(&mut world, c, Operation::Delete);
    done(&mut world, c, put("two"));
    world.settle_owners();
    assert!([a, b, c].into_iter().all(|id| token(&world, id) == Some(first)));
}

#[test]
pub(crate) fn a_release_survives_a_put_that_has_seen_neither_it_nor_the_claim_before() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("one"));
    world.settle();
    world.cut_off(c);
    claim(&mut world, b);
    world.settle();
    done(&mut world, a, Operation::Release);
    done(&mut world, c, put("two"));
    world.come_into_sight(c);
    world.settle_owners();
    for id in [a, b, c] {
        assert_eq!(owner(&world, id), None);
    }
}

#[test]
pub(crate) fn a_key_that_has_expired_and_is_put_anew_does_not_get_its_old_owner_back() {
    let (mut world, [a, b]) = World::group(roomy());
    let expires_at = Some(world.now + 40_000);
    let value = Value { content_type: "".into(), body: "one".into() };
    done(&mut world, a, Operation::Put { value, expires_at });
    claim(&mut world, a);
    world.settle();
    // Whose clock is ahead drops it first.
    let (ahead, behind) = if world.nodes[&a].skew > world.nodes[&b].skew { (a, b) } else { (b, a) };
    world.now += 20_000;
    done(&mut world, ahead, put("two"));
    world.settle_owners();
    assert_eq!(owner(&world, ahead), None);
    world.now += 20_000;
    world.settle_owners();
    assert_eq!((owner(&world, ahead), owner(&world, behind)), (None, None));
}

/// Siblings have owners of their own: the end of one does not leave the key to the owner of another, who has gone meanwhile.
#[test]
fn what_an_expiry_leaves_stays_with_the_last_owner() {
    // The clock of the second is behind, and so are its tokens.
    let (mut world, [b, a, c]) = World::group(roomy());
    for (one, other) in [(a, b), (a, c), (b, c)] {
        world.part(one, other);
    }
    done(&mut world, a, put("one"));
    claim(&mut world, a);
    world.now += 1_000;
    let value = Value { content_type: "".into(), body: "two".into() };
    let expires_at = Some(world.now + 60_000);
    done(&mut world, b, Operation::Put { value, expires_at });
    claim(&mut world, b);
    world.settle_owners();
    assert_eq!(owner(&world, c), Some((b, true)), "the greater token");
    world.crash(a);
    world.settle_owners();
    world.now += 100_000;
    for id in [b, c] {
        let now = world.now;
        let node = world.node(id);
        node.shard.expire(now + node.skew, 16);
    }
    world.settle_owners();
    assert_eq!([b, c].map(|id| owner(&world, id)), [Some((b, true)); 2], "the greater token stays");
}

#[test]
pub(crate) fn a_key_that_is_deleted_and_put_anew_does_not_get_its_old_owner_back() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("one"));
    claim(&mut world, a);
    world.settle();
    done(&mut world, b, Operation::Delete);
    done(&mut world, b, put("two"));
    world.settle_owners();
    assert_eq!(owner(&world, a), None);
}

#[test]
pub(crate) fn what_a_leaver_owns_is_adopted_and_confirmed_by_survivors() {
    let (mut world, [a, b, c]) = World::group(roomy());
    let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for name in &names {
        world.write(a, &key(name), Condition::Always, put("session")).expect("live");
        world.write(a, &key(name), Condition::Always, Operation::Claim).expect("live");
    }
    world.settle_owners();
    world.leave(a);
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 20, unconfirmed: 0 });
    let complete = |world: &World| {
        let handover = world.shard(a).handover();
        [Completion::Replicated, Completion::Adopted, Completion::Confirmed]
            .map(|what| handover.awaited(what) == Handover::default())
    };
    assert_eq!(complete(&world), [true, false, false]);
    world.settle_owners();
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 20 });
    assert_eq!(complete(&world), [true, true, false]);
    let owned = [b, c].map(|id| world.shard(id).owned(None, 100, world.now).expect("live"));
    assert_eq!(owned[0].len() + owned[1].len(), 20);
    assert!(owned.iter().all(|rows| !rows.is_empty() && rows.is_sorted_by(|one, two| one.key < two.key)));
    let (last, rest) = owned[0].split_last().expect("not empty");
    for row in rest.iter().chain(&owned[1]) {
        let at = row.read.owner.and_then(|owner| owner.replica).expect("owned");
        world.write(at, &row.key, Condition::Always, Operation::Confirm).expect("its own");
    }
    world.settle();
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
    world.write(c, &last.key, Condition::Always, Operation::Delete).expect("live");
    world.settle();
    assert_eq!(world.shard(a).handover(), Handover::default());
    assert_eq!(complete(&world), [true, true, true]);
}

/// A node is drained: what its first pod owned does not go to its second, which would hand it on.
#[test]
fn what_is_owned_on_a_node_that_is_drained_changes_hands_once() {
    let (mut world, [a, b, c]) = World::group(roomy());
    [(a, "n1"), (b, "n1"), (c, "n2")].into_iter().for_each(|(id, node)| world.operator.runs_on(id, node));
    for number in 0..20 {
        world.write(a, &key(&number.to_string()), Condition::Always, put("session")).expect("live");
        world.write(a, &key(&number.to_string()), Condition::Always, Operation::Claim).expect("live");
    }
    world.settle_owners();
    world.leave(a);
    world.settle_owners();
    assert_eq!([a, b, c].map(|id| world.shard(id).owned_count()), [0, 0, 20]);
    world.leave(b);
    world.settle_owners();
    assert_eq!([a, b, c].map(|id| world.shard(id).owned_count()), [0, 0, 20]);
    world.leave(c);
    let d = world.spawn();
    world.operator.runs_on(d, "n2");
    world.settle_owners();
    assert_eq!(world.shard(d).owned_count(), 20, "nobody waits for another node");
}

/// The list says that it leaves, its peer's adoption follows at once, and its shell begins to leave a moment later.
#[test]
fn a_leaver_waits_for_the_confirmation_of_what_was_adopted_before_it_began_to_leave() {
    let (mut world, [a, b]) = adopted_ahead(|world, a| {
        let list = world.operator.list();
        assert!(world.node(a).take(&list).is_empty());
    });
    world.leave(a);
    world.settle_owners();
    assert_eq!((owner(&world, a), unconfirmed(&world, a)), (Some((b, false)), 1));
}

/// Who has a members file finds out for itself, perhaps after its peers: they pass no list on.
#[test]
fn a_leaver_waits_for_the_confirmation_of_what_was_adopted_before_it_heard_that_it_leaves() {
    let (mut world, [a, b]) = adopted_ahead(|_, _| {});
    world.leave(a);
    assert_eq!((owner(&world, a), unconfirmed(&world, a)), (Some((b, false)), 1));
    world.settle_owners();
    done(&mut world, b, Operation::Confirm);
    world.settle_owners();
    assert_eq!(world.shard(a).handover(), Handover::default());
}

/// A pod is told to end; its peer has heard of it, and what the peer has adopted arrives after this much was done.
fn adopted_ahead(heard: impl FnOnce(&mut World, ReplicaId)) -> (World, [ReplicaId; 2]) {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    world.terminate(a);
    world.push(b);
    assert_eq!(world.adopt(b), 1);
    heard(&mut world, a);
    let link = world.network.link(a, b).expect("up");
    let now = world.now;
    while let Some(message) = world.node(b).shard.poll_transmit(a, link) {
        world.node(a).handle(b, link, message, now).expect("sound");
    }
    assert_eq!(owner(&world, a), Some((b, false)));
    (world, [a, b])
}

fn unconfirmed(world: &World, at: ReplicaId) -> usize {
    world.shard(at).handover().unconfirmed
}

/// The word of an app that runs the session no more is worth nothing to who is held for it.
#[test]
pub(crate) fn a_leaver_waits_for_the_app_of_whoever_owns_its_key_last() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    world.leave(a);
    world.settle_owners();
    let (adopter, _) = owner(&world, b).expect("adopted");
    done(&mut world, adopter, Operation::Confirm);
    world.settle_owners();
    assert_eq!(world.shard(a).handover(), Handover::default());
    world.crash(adopter);
    world.settle_owners();
    let last = if adopter == b { c } else { b };
    assert_eq!(owner(&world, a), Some((last, false)));
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
    done(&mut world, last, Operation::Confirm);
    world.settle_owners();
    assert_eq!(world.shard(a).handover(), Handover::default());
}

/// Somebody releases the session while another, who has not heard of that, adopts it.
#[test]
pub(crate) fn a_leaver_waits_for_the_app_of_who_has_adopted_what_was_released_meanwhile() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    let adopter = [b, c].into_iter().find(|id| {
        let mut roster = world.shard(*id).roster().clone();
        roster.heard(a, MemberPhase::Leaving);
        Succession::of(&roster, true).adopter(&key("k"), a) == Some(*id)
    });
    let adopter = adopter.expect("one of them");
    let other = if adopter == b { c } else { b };
    world.part(adopter, other);
    world.part(adopter, a);
    done(&mut world, other, Operation::Release);
    world.leave(a);
    while world.exchange_once(other, a) {}
    assert_eq!((owner(&world, a), world.shard(a).handover()), (None, Handover::default()));
    world.now += 100_000;
    world.push(adopter);
    assert_eq!(world.adopt(adopter), 1);
    [a, other].into_iter().for_each(|id| world.connect(adopter, id));
    world.settle_owners();
    assert_eq!(owner(&world, a), Some((adopter, false)));
    assert_eq!(world.shard(a).handover(), Handover { unadopted: 0, unconfirmed: 1 });
}

/// A pod that was relabelled out of its group is leaving for as long as it lives, and its app goes on: it noted each session
/// that another has taken over, and kept the note when the session had long ended.
#[test]
fn a_leaver_that_stays_forgets_the_sessions_that_it_gave_away_when_they_have_ended() {
    let (mut world, [a, b]) = World::group(roomy());
    world.leave(a);
    world.settle_owners();
    for number in 0..10 {
        let session = key(&format!("session {number}"));
        let write = |world: &mut World, at, operation| {
            world.write(at, &session, Condition::Always, operation).expect("can be done");
        };
        write(&mut world, a, put("session"));
        write(&mut world, a, Operation::Claim);
        world.settle_owners();
        if number % 2 == 0 {
            write(&mut world, b, Operation::Confirm);
            world.settle_owners();
        }
        assert_eq!(world.shard(a).noted_owners(), 1);
        write(&mut world, b, Operation::Delete);
        world.settle_owners();
        assert_eq!((world.shard(a).remembered_keys(), world.shard(a).noted_owners()), (0, 0));
    }
}

#[test]
pub(crate) fn only_the_owner_confirms() {
    let (mut world, [a, b]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle();
    let refused = world.write(b, &key("k"), Condition::Always, Operation::Confirm);
    assert_eq!(refused, Err(WriteError::Refused(Refusal::NotOwner)));
}

#[test]
pub(crate) fn a_key_whose_adopter_crashes_finds_another() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    let first = claim(&mut world, a);
    world.settle_owners();
    world.leave(a);
    world.settle_owners();
    let (adopter, confirmed) = owner(&world, b).expect("adopted");
    assert!([b, c].contains(&adopter) && !confirmed);
    let second = token(&world, b).expect("adopted");
    world.crash(adopter);
    world.settle_owners();
    let last = if adopter == b { c } else { b };
    assert_eq!(owner(&world, last), Some((last, false)));
    assert!(first < second && Some(second) < token(&world, last));
}

#[test]
pub(crate) fn a_put_with_the_register_of_one_who_is_gone_is_adopted_again() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    claim(&mut world, a);
    world.settle_owners();
    world.part(b, c);
    world.crash(a);
    while world.operator.bury() {}
    for id in [b, c] {
        world.push(id);
        world.adopt(id);
    }
    for id in [b, c] {
        done(&mut world, id, put("put by one who has not seen the adoption"));
    }
    world.settle_owners();
    let owners = [b, c].map(|id| owner(&world, id).expect("owned").0);
    assert!(owners[0] == owners[1] && [b, c].contains(&owners[0]));
}

#[test]
pub(crate) fn what_a_removed_process_owned_alone_is_adopted_when_it_comes_back() {
    let (mut world, [a, b, c]) = World::group(roomy());
    world.cut_off(c);
    done(&mut world, c, put("session"));
    let first = claim(&mut world, c);
    world.expel(c);
    world.settle_owners();
    let back = world.come_back(c);
    while owner(&world, a).is_none_or(|(owner, _)| owner == c) {
        world.settle();
        assert!([a, b, back].into_iter().map(|id| world.adopt(id)).sum::<usize>() > 0, "nobody adopts it");
        world.settle();
    }
    world.settle_owners();
    for id in [a, b, back] {
        assert_eq!(owner(&world, id), owner(&world, a));
        assert!(token(&world, id) > Some(first));
    }
}

#[test]
pub(crate) fn what_is_left_to_keepers_waits_for_a_member_with_an_app() {
    let (mut world, [a, b, c]) = World::group(roomy());
    done(&mut world, a, put("session"));
    let first = claim(&mut world, a);
    [b, c].into_iter().for_each(|keeper| world.operator.has_no_app(keeper));
    world.settle_owners();
    world.crash(a);
    world.settle_owners();
    for keeper in [b, c] {
        assert_eq!((owner(&world, keeper), token(&world, keeper)), (Some((a, true)), Some(first)));
        assert!(!world.shard(keeper).adoption_due());
    }
    let d = world.spawn();
    world.settle_owners();
    for id in [b, c, d] {
        assert_eq!(owner(&world, id), Some((d, false)));
        assert!(token(&world, id) > Some(first));
    }
}

#[test]
pub(crate) fn a_map_may_keep_or_release_what_its_members_leave() {
    let policies = [(OnDeparture::Keep, true), (OnDeparture::Release, false)];
    // A keeper, too, as long as nobody with an app is there.
    for ((policy, remains), keeper) in
        policies.into_iter().zip([false, true]).chain(policies.into_iter().zip([true, false]))
    {
        let (mut world, [a, b]) = World::group(roomy());
        done(&mut world, a, put("presence"));
        claim(&mut world, a);
        world.settle_owners();
        let mut list = (*world.operator.list()).clone();
        list.version.number += 1;
        list.settings.on_departure = vec![(MapName::parse("map").expect("valid"), policy)];
        list.members.iter_mut().filter(|row| row.replica == a).for_each(|row| row.phase = MemberPhase::Leaving);
        list.members.iter_mut().filter(|row| row.replica == b).for_each(|row| row.keeper = keeper);
        world.node(b).take(&Rc::new(list));
        assert_eq!(world.adopt(b), 1);
        let read = world.shard(b).get(&key("k"), world.now).expect("live");
        assert_eq!(read.is_some(), remains);
        assert_eq!(read.and_then(|read| read.owner?.replica), None);
    }
}

/// Every token that anybody has seen, and the key that it is for.
#[derive(Debug, Default)]
struct Tokens(BTreeMap<Token, Key>);

impl Tokens {
    fn act(&mut self, world: &mut World, at: ReplicaId, key: &Key, choice: u8) {
        let operation = match choice % 12 {
            0..3 => put(&choice.to_string()),
            3 => Operation::Delete,
            4 => Operation::Release,
            5 => Operation::Confirm,
            6 => Operation::Increment(1),
            7..9 => {
                world.adopt(at);
                return;
            }
            _ => Operation::Claim,
        };
        let seen = visible(world, at).map(|(token, _)| token).max();
        let done = world.write(at, key, Condition::Always, operation);
        if let Ok(Answer::Token(token)) = done.map(|done| done.answer) {
            assert!(Some(token) > seen, "{at} was given a token that is not above what it had seen");
            assert!(self.0.insert(token, key.clone()).is_none(), "{at} was given a token that was given before");
        }
    }

    /// A token is of one key, and of the replica that became its owner with it.
    fn check(&mut self, world: &World) {
        for at in world.ids() {
            for (token, key) in visible(world, at) {
                let first = self.0.entry(token).or_insert_with(|| key.clone());
                assert_eq!(*first, key, "{token} is of two keys");
            }
        }
    }
}

/// The tokens of the owners that a replica sees.
fn visible(world: &World, at: ReplicaId) -> impl Iterator<Item = (Token, Key)> {
    world.shard(at).entries().filter_map(|(key, entry)| {
        let owner = *entry.owner()?;
        Some((Token::of(&owner)?, key))
    })
}

fn check(schedule: &Schedule) {
    let tokens = std::cell::RefCell::new(Tokens::default());
    let world = drive(
        schedule,
        |world, at, key, choice| tokens.borrow_mut().act(world, at, key, choice),
        |world| tokens.borrow_mut().check(world),
    );
    let seen = |at| visible(&world, at).map(|(token, key)| (key, token)).collect::<BTreeMap<_, _>>();
    let staying: Vec<ReplicaId> = world.nodes.iter().filter(|(_, node)| !node.sealed).map(|(id, _)| *id).collect();
    for at in &staying {
        assert_eq!(seen(*at), seen(staying[0]), "{at} and {} differ", staying[0]);
    }
    for (key, token) in seen(staying[0]) {
        let phase = world.nodes.get(&token.by).map(|node| node.phase);
        assert_eq!(phase, Some(MemberPhase::Active), "{key:?} is owned by {}", token.by);
    }
}

proptest! {
    #![proptest_config(crate::harness::config(192))]

    #[test]
    fn every_owned_key_ends_with_one_owner_who_is_a_member(
        schedule in schedules(Chances { put: 16, delete: 16, spawn: 4, leave: 4, ..Chances::EVERYTHING }, 240),
    ) {
        check(&schedule);
    }
}
