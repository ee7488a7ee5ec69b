//! What a departure costs does not depend on the number of keys: not what is said, nor what is written.

use baton_replica::{
    Condition, Key, Limits, LinkId, MapName, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster,
    Settings, Shard, ShardMessage, Value,
};
use bytes::Bytes;

const NOW: u64 = 1_000_000;
const LINK: LinkId = LinkId(1);
/// A pair has no more to say than that.
const MOST_ROUNDS: usize = 4_096;

/// What two members say of a third that is gone, until it is retired.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    messages: usize,
    entries: usize,
}

#[test]
fn a_departure_says_as_much_with_ten_thousand_keys_as_with_a_hundred_and_rewrites_none() {
    assert_eq!(departure(10_000), departure(100));
}

/// A replica that has written this many keys is gone, and then retired.
fn departure(keys: usize) -> Said {
    use MemberPhase::{Active, Gone};
    let all = list(1, &[(1, Active), (2, Active), (3, Active)]);
    let [mut a, mut b, mut x] = [1, 2, 3].map(|me| {
        let mut shard = Shard::new(0, Roster::new(id(me)), Limits::default());
        take(&mut shard, &all);
        shard
    });
    x.start_empty();
    for number in 0..keys {
        put(&mut x, number);
    }
    for other in [&mut a, &mut b] {
        link(other, &mut x);
        exchange(other, &mut x);
    }
    link(&mut a, &mut b);
    for _ in 0..2 {
        exchange(&mut a, &mut b);
        exchange(&mut a, &mut x);
        exchange(&mut b, &mut x);
    }
    let before = held(&a);
    assert_eq!((before.len(), &before), (keys, &held(&b)));
    for shard in [&mut a, &mut b] {
        shard.link_down(id(3), LINK);
        let _ = shard.take_changes();
    }
    let mut said = Said::default();
    for list in [list(2, &[(1, Active), (2, Active), (3, Gone)]), list(3, &[(1, Active), (2, Active)])] {
        take(&mut a, &list);
        take(&mut b, &list);
        let more = exchange(&mut a, &mut b);
        said = Said { messages: said.messages + more.messages, entries: said.entries + more.entries };
        assert!(!a.roster().lists(id(3)) || (a.settled(id(3)).is_some() && b.settled(id(3)).is_some()));
    }
    for shard in [&mut a, &mut b] {
        assert_eq!(held(shard), before, "versions keep the dots of who is retired");
        assert_eq!((shard.take_changes(), shard.clock().is_empty(), shard.log_slots()), (Vec::new(), true, 0));
    }
    said
}

fn held(shard: &Shard) -> Vec<(Key, baton_replica::Entry)> {
    shard.entries().collect()
}

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn put(shard: &mut Shard, number: usize) {
    let map = MapName::parse("default").expect("a name");
    let key = Key::new(&map, number.to_string().as_bytes()).expect("a key");
    let value = Value { content_type: "".into(), body: Bytes::from_static(b"v") };
    shard.put(&key, value, &Condition::Always, NOW).expect("live");
}

fn list(number: u64, rows: &[(u64, MemberPhase)]) -> Membership {
    let row = |(bits, phase): &(u64, MemberPhase)| Member { held_state: true, ..Member::new(id(*bits), *phase) };
    let (version, members) = (MembershipVersion { uid: "u".into(), number }, rows.iter().map(row).collect());
    Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() }
}

fn take(shard: &mut Shard, list: &Membership) {
    let mut roster = shard.roster().clone();
    roster.take(list);
    shard.set_roster(roster);
}

fn link(a: &mut Shard, b: &mut Shard) {
    a.link_up(b.me(), LINK);
    b.link_up(a.me(), LINK);
}

/// Passes messages between two until neither has anything to say.
fn exchange(a: &mut Shard, b: &mut Shard) -> Said {
    let mut said = Said::default();
    for _ in 0..MOST_ROUNDS {
        let before = said.messages;
        tell(a, b, &mut said);
        tell(b, a, &mut said);
        if said.messages == before {
            return said;
        }
    }
    panic!("they talk for ever");
}

fn tell(from: &mut Shard, to: &mut Shard, said: &mut Said) {
    while let Some(message) = from.poll_transmit(to.me(), LINK) {
        said.messages += 1;
        said.entries += entries(&message);
        to.handle(from.me(), LINK, message, NOW).expect("honest");
    }
    from.flush_acknowledgements();
    to.flush_acknowledgements();
}

fn entries(message: &ShardMessage) -> usize {
    match message {
        ShardMessage::Range(range) => range.items.len(),
        ShardMessage::Chunk(chunk) => chunk.keys as usize,
        ShardMessage::Settle(settle) => settle.items.len(),
        _ => 0,
    }
}
