//! What watchers see of what other agents do.

use baton_replica::{Operation, Roster};

use super::*;
use crate::engine::{News, Position, Watcher, What};

impl Agent {
    async fn claim(&self, name: &str) {
        self.engine.write(write(name, Operation::Claim, None)).await.expect("it is live");
    }

    fn watch(&self, seen: Option<Position>) -> (Watcher, bool) {
        self.engine.watch(seen).expect("there is room")
    }
}

/// The next event of a kind that is of interest.
async fn next<T>(watcher: &mut Watcher, which: impl Fn(&What) -> Option<T>) -> T {
    let find = async {
        loop {
            match watcher.next().await {
                News::Events(events) => {
                    if let Some(found) = events.iter().find_map(|event| which(&event.what)) {
                        return found;
                    }
                }
                News::Lost => panic!("nothing was lost"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, find).await.expect("in time")
}

#[tokio::test]
async fn one_survivor_adopts_and_is_told_with_the_value_and_the_owner_hears_that_it_lost_it() {
    let town = Town::of(2).await;
    town[1].put("k").await;
    town[1].claim("k").await;
    let first = town[1].engine.get(&key("k")).expect("live").and_then(|read| read.owner).expect("an owner").token;
    wait("the other knows the owner", || {
        town[0].engine.get(&key("k")).is_ok_and(|read| read.is_some_and(|read| read.owner.is_some()))
    })
    .await;
    let ((mut adopter, _), (mut leaver, _)) = (town[0].watch(None), town[1].watch(None));
    town[1].engine.update_roster(Roster::leave);
    town[1].engine.set_phase(Phase::Draining);
    let (value, token) = next(&mut adopter, |what| match what {
        What::Adopted { state, token, .. } => Some((state.value.body.clone(), *token)),
        _ => None,
    })
    .await;
    assert!(&value[..] == b"v" && token.number > first && token.by == id(1));
    let (lost, now) = next(&mut leaver, |what| match what {
        What::Released { token, state, .. } => Some((token.number, state.clone())),
        _ => None,
    })
    .await;
    assert_eq!((lost, now.and_then(|state| state.owner).and_then(|owner| owner.replica)), (first, Some(id(1))));
}

#[tokio::test]
async fn a_watcher_that_falls_behind_is_told_and_goes_on_with_what_is_new() {
    let town = Town::of(1).await;
    let (mut slow, _) = town[0].watch(None);
    for number in 0..20_000 {
        town[0].put_alone(&(number % 100).to_string()).await;
    }
    assert!(matches!(slow.next().await, News::Lost));
    town[0].put_alone("last").await;
    let News::Events(events) = slow.next().await else { panic!("nothing was lost since") };
    assert_eq!((events.len(), events[0].what.key()), (1, Some(&key("last"))));
}

#[tokio::test]
async fn nothing_goes_on_for_a_watcher_of_an_agent_that_was_removed() {
    let mut town = Town::of(2).await;
    let (mut watcher, _) = town[1].watch(None);
    town[1].put("k").await;
    let seen = next(&mut watcher, |what| what.key().map(|_| ())).await;
    let () = seen;
    let before = watcher.seen();
    town.agents[1].phase = MemberPhase::Gone;
    let list = town.list(&[]);
    town[1].engine.take_membership_from_source(list);
    town[1].engine.take_new_id(id(3));
    let lost = tokio::time::timeout(PATIENCE, async { while !matches!(watcher.next().await, News::Lost) {} }).await;
    assert!(lost.is_ok());
    assert!(!town[1].watch(Some(before)).1, "what was seen before belongs to another life");
}

#[tokio::test]
async fn what_nobody_has_watched_for_long_is_not_noted() {
    let town = Town::of(1).await;
    let (watcher, _) = town[0].watch(None);
    let seen = watcher.seen();
    drop(watcher);
    town[0].put_alone("k").await;
    town[0].engine.stop_noting();
    let (mut watcher, resumed) = town[0].watch(Some(seen));
    assert!(!resumed, "something may have happened meanwhile");
    town[0].put_alone("l").await;
    assert_eq!(next(&mut watcher, |what| what.key().cloned()).await, key("l"));
    town[0].engine.stop_noting();
    town[0].put_alone("m").await;
    assert_eq!(next(&mut watcher, |what| what.key().cloned()).await, key("m"), "somebody watches");
}
