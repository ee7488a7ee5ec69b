//! A member that one replica lists and another does not list yet is no stranger, and nothing that it wrote is lost.

use baton_replica::{
    Condition, Key, Limits, LinkId, MapName, Member, MemberPhase, Membership, MembershipVersion, ReplicaId, Roster,
    Settings, Shard, ShardMessage, Value,
};

const NOW: u64 = 1_000_000;
const LINK: LinkId = LinkId(1);
/// Of a transfer between empty replicas, with room for acknowledgements.
const MOST_ROUNDS: usize = 32;

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn key() -> Key {
    Key::new(&MapName::parse("default").expect("a name"), b"k").expect("a key")
}

/// A live replica that goes by the list with this number, which names these ids.
fn live(me: u64, number: u64, ids: &[u64]) -> Shard {
    let row = |bits: &u64| Member {
        pod_name: format!("pod-{bits}"),
        held_state: true,
        ..Member::new(id(*bits), MemberPhase::Active)
    };
    let mut roster = Roster::new(id(me));
    roster.take(&Membership {
        version: MembershipVersion { uid: "u".to_owned(), number },
        members: ids.iter().map(row).collect(),
        first: None,
        settings: Settings::default(),
        follows: Vec::new(),
    });
    let mut shard = Shard::new(0, roster, Limits::default());
    shard.start_empty();
    shard
}

/// Passes messages between two linked replicas until neither has one.
fn exchange(a: &mut Shard, b: &mut Shard) {
    for _ in 0..MOST_ROUNDS {
        let sent: Vec<ShardMessage> = std::iter::from_fn(|| a.poll_transmit(b.me(), LINK)).collect();
        let answered: Vec<ShardMessage> = std::iter::from_fn(|| b.poll_transmit(a.me(), LINK)).collect();
        if sent.is_empty() && answered.is_empty() {
            return;
        }
        for message in sent {
            b.handle(a.me(), LINK, message, NOW).expect("b takes it");
        }
        for message in answered {
            a.handle(b.me(), LINK, message, NOW).expect("a takes it");
        }
    }
}

fn link(a: &mut Shard, b: &mut Shard) {
    a.link_up(b.me(), LINK);
    b.link_up(a.me(), LINK);
    exchange(a, b);
}

#[test]
fn a_transfer_from_one_who_does_not_know_a_newcomer_yet_keeps_what_the_newcomer_wrote() {
    let (mut late, mut ours) = (live(1, 1, &[1, 2]), live(2, 2, &[1, 2, 3]));
    let mut newcomer = live(3, 2, &[1, 2, 3]);
    link(&mut ours, &mut newcomer);
    let value = Value { content_type: Box::default(), body: b"v"[..].into() };
    newcomer.put(&key(), value, &Condition::Always, NOW).expect("it is live");
    exchange(&mut ours, &mut newcomer);
    assert!(ours.get(&key(), NOW).expect("live").is_some(), "it has come");

    link(&mut late, &mut ours);
    ours.handle(id(1), LINK, ShardMessage::Behind { origin: id(1) }, NOW).expect("ours must take the whole state");
    assert!(ours.is_rejoining());
    exchange(&mut late, &mut ours);
    assert!(!ours.is_rejoining(), "the transfer has ended");
    assert!(ours.get(&key(), NOW).expect("live").is_some(), "what its sender had never heard of is not deleted");
}
