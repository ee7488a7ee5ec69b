//! What the operator knows of members when the group's object was deleted and made anew: what it remembers, and what the
//! lists of running agents say.

use std::rc::Rc;

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion};

use super::{News, Operator, grant};

// === impl Operator ===

impl Operator {
    /// The object is deleted and made anew, under another UID. The number goes on; who is a member is known from memory, if
    /// the operator has one, and from those who run.
    pub(crate) fn make_anew(&mut self, remembers: bool, known: &[News]) {
        let mut list = (*self.list()).clone();
        if remembers {
            list.follows.push(list.version.clone());
        }
        list.version.uid.push('+');
        if !remembers {
            list.follows.clear();
            (list.members, list.first) = (Vec::new(), None);
            self.settled.clear();
            self.removed.clear();
        }
        // The newest goes first: whom it does not name and an earlier one does, that was retired.
        let mut known: Vec<&News> = known.iter().collect();
        known.sort_by_key(|news| std::cmp::Reverse(news.number()));
        known.into_iter().for_each(|news| self.hear(&mut list, news));
        if !self.state_exists {
            grant(&mut list, &self.silent);
        }
        // No list of the object before reaches anybody any more.
        self.history.clear();
        self.publish(list);
    }

    /// An agent says which list it has, and how far it is.
    pub(super) fn hear(&mut self, list: &mut Membership, news: &News) {
        let News::Known { replica, pod, revision, phase, list: known } = news else { return };
        if let Some(known) = known.as_deref().filter(|known| known.version.uid != list.version.uid) {
            self.merge(list, known);
        }
        if !self.pods.contains_key(replica) {
            self.place(list, *replica, *pod);
        }
        self.enrol(list, self.row(*replica, *pod, *revision), *phase);
    }

    /// Joins the rows of a list of another object: phases only go forward, and a state once held may still be there. Whom a
    /// list names and one that comes after it does not, that was retired.
    fn merge(&mut self, list: &mut Membership, known: &Membership) {
        let is_old = list.is_after(&known.version);
        if !is_old {
            list.follows.retain(|followed| followed.uid != known.version.uid);
            let others = known.follows.iter().filter(|followed| !list.is_after(followed));
            let news: Vec<MembershipVersion> = others.chain([&known.version]).cloned().collect();
            list.follows.extend(news);
        }
        for other in &known.members {
            let at = match list.members.iter().position(|row| row.replica == other.replica) {
                Some(at) => at,
                None if is_old => continue,
                None => {
                    list.members.push(other.clone());
                    list.members.len() - 1
                }
            };
            let row = &mut list.members[at];
            (row.phase, row.held_state) = (row.phase.max(other.phase), row.held_state | other.held_state);
            self.look_at_pod(row);
        }
    }

    /// Registers an agent that runs, as it is, unless it was removed.
    fn enrol(&mut self, list: &mut Membership, new: Member, phase: MemberPhase) {
        let at = list.members.iter().position(|row| row.replica == new.replica).unwrap_or_else(|| {
            list.members.push(new);
            list.members.len() - 1
        });
        let row = &mut list.members[at];
        if row.phase != MemberPhase::Gone {
            (row.phase, row.held_state) = (row.phase.max(phase), row.held_state | (phase == MemberPhase::Active));
        }
        self.look_at_pod(row);
    }

    /// Its pod says whether a process has ended, whether it is leaving, and whether it was removed although it runs.
    fn look_at_pod(&mut self, row: &mut Member) {
        match (self.running.contains(&row.replica), row.phase) {
            (false, _) => row.phase = MemberPhase::Gone,
            (true, MemberPhase::Gone) => drop(self.removed.insert(row.replica)),
            (true, _) => {
                let pod = self.pods.get(&row.replica);
                if let Some(grace) = pod.and_then(|pod| self.terminating.get(pod)) {
                    (row.phase, row.grace) = (row.phase.max(MemberPhase::Leaving), Some(*grace));
                }
            }
        }
    }

    /// Whether an agent that goes by this list has none of the object that there is.
    pub(crate) fn is_new_to(&self, known: Option<&Rc<Membership>>) -> bool {
        known.is_none_or(|known| known.version.uid != self.list().version.uid)
    }
}
