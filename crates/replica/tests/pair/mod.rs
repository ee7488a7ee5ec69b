//! Shards that pass messages to each other, two at a time, by lists that a test writes down.

use baton_replica::{
    Limits, LinkId, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster, Settings, Shard,
    ShardMessage,
};

pub(crate) const NOW: u64 = 1_000_000;
pub(crate) const LINK: LinkId = LinkId(1);
/// A small group has no more to say than that.
const MOST_ROUNDS: usize = 64;

pub(crate) fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

pub(crate) fn list(number: u64, rows: &[(u64, MemberPhase)]) -> Membership {
    let row = |(bits, phase): &(u64, MemberPhase)| Member { held_state: true, ..Member::new(id(*bits), *phase) };
    let (version, members) = (MembershipVersion { uid: "u".into(), number }, rows.iter().map(row).collect());
    Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() }
}

pub(crate) fn shard(me: u64, list: &Membership) -> Shard {
    let mut shard = Shard::new(0, Roster::new(id(me)), Limits::default());
    take(&mut shard, list);
    shard
}

pub(crate) fn take(shard: &mut Shard, list: &Membership) {
    let mut roster = shard.roster().clone();
    roster.take(list);
    shard.set_roster(roster);
}

pub(crate) fn link(a: &mut Shard, b: &mut Shard) {
    a.link_up(b.me(), LINK);
    b.link_up(a.me(), LINK);
}

/// Passes messages between two until neither has anything to say.
pub(crate) fn exchange(a: &mut Shard, b: &mut Shard) {
    exchange_seen(a, b, |_| {});
}

/// The same, where each message is looked at.
pub(crate) fn exchange_seen(a: &mut Shard, b: &mut Shard, mut see: impl FnMut(&ShardMessage)) {
    for _ in 0..MOST_ROUNDS {
        let said = tell(a, b, &mut see) + tell(b, a, &mut see);
        a.flush_acknowledgements();
        b.flush_acknowledgements();
        if said == 0 {
            return;
        }
    }
    panic!("they talk for ever");
}

fn tell(from: &mut Shard, to: &mut Shard, see: &mut impl FnMut(&ShardMessage)) -> usize {
    let mut said = 0;
    while let Some(message) = from.poll_transmit(to.me(), LINK) {
        see(&message);
        to.handle(from.me(), LINK, message, NOW).expect("honest");
        said += 1;
    }
    said
}
