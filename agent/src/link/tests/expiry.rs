//! What expires is dropped in time, without anybody asking for it.

use baton_replica::{Dot, Effects, Hlc, Version, VersionVector, Wake};

use super::*;
use crate::engine::wall_millis;

const ALL: Effects = Effects { wake: Wake::All, acknowledged: false, bootstrapped: false };

#[tokio::test]
async fn what_expires_is_dropped_on_every_agent_without_a_word() {
    let mut town = Town::of(3).await;
    town.crash(2);
    let deadline = wall_millis() + 300;
    let short_lived = |counter| Version {
        dot: Dot { replica: id(3), counter },
        hlc: Hlc::from_bits(1),
        writer: id(3),
        value: Some(Value { content_type: Box::default(), body: b"v"[..].into() }),
        added: 0,
        owner: None,
        expires_at: Some(deadline),
    };
    for at in 0..2 {
        town[at].take_write(id(3), 1, "k", Entry::new(vec![short_lived(1)], VersionVector::new()));
        let keys = town[at].engine.status().keys;
        assert!(keys == 1 || wall_millis() >= deadline, "{keys}");
    }
    wait("no agent holds it", || (0..2).all(|at| town[at].engine.status().keys == 0)).await;
    assert!(wall_millis() >= deadline, "and not before its deadline");
}

/// The version that ends bears the last owner, and the one that stays an earlier one.
#[tokio::test]
async fn an_owner_that_is_said_again_when_something_expires_reaches_the_others() {
    let town = Town::of(2).await;
    let index = (key("k").hash() % SHARDS as u64) as usize;
    let operate = |at: usize, operation: Operation| {
        town[at].engine.with_shard(index, None, |shard| {
            shard.write_one(&key("k"), &Condition::Always, operation, wall_millis()).expect("it is live");
            Effects::default()
        });
    };
    let wake = |at: usize| {
        town[at].engine.with_shard(index, None, |_| ALL);
    };
    let read = |at: usize| town[at].engine.get(&key("k")).expect("it is live").expect("it is there");
    let owner = |at: usize| read(at).owner.and_then(|owner| owner.replica);
    town[0].put("k").await;
    operate(0, Operation::Claim);
    wake(0);
    wait("both know the first owner", || (0..2).all(|at| owner(at) == Some(id(1)))).await;
    let value = || Value { content_type: Box::default(), body: b"v"[..].into() };
    let deadline = wall_millis() + 500;
    // Neither hears of what the other does.
    operate(1, Operation::Put { value: value(), expires_at: Some(deadline) });
    operate(1, Operation::Claim);
    operate(0, Operation::Put { value: value(), expires_at: None });
    [0, 1].into_iter().for_each(wake);
    wait("both have both", || (0..2).all(|at| read(at).versions().len() == 2)).await;
    let clocks = [0, 1].map(|at| town[at].engine.clocks());
    assert_eq!(clocks[0], clocks[1]);
    wait("both have said it again and heard the other", || {
        let now = [0, 1].map(|at| town[at].engine.clocks());
        now[0] == now[1] && now[0] != clocks[0]
    })
    .await;
    assert!((0..2).all(|at| owner(at) == Some(id(2)) && read(at).versions().len() == 1));
}
