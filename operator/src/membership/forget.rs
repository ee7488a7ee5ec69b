//! Which members are removed although their pods have not ended: those that nobody has reached for as long as the group's
//! spec says, if it says so, or while the others have to remember more deleted keys than it allows.
//!
//! It counts as a failure of the member. Its row is marked, so that what it held can be told from what the others have
//! when it comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use baton_crds::membership::{MemberPhase, MemberRow, ReplicaId};

use super::Situation;

/// How long a member is out of reach at least before it is removed, whatever it costs the others.
const LEAST: Duration = Duration::from_secs(30);

/// Since when nobody has reached a member.
pub type Unreached = BTreeMap<ReplicaId, Instant>;

/// What follows for members that nobody reaches.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    pub(super) unreached: Unreached,
    /// When the next of them has been unreached for long enough.
    pub(super) again_in: Option<Duration>,
}

/// Removes the members that nobody has reached for long enough.
pub(super) fn forget(situation: &Situation<'_>, rows: &mut [MemberRow]) -> Forgetting {
    let mut forgetting = Forgetting::default();
    // An operator that hears no member cannot tell whether the others or itself is cut off.
    let stays = |row: &MemberRow| row.phase == MemberPhase::Active && situation.attendees.contains_key(&row.replica);
    if !rows.iter().any(stays) {
        return forgetting;
    }
    let patience = patience(situation);
    let all_have_said = situation.attendees.values().all(|attendee| attendee.says_whom_it_reaches);
    for row in rows.iter_mut().filter(|row| row.phase != MemberPhase::Gone && !is_reached(situation, row.replica)) {
        let since = situation.unreached.get(&row.replica).copied().unwrap_or(situation.now);
        let left = patience.map(|patience| patience.saturating_sub(situation.now.saturating_duration_since(since)));
        if left.is_some_and(|left| left.is_zero()) && all_have_said {
            (row.phase, row.forgotten) = (MemberPhase::Gone, true);
            continue;
        }
        forgetting.unreached.insert(row.replica, since);
        // Who has not said yet will, and an agent of an older release never does.
        if all_have_said {
            forgetting.again_in = forgetting.again_in.into_iter().chain(left).min();
        }
    }
    forgetting
}

/// How long a member may be out of reach; without end if `None`.
fn patience(situation: &Situation<'_>) -> Option<Duration> {
    let policy = &situation.view.group.spec.membership;
    let said = policy.forget_after.as_ref().map(|patience| patience.get());
    let above = u64::from(policy.forget_above);
    let costly = situation.attendees.values().any(|attendee| attendee.tombstones > above);
    if costly { Some(said.map_or(LEAST, |said| said.min(LEAST))) } else { said }
}

