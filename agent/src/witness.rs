//! The departures of others as this agent sees them: a span each, from the list that says that a member leaves to the one
//! that says that it is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use baton_replica::{Member, MemberPhase, ReplicaId};
use baton_telemetry::{Span, Tracer};

use crate::engine::Engine;

/// Who leaves: since when, and in which pod.
type Leaving = BTreeMap<ReplicaId, (SystemTime, String)>;

/// Runs as long as the process. Without a collector there is nothing to do.
pub(crate) async fn witness(engine: Arc<Engine>, tracer: Tracer) {
    if !tracer.is_on() {
        return;
    }
    let mut lists = engine.membership();
    let mut leaving = Leaving::new();
    loop {
        let list = lists.borrow_and_update().clone();
        if let Some(list) = list {
            let others: Vec<&Member> = list.members.iter().filter(|row| row.replica != engine.replica()).collect();
            for span in look(&mut leaving, &others, SystemTime::now()) {
                tracer.send(span.with("baton.witness", engine.identity().pod_name.clone()));
            }
        }
        if lists.changed().await.is_err() {
            return;
        }
    }
}

/// Takes note of who leaves, and tells of those who leave no more.
fn look(leaving: &mut Leaving, others: &[&Member], now: SystemTime) -> Vec<Span> {
    let leaves = |row: &&&Member| row.phase == MemberPhase::Leaving;
    for row in others.iter().filter(leaves) {
        leaving.entry(row.replica).or_insert_with(|| (now, row.pod_name.clone()));
    }
    let is_over = |replica: &ReplicaId| !others.iter().filter(leaves).any(|row| row.replica == *replica);
    let over: Leaving = leaving.extract_if(.., |replica, _| is_over(replica)).collect();
    let span = |(replica, (begun, pod)): (ReplicaId, (SystemTime, String))| {
        Span::part(replica.bits(), "survive", begun, now).with("k8s.pod.name", pod)
    };
    over.into_iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(bits: u64, phase: MemberPhase) -> Member {
        Member { pod_name: format!("web-{bits}"), ..Member::new(ReplicaId::new(bits).expect("an id"), phase) }
    }

    #[test]
    fn a_departure_is_told_once_when_the_list_says_that_it_is_over() {
        let mut leaving = Leaving::new();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut look =
            |rows: &[Member], seconds| look(&mut leaving, &rows.iter().collect::<Vec<_>>(), at(seconds)).len();
        let (leaves, gone) = (row(7, MemberPhase::Leaving), row(7, MemberPhase::Gone));
        let stays = row(8, MemberPhase::Active);
        assert_eq!(look(&[row(7, MemberPhase::Active), stays.clone()], 1), 0);
        assert_eq!(look(&[leaves.clone(), stays.clone()], 2), 0);
        assert_eq!(look(&[leaves.clone(), stays.clone()], 3), 0);
        assert_eq!(look(&[gone, stays.clone()], 4), 1);
        assert_eq!(look(std::slice::from_ref(&stays), 5), 0, "it was told");
        assert_eq!(look(&[leaves, row(9, MemberPhase::Leaving)], 6), 0);
        assert_eq!(look(&[stays], 7), 2, "they are not listed any more");
    }
}
