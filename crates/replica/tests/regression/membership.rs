//! Views of the members that differ.

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, Need, ReplicaId, Roster, Settings};

use crate::harness::{World, key, roomy};

/// akka.net PR#8547: a member that was first seen as leaving had never been seen as up, and all that it wrote was dropped.
#[test]
fn a_member_first_seen_as_leaving_is_heard_and_serves() {
    let (mut world, [leaver]) = World::group(roomy());
    world.put(leaver, &key("k0"));
    world.leave(leaver);
    let late = world.spawn();
    assert_eq!(world.nodes[&late].roster.peer(leaver).map(|peer| peer.phase), Some(MemberPhase::Leaving));
    world.push(leaver);
    world.connect(leaver, late);
    world.exchange(leaver, late);
    assert_eq!(world.names(late), ["k0"]);
    world.put(leaver, &key("k1"));
    world.delete(leaver, &key("k0"));
    world.exchange(leaver, late);
    assert_eq!(world.names(late), ["k1"]);
}

/// Pekko's `isLocalUpdate`, Horde PR#291: a view of the members that came late made a member drop what came from one that
/// it did not know yet. Here a list goes before what follows from it.
#[test]
fn what_a_newcomer_wrote_reaches_one_that_has_not_heard_of_it() {
    let (mut world, [a, b]) = World::group(roomy());
    let newcomer = world.spawn();
    world.push(a);
    world.connect(a, newcomer);
    world.exchange(a, newcomer);
    world.put(a, &key("k"));
    world.exchange(a, newcomer);
    world.put(newcomer, &key("k"));
    world.exchange(a, newcomer);
    assert_eq!(world.nodes[&b].roster.peer(newcomer), None, "nobody has told b");
    world.exchange(a, b);
    world.crash(newcomer);
    world.crash(a);
    assert_eq!(world.names(b), ["k"]);
}

/// olric#258, infinispan#16916: each side of a partition shrank the quorum to itself. Here the list alone says who counts.
#[test]
pub(crate) fn members_that_cannot_be_reached_still_count() {
    let (mut world, [leaver, b, c]) = World::group(roomy());
    world.part(leaver, b);
    world.part(leaver, c);
    let dot = world.put(leaver, &key("k")).expect("live");
    world.leave(leaver);
    world.need = Need { acks: 0, level: 0 };
    assert!(!world.is_covered(leaver));
    assert_eq!((world.shard(leaver).members_that_count(), world.shard(leaver).acknowledgements(dot)), (2, 0));
    world.node(b).flush();
    assert!(!world.is_covered(leaver));
}

/// With a members file each process makes its own list. A round that named the process would be nobody else's, and nobody
/// who is gone could ever be settled.
#[test]
fn processes_that_make_their_own_lists_settle_in_the_same_round() {
    let round = |me: u64, uid: &str| {
        let ids = [1, 2].map(|bits| ReplicaId::new(bits).expect("not zero"));
        let members = ids.map(|id| Member::new(id, MemberPhase::Active)).into();
        let version = MembershipVersion { uid: uid.to_owned(), number: me };
        let mut roster = Roster::new(ReplicaId::new(me).expect("not zero"));
        roster.take(&Membership { version, members, first: None, settings: Settings::default(), follows: Vec::new() });
        roster.round()
    };
    assert_eq!(round(1, "file:1"), round(2, "file:2"));
    assert_ne!(round(1, "deleted"), round(2, "anew"));
}