/// Whether a member has a stream to this operator, or an agent that has one reaches it.
fn is_reached(situation: &Situation<'_>, member: ReplicaId) -> bool {
    let mut attendees = situation.attendees.values();
    situation.attendees.contains_key(&member) || attendees.any(|attendee| attendee.reached.contains(&member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Attendee;
    use crate::fixture::{attendee, listing, pod, row, view};
    use crate::index::GroupView;
    use MemberPhase::{Active, Gone, Leaving};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// The agents 1 to 3, in pods `a` to `c`; 1 and 2 attend and reach each other.
    struct World {
        view: GroupView,
        attendees: BTreeMap<ReplicaId, Attendee>,
        unreached: Unreached,
        now: Instant,
    }

    impl World {
        fn new(forget_after: Option<&str>) -> Self {
            let mut view = view(&[pod("a"), pod("b"), pod("c")]);
            let mut group = (*view.group).clone();
            group.spec.membership.forget_after = forget_after.map(|text| text.parse().expect("a duration"));
            view.group = group.into();
            let rows = vec![row(1, "a", Active), row(2, "b", Active), row(3, "c", Active)];
            view.listing = Some(listing(4, None, rows).into());
            let now = Instant::now();
            let seated = |id: u64, pod: &str, peer: u64| {
                let attendee = attendee(id, pod, Active, now);
                (ReplicaId(id), Attendee { reached: [ReplicaId(peer)].into(), says_whom_it_reaches: true, ..attendee })
            };
            Self { view, attendees: [seated(1, "a", 2), seated(2, "b", 1)].into(), unreached: Unreached::new(), now }
        }

        /// Looks after this long, and says which members it has removed.
        fn after(&mut self, time: Duration) -> Vec<u64> {
            self.now += time;
            let mut rows = self.view.listing.as_ref().map(|listing| listing.spec.members.clone()).unwrap_or_default();
            let situation = Situation {
                view: &self.view,
                attendees: &self.attendees,
                verdicts: &BTreeMap::new(),
                silence: None,
                unreached: &self.unreached,
                now: self.now,
            };
            let forgetting = forget(&situation, &mut rows);
            self.unreached = forgetting.unreached;
            let gone = rows.iter().filter(|row| row.phase == Gone);
            gone.inspect(|row| assert!(row.forgotten)).map(|row| row.replica.0).collect()
        }

        fn agent(&mut self, replica: u64) -> &mut Attendee {
            self.attendees.get_mut(&ReplicaId(replica)).expect("an attendee")
        }
    }

    #[test]
    fn a_member_that_nobody_reaches_is_removed_after_the_time_that_the_group_says() {
        let mut world = World::new(Some("60s"));
        assert!(world.after(Duration::ZERO).is_empty());
        assert_eq!(world.unreached, Unreached::from([(ReplicaId(3), world.now)]));
        assert!(world.after(PATIENCE - Duration::from_secs(1)).is_empty());
        assert_eq!(world.after(Duration::from_secs(1)), [3]);
    }

    #[test]
    fn nobody_is_removed_unless_the_group_says_so() {
        let mut world = World::new(None);
        assert!(world.after(Duration::ZERO).is_empty());
        assert!(world.after(Duration::from_secs(1_000_000)).is_empty());
    }

    #[test]
    fn a_member_for_which_the_others_have_to_remember_too_much_is_removed() {
        let mut world = World::new(None);
        let above = u64::from(world.view.group.spec.membership.forget_above);
        world.agent(1).tombstones = above;
        world.after(Duration::ZERO);
        assert!(world.after(LEAST * 100).is_empty(), "as much as it may be");
        world.agent(1).tombstones = above + 1;
        assert_eq!(world.after(Duration::ZERO), [3], "it has been out of reach for longer than the least");
    }

    #[test]
    fn however_much_it_costs_a_member_is_out_of_reach_for_some_time_before_it_is_removed() {
        let mut world = World::new(Some("24h"));
        world.agent(1).tombstones = u64::MAX;
        assert!(world.after(Duration::ZERO).is_empty());
        assert!(world.after(LEAST - Duration::from_secs(1)).is_empty());
        assert_eq!(world.after(Duration::from_secs(1)), [3]);
    }

    #[test]
    fn a_member_that_is_reached_stays_whatever_it_costs() {
        let mut world = World::new(None);
        world.agent(1).tombstones = u64::MAX;
        world.agent(2).reached.insert(ReplicaId(3));
        world.after(Duration::ZERO);
        assert!(world.after(LEAST * 100).is_empty());
    }

    #[test]
    fn a_member_that_another_one_reaches_stays_and_the_time_starts_again() {
        let mut world = World::new(Some("60s"));
        world.after(Duration::ZERO);
        world.after(PATIENCE - Duration::from_secs(1));
        world.agent(2).reached.insert(ReplicaId(3));
        assert!(world.after(Duration::from_secs(10)).is_empty() && world.unreached.is_empty());
        world.agent(2).reached.remove(&ReplicaId(3));
        assert!(world.after(Duration::from_secs(1)).is_empty());
        assert!(world.after(PATIENCE - Duration::from_secs(1)).is_empty());
    }

    #[test]
    fn an_agent_that_does_not_say_whom_it_reaches_may_reach_all() {
        let mut world = World::new(Some("60s"));
        world.agent(2).says_whom_it_reaches = false;
        world.after(Duration::ZERO);
        assert!(world.after(PATIENCE * 2).is_empty());
    }

    #[test]
    fn an_agent_that_has_just_come_does_not_start_the_time_again() {
        let mut world = World::new(Some("60s"));
        world.after(Duration::ZERO);
        let since = world.unreached.clone();
        let newcomer = attendee(3, "d", MemberPhase::Joining, world.now);
        world.attendees.insert(ReplicaId(4), newcomer);
        assert!(world.after(PATIENCE).is_empty(), "it has not said yet whom it reaches");
        assert_eq!(world.unreached, since);
        world.agent(4).says_whom_it_reaches = true;
        assert_eq!(world.after(Duration::ZERO), [3]);
    }

    #[test]
    fn an_operator_that_hears_no_active_member_removes_nobody() {
        let mut world = World::new(Some("60s"));
        world.attendees.clear();
        world.after(Duration::ZERO);
        assert!(world.after(PATIENCE * 2).is_empty());
        let rows = vec![row(1, "a", Leaving), row(3, "c", Active)];
        world.view.listing = Some(listing(5, None, rows).into());
        let leaving = Attendee { says_whom_it_reaches: true, ..attendee(1, "a", Leaving, world.now) };
        world.attendees.insert(ReplicaId(1), leaving);
        world.after(Duration::ZERO);
        assert!(world.after(PATIENCE * 2).is_empty(), "who leaves is nobody to stay");
    }
}
