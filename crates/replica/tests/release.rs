//! What members compute each for itself and must have alike, they have alike in every release: two releases work together
//! in one group while it is rolled. Who changes a number here raises the protocol, and says the old one to who speaks that.

use baton_replica::{
    Condition, Key, Limits, MapName, MemberPhase, Operation, ReplicaId, Roster, Shard, Succession, Value, settle_round,
};

const NOW: u64 = 1_700_000_000_000;

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn key(name: &str) -> Key {
    let map = MapName::parse("players").expect("a name");
    Key::new(&map, name.as_bytes()).expect("a key")
}

#[test]
fn a_key_is_in_the_same_shard() {
    assert_eq!(key("p/1").hash(), 0xb081_edf5_437a_7dd7);
    assert_eq!(key("p/1").with_field(b"hat").expect("short").hash(), 0xb081_edf5_437a_7dd7);
}

#[test]
fn a_round_of_settling_has_the_same_name() {
    let members = [(id(1), MemberPhase::Active), (id(2), MemberPhase::Gone), (id(u64::MAX), MemberPhase::Joining)];
    assert_eq!(settle_round("list", members), 0x8dce_a6a7_6aee_6e09);
}

#[test]
fn the_keys_of_a_departed_owner_have_the_same_adopter() {
    let succession = Succession::of(&Roster::of_group(id(1), (1..=5).map(id)), true);
    let adopters = (0..8).map(|number| succession.adopter(&key(&format!("p/{number}")), id(9)));
    let adopters: Vec<u64> = adopters.map(|adopter| adopter.expect("there are five").bits()).collect();
    assert_eq!(adopters, [1, 2, 5, 2, 3, 1, 5, 2]);
}

#[test]
fn the_same_state_sums_up_to_the_same() {
    let mut shard = Shard::new(0, Roster::of_group(id(1), [id(1)]), Limits::default());
    let _ = shard.start_empty();
    let value = |content_type: &str| Value { content_type: content_type.into(), body: b"7"[..].into() };
    let mut write =
        |name: &str, operation| shard.write_one(&key(name), &Condition::Always, operation, NOW).expect("done");
    write("plain", Operation::Put { value: value(""), expires_at: None });
    write("typed", Operation::Put { value: value("text/plain"), expires_at: None });
    write("default", Operation::Init { value: value(""), expires_at: None });
    write("counter", Operation::Increment(5));
    write("typed", Operation::Increment(-8));
    write("plain", Operation::Claim);
    // These count for nothing.
    write("short", Operation::Put { value: value(""), expires_at: Some(NOW + 1) });
    write("gone", Operation::Put { value: value(""), expires_at: None });
    write("gone", Operation::Delete);
    assert_eq!(shard.digest().expect("nothing is under way").sum.bits(), 0x9190_2aa5_a236_bb0c_77f6_c837_2802_074a);
}
