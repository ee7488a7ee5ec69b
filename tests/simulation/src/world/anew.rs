//! The group's object is deleted and made anew: the operator registers those who run as they are, under another UID.

use baton_replica::ReplicaId;

use super::World;
use crate::operator::News;

// === impl World ===

impl World {
    /// The object is made anew by an operator that remembers the list, or by one that has just started and has heard of
    /// all whom it reaches.
    pub(super) fn make_anew(&mut self, remembers: bool) {
        if self.operator.away.is_some() {
            return;
        }
        let ids: Vec<ReplicaId> = self.agents.keys().copied().collect();
        let known: Vec<News> = ids.into_iter().filter_map(|id| self.known(id)).collect();
        self.look_at_pods();
        self.operator.make_anew(remembers, &known);
        self.trace.say(self.now, || format!("the object is made anew: {:?}", self.operator.list()));
        self.push_newest();
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
