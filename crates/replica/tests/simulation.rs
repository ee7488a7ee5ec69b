//! What the simulation has found, each in the fewest steps that show it.

mod pair;

use baton_replica::{
    Condition, Key, MapName, MemberPhase, Membership, MembershipVersion, Need, Operation, Shard, ShardMessage, Value,
};

use pair::{LINK, NOW, exchange, id, link, list, shard, take};

const NEED: Need = Need { acks: 1, level: 0 };

/// A member was told what the others hold of one that is gone while it had no state yet, could not take it, and was never
/// told again: nobody could be retired.
#[test]
fn a_joining_member_hears_of_the_gone_when_it_has_the_state() {
    let list = list(1, &[(1, MemberPhase::Active), (2, MemberPhase::Joining), (3, MemberPhase::Gone)]);
    let (mut holder, mut joiner) = (shard(1, &list), shard(2, &list));
    holder.start_empty();
    link(&mut holder, &mut joiner);
    exchange(&mut holder, &mut joiner);
    assert!(!joiner.is_joining());
    assert_eq!((holder.settled(id(3)), joiner.settled(id(3))), (Some(0), Some(0)));
}

/// A range that came twice brought back a context that had been purged, and nothing that came later took it away.
#[test]
fn a_range_that_comes_twice_leaves_no_context_behind() {
    let list = list(1, &[(1, MemberPhase::Active), (2, MemberPhase::Active)]);
    let (mut a, mut b) = (shard(1, &list), shard(2, &list));
    a.start_empty();
    b.start_empty();
    link(&mut a, &mut b);
    put(&mut a);
    exchange(&mut a, &mut b);
    put(&mut a);
    let range = a.poll_transmit(id(2), LINK).expect("the second write");
    assert!(matches!(range, ShardMessage::Range(_)));
    b.handle(id(1), LINK, range.clone(), NOW).expect("taken");
    exchange(&mut a, &mut b);
    b.handle(id(1), LINK, range, NOW).expect("taken again");
    assert!(b.entries().all(|(_, entry)| entry.context().is_empty()));
}

/// When all writers were retired the clock was empty, and the last holder of their writes returned at once: "nothing to
/// hand off".
#[test]
fn what_retired_replicas_wrote_is_handed_off_too() {
    let before = list(1, &[(1, MemberPhase::Active), (2, MemberPhase::Active)]);
    let (mut writer, mut holder) = (shard(1, &before), shard(2, &before));
    writer.start_empty();
    holder.start_empty();
    link(&mut writer, &mut holder);
    put(&mut writer);
    exchange(&mut writer, &mut holder);
    take(&mut holder, &list(2, &[(1, MemberPhase::Gone), (2, MemberPhase::Active)]));
    let alone = list(3, &[(2, MemberPhase::Leaving), (4, MemberPhase::Joining)]);
    take(&mut holder, &alone);
    assert!(holder.clock().is_empty() && !holder.holds_nothing());
    let mut leaving = holder.roster().clone();
    leaving.leave();
    holder.set_roster(leaving);
    assert!(!holder.coverage(&holder.clock().clone(), NEED).covered, "nobody else has it");

    let mut survivor = shard(4, &alone);
    link(&mut holder, &mut survivor);
    exchange(&mut holder, &mut survivor);
    take(&mut holder, &list(4, &[(2, MemberPhase::Leaving), (4, MemberPhase::Active)]));
    assert!(holder.coverage(&holder.clock().clone(), NEED).covered);
    assert_eq!(survivor.entries().count(), 1);
}

/// What the last expired version had superseded was not purged: it was looked for where there was nothing more to expire.
#[test]
fn what_has_expired_is_purged_without_another_message() {
    let list = list(1, &[(1, MemberPhase::Active), (2, MemberPhase::Active)]);
    let (mut a, mut b) = (shard(1, &list), shard(2, &list));
    a.start_empty();
    b.start_empty();
    link(&mut a, &mut b);
    let put = Operation::Put { value: value(), expires_at: Some(NOW + 1) };
    a.write_one(&key(), &Condition::Always, put, NOW).expect("live");
    exchange(&mut a, &mut b);
    for shard in [&mut a, &mut b] {
        shard.expire(NOW + 1, 10);
        assert_eq!(shard.remembered_keys(), 0);
    }
}

/// In a rollout nobody of the older revision adopts, so nothing about who adopts changed when one of them left: nobody looked
/// at what it had owned until the list named others.
#[test]
fn what_a_member_of_an_older_revision_owned_is_adopted_when_it_leaves() {
    let rollout = |number, phase| {
        let mut list = list(number, &[(1, phase), (2, MemberPhase::Active)]);
        for (row, revision) in list.members.iter_mut().zip([1, 2]) {
            (row.controller, row.revision) = ("web".into(), revision);
        }
        list
    };
    let before = rollout(1, MemberPhase::Active);
    let (mut old, mut new) = (shard(1, &before), shard(2, &before));
    old.start_empty();
    link(&mut old, &mut new);
    exchange(&mut old, &mut new);
    put(&mut old);
    old.write_one(&key(), &Condition::Always, Operation::Claim, NOW).expect("live");
    exchange(&mut old, &mut new);
    new.adopt(NOW, usize::MAX);
    take(&mut new, &rollout(2, MemberPhase::Leaving));
    assert_eq!(new.adopt(NOW, usize::MAX).writes, 1);
    assert_eq!(new.owned_count(), 1);
}

