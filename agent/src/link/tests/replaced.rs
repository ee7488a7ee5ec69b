//! A link that is replaced by a newer one before its session has begun: sessions are tasks, which begin in any order.

use tokio::sync::mpsc;

use super::sending::{everybody_runs, leaver, run};
use super::*;
use crate::engine::LinkHandle;

/// Two links to the same peer, of which the second has replaced the first.
async fn two_links() -> (Arc<Engine>, Arc<LinkHandle>, Arc<LinkHandle>) {
    let engine = leaver().await;
    let older = engine.links().register(id(1), id(2), id(2)).expect("the first");
    let newer = engine.links().register(id(1), id(2), id(1)).expect("the preferred one");
    (engine, older, newer)
}

/// Each shard took the older link for its own, forgot it when it ended, and refused what came on the newer one.
#[tokio::test]
async fn an_older_link_that_begins_late_leaves_the_newer_one_alone() {
    let (engine, older, newer) = two_links().await;
    let (outbox, _sent) = mpsc::channel(64);
    tokio::spawn(run(engine.clone(), newer.clone(), outbox.clone()));
    everybody_runs().await;
    run(engine.clone(), older, outbox).await;
    let pull = ShardMessage::Pull { origin: id(1), from: 0 };
    assert_eq!(engine.handle(0, id(2), newer.id, pull), Ok(()));
}

/// It did until it was linked again: the operator was told that it is reached.
#[tokio::test]
async fn nobody_counts_as_linked_whose_newer_link_has_ended_before_the_older_one_began() {
    let (engine, older, newer) = two_links().await;
    let (outbox, _sent) = mpsc::channel(64);
    newer.closed.cancel();
    run(engine.clone(), newer, outbox.clone()).await;
    run(engine.clone(), older, outbox).await;
    assert!(engine.roster().peer(id(2)).is_some_and(|peer| !peer.linked));
}
