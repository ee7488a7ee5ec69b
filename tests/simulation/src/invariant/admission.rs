//! A write waits for as many acknowledgements as its client, or its group, asks for; one that cannot get them is refused.
//!
//! Counted are the other members that are Active, as far as the writer knows: a majority is the least number that is more
//! than half of all with the writer, all is all of them. A leaver waits for one at least. With no other member a write is
//! made without any, if the group accepts that.

use baton_replica::{AckLevel, MemberPhase, TooFewMembers};

use crate::agent::Agent;

/// When a write is admitted, to wait for so many, or refused.
pub(crate) fn check(agent: &Agent, level: AckLevel, outcome: Result<u32, TooFewMembers>) -> Result<(), String> {
    let others = agent.roster.members().filter(|(_, peer)| peer.phase == MemberPhase::Active).count() as u32;
    let asked = match level {
        AckLevel::Count(count) => count,
        AckLevel::Majority => (0..=others).find(|acks| 2 * (acks + 1) > others + 1).unwrap_or(others),
        AckLevel::All => others,
    };
    let asked = if agent.roster.leaving() { asked.max(1) } else { asked };
    let right = match others {
        0 if agent.settings().accept_when_alone => outcome == Ok(0),
        0 => outcome.is_err(),
        _ if asked > others => outcome.is_err(),
        _ => outcome == Ok(asked),
    };
    if right {
        return Ok(());
    }
    let (id, leaving) = (agent.id, agent.roster.leaving());
    Err(format!("{id}, with {others} others and leaving: {leaving}, answers {outcome:?} to a write with {level:?}"))
}