fn put(shard: &mut Shard) {
    shard.put(&key(), value(), &Condition::Always, NOW).expect("live");
}

/// The object is deleted and made anew, and a member goes straight from a list that names who was retired since to one that
/// does not. It kept that one for ever: its rounds were other than the operator's, so nobody was retired any more.
#[test]
fn who_missed_that_a_replica_was_retired_before_the_object_was_made_anew_forgets_it() {
    use MemberPhase::{Active, Gone};
    let all = list(1, &[(1, Active), (2, Active), (3, Active)]);
    let (mut a, mut c, mut x) = (shard(1, &all), shard(2, &all), shard(3, &all));
    x.start_empty();
    for other in [&mut a, &mut c] {
        link(other, &mut x);
        exchange(other, &mut x);
    }
    put(&mut x);
    exchange(&mut a, &mut x);
    exchange(&mut c, &mut x);
    let gone = list(2, &[(1, Active), (2, Active), (3, Gone)]);
    take(&mut a, &gone);
    take(&mut c, &gone);
    link(&mut a, &mut c);
    exchange(&mut a, &mut c);
    assert!(a.settled(id(3)).is_some() && c.settled(id(3)).is_some());
    take(&mut a, &list(3, &[(1, Active), (2, Active)]));
    let anew = |number, follows, rows| {
        let version = |uid: &str, number| MembershipVersion { uid: uid.into(), number };
        Membership { version: version("v", number), follows: vec![version("u", follows)], ..list(number, rows) }
    };
    // The operator has not heard of the last list yet.
    let both = [(1, Active), (2, Active)];
    take(&mut c, &anew(3, 1, &both));
    assert!(c.roster().lists(id(3)), "it may not know of it");
    let newest = anew(4, 3, &both);
    take(&mut a, &newest);
    take(&mut c, &newest);
    exchange(&mut a, &mut c);
    assert!(!c.roster().lists(id(3)));
    assert_eq!((c.clock(), c.roster().round()), (a.clock(), a.roster().round()));
    assert_eq!(c.entries().count(), 1);
    // The next who is gone is settled in the round of the list.
    let next = anew(5, 3, &[(1, Active), (2, Active), (4, Gone)]);
    take(&mut a, &next);
    take(&mut c, &next);
    exchange(&mut a, &mut c);
    assert!(a.settled(id(4)).is_some() && c.settled(id(4)).is_some());
}

/// The object is made anew by an operator that has heard of nobody with the last list, and lists later whom that named. What
/// one who had kept that member said meanwhile of its writes was dropped by one who had never heard of it, and not said
/// again: its log slots stayed.
#[test]
fn who_kept_a_member_through_a_list_that_did_not_name_it_says_again_what_it_has_of_it() {
    use MemberPhase::Active;
    let pair = [(1, Active), (2, Active)];
    let all = [(1, Active), (2, Active), (3, Active)];
    let (mut a, mut c, mut x) = (shard(1, &list(1, &pair)), shard(2, &list(1, &pair)), shard(3, &list(2, &all)));
    a.start_empty();
    link(&mut a, &mut c);
    exchange(&mut a, &mut c);
    take(&mut c, &list(2, &all));
    link(&mut c, &mut x);
    exchange(&mut c, &mut x);
    put(&mut x);
    exchange(&mut c, &mut x);
    let anew = |number, rows| {
        let version = |uid: &str, number| MembershipVersion { uid: uid.into(), number };
        Membership { version: version("v", number), follows: vec![version("u", 1)], ..list(number, rows) }
    };
    for shard in [&mut a, &mut c] {
        take(shard, &anew(1, &pair));
    }
    exchange(&mut a, &mut c);
    for shard in [&mut a, &mut c, &mut x] {
        take(shard, &anew(2, &all));
    }
    link(&mut a, &mut x);
    for _ in 0..2 {
        exchange(&mut a, &mut x);
        exchange(&mut c, &mut x);
        exchange(&mut a, &mut c);
    }
    assert_eq!([a, c, x].map(|shard| (shard.clock().get(id(3)), shard.log_slots())), [(1, 0); 3]);
}

fn key() -> Key {
    Key::new(&MapName::parse("default").expect("a name"), b"k").expect("a key")
}

fn value() -> Value {
    Value { content_type: "".into(), body: "v".into() }
}
