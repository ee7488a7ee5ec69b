//! The group's object is deleted and made anew: the operator registers those who run as they are, under another UID.

use std::rc::Rc;

use baton_replica::{Membership, ReplicaId};

use super::{Event, World};
use crate::agent::Agent;
use crate::operator::News;

// === impl World ===

impl World {
    /// The object is made anew by an operator that remembers the list, or by one that has just started and has heard of
    /// all whom it reaches.
    pub(super) fn make_anew(&mut self, remembers: bool) {
        if self.operator.away.is_some() || !(remembers || self.is_newest_heard()) {
            return;
        }
        let ids: Vec<ReplicaId> = self.agents.keys().copied().collect();
        let known: Vec<News> = ids.into_iter().filter_map(|id| self.known(id)).collect();
        self.replace_object(remembers, &known);
    }

    /// The object is made anew by an operator that has just started, and that hears of the process in one pod alone. All
    /// others say hello so much later: those whom that one has not heard of are not in the list until then.
    pub(super) fn make_anew_by(&mut self, pod: u32, millis: u64) {
        let Some(first) = self.played_by(pod).filter(|_| self.operator.away.is_none()) else { return };
        let Some(known) = self.known(first) else { return };
        self.replace_object(false, &[known]);
        for id in self.agents.keys().copied().collect::<Vec<_>>() {
            self.add(millis, Event::Heard(id));
        }
    }

    fn replace_object(&mut self, remembers: bool, known: &[News]) {
        self.look_at_pods();
        self.operator.make_anew(remembers, known);
        self.trace.say(self.now, || format!("the object is made anew: {:?}", self.operator.list()));
        self.push_newest();
    }

    /// Whether somebody whom the operator reaches has the newest list: else it does not hear of who is only there.
    fn is_newest_heard(&self) -> bool {
        let newest = self.operator.list();
        let has_it = |agent: &Agent| agent.list.as_ref().is_some_and(|known| known.version == newest.version);
        self.agents.iter().any(|(id, agent)| !self.out_of_sight.contains(id) && has_it(agent))
    }

    /// Who goes over to the list of an object made anew says which it had, if it has heard of that since it said what it
    /// knows.
    pub(super) fn go_over(&mut self, id: ReplicaId, former: Option<&Rc<Membership>>, list: &Membership) {
        let Some(former) = former.filter(|former| former.version.uid != list.version.uid) else { return };
        if let Some(News::Known { replica, pod, revision, phase, .. }) = self.known(id) {
            let list = Some(former.clone());
            self.tell_operator(News::Known { replica, pod, revision, phase, list });
        }
    }

    /// An agent that the operator reaches again, and that has no list of the object that there is, says what it knows.
    pub(super) fn say_known(&mut self, id: ReplicaId) {
        let list = self.agents.get(&id).and_then(|agent| agent.list.as_ref());
        if self.operator.is_new_to(list)
            && let Some(news) = self.known(id)
        {
            self.tell_operator(news);
        }
    }

    fn known(&mut self, id: ReplicaId) -> Option<News> {
        let agent = self.agents.get_mut(&id).filter(|_| !self.out_of_sight.contains(&id))?;
        // What it has said of those who are gone, it says again.
        agent.settled.clear();
        agent.may_have_settled = true;
        let (pod, phase, list) = (agent.pod, agent.member_phase(), agent.list.clone());
        let revision = self.pods.get(&pod).map_or(0, |pod| pod.revision);
        Some(News::Known { replica: id, pod, revision, phase, list })
    }
}
