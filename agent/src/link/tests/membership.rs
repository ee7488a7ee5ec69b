//! Lists and what follows from them.

use baton_wire::handshake::PROTOCOL;
use baton_wire::peer::frame::Body;
use baton_wire::peer::{Applied, ShardFrame, VersionVector, shard_frame};

use super::stranger::Stranger;
use super::*;

#[tokio::test]
async fn a_list_goes_ahead_of_what_follows_from_it() {
    let mut town = Town::of(2).await;
    let mut peer = Stranger::of(&mut town, PROTOCOL).await;
    for shard in 0..SHARDS as u32 {
        let nothing = Applied { clock: Some(VersionVector::default()), full: true, ..Applied::default() };
        peer.say(Some(Body::Shard(ShardFrame { shard, body: Some(shard_frame::Body::Applied(nothing)) }))).await;
    }
    wait("the peer is linked", || town[0].engine.links().get(id(9)).is_some()).await;
    town.crash(1);
    let mut list = town.list(&[]);
    list.members.push(Stranger::row());
    let number = list.version.number;
    // The first agent alone hears that the second is gone.
    town[0].engine.take_membership_from_source(list);
    town[0].put_alone("k").await;
    // The peer says nothing, so that no heartbeat is owed to it.
    let first = peer
        .hear(|body| match body {
            Body::Shard(ShardFrame { body, .. }) => matches!(body, Some(shard_frame::Body::Range(_))),
            body => matches!(body, Body::NewerMembership(_)),
        })
        .await;
    let Some(Body::NewerMembership(list)) = first else { panic!("{first:?} comes before the list") };
    assert_eq!(list.version.map(|version| version.number), Some(number));
    assert!(peer.hear(|body| matches!(body, Body::Shard(_))).await.is_some(), "and then what follows from it");
}

/// The group's object was deleted and made anew: its numbers go on.
#[tokio::test]
async fn a_list_of_an_object_made_anew_goes_ahead_of_what_follows_from_it_too() {
    let mut town = Town::of(2).await;
    town[0].put("before").await;
    let mut list = town.list(&[]);
    list.version.uid = "anew".to_owned();
    let number = list.version.number;
    town[0].engine.take_membership_from_source(list.clone());
    town[0].put("after").await;
    wait("the second goes by the new object", || town[1].engine.membership_number() == number).await;
    let uid = || town[1].engine.membership().borrow().as_ref().map(|list| list.version.uid.clone());
    assert_eq!(uid().as_deref(), Some("anew"));
    // One of before, with a lesser number, takes nobody back.
    list.version = MembershipVersion { uid: "list".to_owned(), number: number - 1 };
    town[1].engine.take_membership_from_peer(list);
    assert_eq!((town[1].engine.membership_number(), uid().as_deref()), (number, Some("anew")));
}

/// Processes with a members file number their lists each for itself: one's greater number says nothing of another's list.
#[tokio::test]
async fn a_list_that_a_process_made_for_itself_takes_the_place_of_no_other() {
    let mut town = Town::of(1).await;
    let mut list = town.list(&[]);
    list.version = MembershipVersion { uid: "file:b".to_owned(), number: 1_000 };
    let before = town[0].engine.membership_number();
    town[0].engine.take_membership_from_peer(list);
    assert_eq!(town[0].engine.membership_number(), before);
}

/// Whoever hears that this agent has a list sends what follows from it without that list: a shard that goes by an older
/// one would take a newcomer's writes for those of a retired member, or purge what the newcomer still needs.
#[test]
fn no_list_is_named_before_every_shard_goes_by_it() {
    let identity = Identity { group: "shop/web".to_owned(), pod_name: "web-1".to_owned(), pod_uid: String::new() };
    let engine = Engine::new(id(1), identity, SHARDS, LIMITS);
    let mut town = Town { agents: Vec::new(), number: 6 };
    let list = town.list(&[]);
    // The list is taken by another thread while the last shard is busy.
    let taker = engine.clone();
    let taking = engine.inspect(SHARDS - 1, |_| {
        let taking = std::thread::spawn(move || taker.take_membership_from_source(list));
        let began = Instant::now();
        while engine.membership_number() == 0 && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!((engine.membership_number(), engine.followed_number()), (7, 0));
        taking
    });
    taking.join().expect("no panic");
    assert_eq!(engine.followed_number(), 7);
}

#[tokio::test]
async fn who_is_gone_is_settled_by_all_and_then_forgotten() {
    let mut town = Town::of(3).await;
    for number in 0..20 {
        town[2].put(&format!("k{number}")).await;
    }
    let gone = id(3);
    town.crash(2);
    town.tell_all();
    wait("both have settled it", || (0..2).all(|at| town[at].engine.settled().replicas == [gone])).await;
    assert_eq!(town[0].engine.settled(), town[1].engine.settled(), "they name the set of members alike");

    let list = town.list(&[2]);
    (0..2).for_each(|at| town[at].engine.take_membership_from_source(list.clone()));
    for at in 0..2 {
        assert!(town[at].engine.clocks().iter().all(|clock| clock.get(gone) == 0), "its id costs nothing any more");
        assert!((0..20).all(|number| town[at].holds(&format!("k{number}"))), "what it wrote stays");
        assert_eq!(town[at].engine.settled().replicas, []);
    }
    let equal = || town[0].engine.summary().is_some_and(|summary| Some(summary) == town[1].engine.summary());
    wait("both hold the same", equal).await;
}

#[tokio::test]
async fn a_joining_member_keeps_who_is_gone_from_being_settled() {
    let mut town = Town::of(2).await;
    town[1].put("k").await;
    town.crash(1);
    // The third is listed, and does not hold the state: nothing it says counts before it does.
    town.agents.push(Agent::start(3).await);
    town.agents[2].phase = MemberPhase::Joining;
    town.agents[2].tasks.abort_all();
    town.tell_all();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(town[0].engine.settled().replicas, []);
}
