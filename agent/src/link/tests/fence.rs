//! A process that the group has removed while it lived.

use baton_replica::WriteError;

use super::*;

#[tokio::test]
async fn a_removed_agent_comes_back_under_a_new_id_with_what_the_others_have_nothing_of() {
    let mut town = Town::of(3).await;
    town[2].put("known").await;
    town[2].put("deleted").await;
    wait("all have it", || (0..3).all(|at| town[at].holds("known") && town[at].holds("deleted"))).await;

    // The others hear that it is gone; it lives on without them.
    town.agents[2].phase = MemberPhase::Gone;
    let gone = town[2].row();
    let list = town.list(&[]);
    (0..2).for_each(|at| town[at].engine.take_membership_from_source(list.clone()));
    wait("the others have dropped it", || (0..2).all(|at| town[at].engine.links().get(id(3)).is_none())).await;
    town[2].put_alone("alone").await;
    let acks = Some(AckLevel::Count(0));
    let deleted = town[0].engine.write(write("deleted", Operation::Delete, acks)).await;
    assert!(deleted.expect("it is live").written);

    town[2].engine.take_membership_from_source(list);
    assert!(town[2].engine.roster().is_fenced());
    town[2].engine.take_new_id(id(4));
    assert_eq!(*town[2].engine.phase().borrow(), Phase::Joining, "of the new id nobody hears that it holds the state");
    let value = Value { content_type: Box::default(), body: b"v"[..].into() };
    let put = Operation::Put { value, expires_at: None };
    let refused = town[2].engine.write(write("k", put, None)).await;
    assert!(matches!(refused, Err(crate::engine::WriteFailure::Refused(WriteError::Joining))), "{refused:?}");
    assert!(town[2].engine.inherited_keys() > 0);

    town.agents[2].phase = MemberPhase::Joining;
    let mut list = town.list(&[]);
    list.members.insert(2, gone);
    (0..3).for_each(|at| town[at].engine.take_membership_from_source(list.clone()));
    wait("it has the state", || town[2].engine.holds_state()).await;
    town[2].engine.set_phase(Phase::Active);
    wait("all have what it alone held", || (0..3).all(|at| town[at].holds("alone") && town[at].holds("known"))).await;
    wait("nothing is left to be issued again", || town[2].engine.inherited_keys() == 0).await;
    assert!((0..3).all(|at| !town[at].holds("deleted")), "what was deleted meanwhile does not come back");
    wait("who it was is settled", || (0..3).all(|at| town[at].engine.settled().replicas == [id(3)])).await;
}

#[tokio::test]
async fn a_list_that_does_not_name_an_agent_any_more_removes_it_and_one_of_another_source_does_not() {
    let mut town = Town::of(2).await;
    let mut foreign = town.list(&[1]);
    foreign.version.uid = "another".to_owned();
    town[1].engine.take_membership_from_source(foreign);
    assert!(!town[1].engine.roster().is_fenced());
    town.tell_all();
    let without = town.list(&[1]);
    town[1].engine.take_membership_from_source(without);
    assert!(town[1].engine.roster().is_fenced());
}

#[tokio::test]
async fn an_id_of_another_pod_is_refused() {
    let mut town = Town::of(1).await;
    let twin = Agent::start_in(2, "web-9").await;
    town.agents.push(Agent::start(2).await);
    town.agents[1].tasks.abort_all();
    town.agents[1].address = twin.address.clone();
    let list = town.list(&[]);
    town[0].engine.take_membership_from_source(list.clone());
    twin.engine.take_membership_from_source(list);
    wait("it is refused", || town[0].transport.refusals().counted("other_pod") > 0).await;
    assert!(town[0].engine.links().all().is_empty(), "the list says that the id is the pod web-2's");
}
