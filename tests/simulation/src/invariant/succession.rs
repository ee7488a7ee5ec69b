//! Part of invariant 8: who takes over a key is one whom the design names, and it does what the group asks for.
//!
//! By the members that it knows: the newest process in the pod of the owner that has departed, if one is there that stays
//! and has an app; else a survivor with an app, of the newest revision of its controller that any survivor has, on another
//! node than the departed owner if there is one of those. Only where nobody is to run the key any more may a
//! member without an app end the ownership, while there is nobody with one. Who adopts becomes the owner itself,
//! unconfirmed; in a map that keeps or releases, nobody does, or the key is deleted.

use baton_replica::{Entry, Key, Member, MemberPhase, OnDeparture, Owner, ReplicaId};

use crate::agent::Agent;

/// When a replica has taken over a key from an owner.
pub(crate) fn check(agent: &Agent, key: &Key, was: &Owner, after: &Entry) -> Result<(), String> {
    let policy = agent.roster.on_departure(key.map());
    let right = match (policy, after.owner()) {
        (OnDeparture::Adopt, Some(is)) => is.replica == Some(agent.id) && !is.confirmed,
        (OnDeparture::Keep, Some(is)) => is.replica.is_none(),
        (OnDeparture::Release, _) => after.versions().is_empty(),
        (OnDeparture::Adopt | OnDeparture::Keep, None) => false,
    };
    if !right {
        return Err(format!("{} takes over {key:?} to {policy:?} it, and leaves {after:?}", agent.id));
    }
    let takers = takers(agent, was.replica, policy);
    if takers.contains(&agent.id) {
        return Ok(());
    }
    Err(format!("{} takes over {key:?} from {was:?}, and it is for {takers:?}", agent.id))
}

fn takers(agent: &Agent, owner: Option<ReplicaId>, policy: OnDeparture) -> Vec<ReplicaId> {
    let phase = |row: &Member| match agent.roster.peer(row.replica) {
        Some(peer) => peer.phase,
        None if row.replica == agent.id && agent.roster.leaving() => MemberPhase::Leaving,
        None => row.phase,
    };
    let rows = agent.roster.rows();
    let pod = rows.iter().find(|row| Some(row.replica) == owner).map(|row| &row.pod_uid);
    let stays = |row: &&Member| {
        let stays = matches!(phase(row), MemberPhase::Joining | MemberPhase::Active);
        stays && !row.keeper && Some(&row.pod_uid) == pod
    };
    if let Some(heir) = rows.iter().rfind(stays) {
        return vec![heir.replica];
    }
    // This one holds the state, whether the operator has heard of that or not.
    let survives = |row: &&Member| row.replica == agent.id || phase(row) == MemberPhase::Active;
    let survivors: Vec<&Member> = rows.iter().filter(survives).collect();
    let newest = |row: &Member| {
        let mates = survivors.iter().filter(|other| other.controller == row.controller);
        mates.map(|other| other.revision).max() == Some(row.revision)
    };
    let of = |keeper: bool| {
        let some = survivors.iter().filter(|row| row.keeper == keeper && newest(row)).map(|row| row.replica);
        some.collect::<Vec<_>>()
    };
    match (of(false), policy) {
        (none, OnDeparture::Keep | OnDeparture::Release) if none.is_empty() => of(true),
        (adopters, _) => elsewhere(rows, adopters, owner),
    }
}

/// Of some members, those on other nodes than the owner, if there are such.
fn elsewhere(rows: &[Member], members: Vec<ReplicaId>, owner: Option<ReplicaId>) -> Vec<ReplicaId> {
    let node = |id: ReplicaId| rows.iter().find(|row| row.replica == id).map(|row| &row.node);
    let Some(owners) = owner.and_then(node) else { return members };
    let others: Vec<ReplicaId> = members.iter().copied().filter(|id| node(*id) != Some(owners)).collect();
    if others.is_empty() { members } else { others }
}
