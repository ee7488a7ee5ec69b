//! What heartbeats compare.

use baton_replica::{Dot, Hlc, Version, VersionVector};

use super::*;

/// What nobody can write: the n-th write of a member that is listed and never linked.
fn version(writer: u64, counter: u64) -> Version {
    Version {
        dot: Dot { replica: id(writer), counter },
        hlc: Hlc::from_bits(1),
        writer: id(writer),
        value: Some(Value { content_type: Box::default(), body: b"v"[..].into() }),
        added: 0,
        owner: None,
        expires_at: None,
    }
}

#[tokio::test]
async fn what_a_peer_has_lost_without_knowing_is_found_counted_and_mended() {
    let mut town = Town::of(3).await;
    town.crash(2);
    wait("the third is not linked", || (0..2).all(|at| town[at].engine.links().all().len() == 1)).await;
    let whole = Entry::new(vec![version(3, 1)], VersionVector::new());
    town[0].take_write(id(3), 1, "k", whole);
    town[1].take_write(id(3), 1, "k", Entry::default());
    assert!(town[0].holds("k") && !town[1].holds("k"));
    assert_eq!(town[0].engine.clocks(), town[1].engine.clocks(), "both claim to have seen all of it");
    wait("the second has it", || town[1].holds("k")).await;
    assert!(town[0].holds("k"), "that it was absent there is no evidence");
    assert!((0..2).any(|at| town[at].engine.status().digest_mismatches > 0));
}

/// One shard holds a write above its clock for as long as nobody has what is below: nothing was compared meanwhile.
#[tokio::test]
async fn a_shard_that_cannot_be_compared_keeps_no_other_from_it() {
    let mut town = Town::of(3).await;
    town.crash(2);
    wait("the third is not linked", || (0..2).all(|at| town[at].engine.links().all().len() == 1)).await;
    let shard = |name: &str| key(name).hash() % SHARDS as u64;
    let elsewhere = (0..).map(|number| number.to_string()).find(|name| shard(name) != shard("k")).expect("some");
    town[0].take_write(id(3), 5, &elsewhere, Entry::new(vec![version(3, 5)], VersionVector::new()));
    assert_eq!(town[0].engine.summary(), None);
    town[0].take_write(id(3), 1, "k", Entry::new(vec![version(3, 1)], VersionVector::new()));
    town[1].take_write(id(3), 1, "k", Entry::default());
    wait("the second has it", || town[1].holds("k")).await;
    assert_eq!(town[0].engine.summary(), None, "the other shard still cannot be compared");
}

#[tokio::test]
async fn agents_that_hold_the_same_have_the_same_summary_and_others_none_that_compares() {
    let town = Town::of(2).await;
    for number in 0..100 {
        town[number % 2].put(&format!("k{number}")).await;
    }
    let equal = || town[0].engine.summary().is_some_and(|summary| Some(summary) == town[1].engine.summary());
    wait("both have seen the same", equal).await;
    town[0].take_write(id(2), 51, "elsewhere", Entry::new(vec![version(2, 51)], VersionVector::new()));
    let (ours, theirs) = (town[0].engine.summary(), town[1].engine.summary());
    assert!(ours.is_none_or(|ours| theirs.is_some_and(|theirs| ours.seen != theirs.seen)));
    assert_eq!(town[0].engine.status().digest_mismatches + town[1].engine.status().digest_mismatches, 0);
}
