//! The agents with an open stream to this operator, by group, and the receipts that they brought. To the holder of the
//! lease, those attend too that others forward.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_crds::membership::ReplicaId;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Attendee, Known};
use crate::handoff::Receipt;
use crate::index::{GroupKey, Listing};
use crate::membership::StartedEmpty;

/// How many receipts of one group wait for being looked at: more than its pods can leave between two looks.
const RECEIPTS: usize = 4_096;

/// Who attends, shared between the sessions and the tasks of the groups.
#[derive(Debug, Default)]
pub struct Attendance {
    groups: Mutex<HashMap<GroupKey, Desk>>,
    arrivals: AtomicU64,
}

/// An agent's place while its stream is open; dropping it ends the attendance.
#[derive(Debug)]
pub struct Seat {
    attendance: Arc<Attendance>,
    key: GroupKey,
    replica: ReplicaId,
    arrival: u64,
}

#[derive(Debug, Default)]
struct Desk {
    /// The streams of each agent, the one with the newest hello last: one that broke may linger, here or elsewhere.
    seats: BTreeMap<ReplicaId, Vec<Attendee>>,
    receipts: VecDeque<Receipt>,
    started_empty: Option<StartedEmpty>,
    changed: watch::Sender<()>,
}

// === impl Attendance ===

impl Attendance {
    /// The number of the next arrival.
    pub fn arrival(&self) -> u64 {
        self.arrivals.fetch_add(1, Ordering::Relaxed)
    }

    /// Seats an agent. Of several streams of the same agent, the one with the newest hello counts.
    pub fn seat(self: &Arc<Self>, key: GroupKey, replica: ReplicaId, attendee: Attendee) -> Seat {
        let arrival = attendee.arrival;
        self.change(&key, |desk| {
            let seats = desk.seats.entry(replica).or_default();
            seats.push(attendee);
            seats.sort_by_key(Attendee::order);
        });
        Seat { attendance: Arc::clone(self), key, replica, arrival }
    }

    /// Who attends for a group.
    pub fn attendees(&self, key: &GroupKey) -> BTreeMap<ReplicaId, Attendee> {
        self.groups.lock().get(key).map(Desk::attendees).unwrap_or_default()
    }

    /// A list has all that these agents knew when they said hello: from now on they know that list.
    pub fn merged(&self, key: &GroupKey, attendees: &BTreeMap<ReplicaId, Attendee>, listing: &Listing) {
        let news = |(replica, attendee): (&ReplicaId, &Attendee)| {
            let row = listing.row(*replica)?;
            let is_told = |known: &Known| known.uid == listing.uid && known.is_only(*replica);
            let known = Known::of(&listing.uid, listing.spec.number, row.clone());
            (!attendee.known.as_ref().is_some_and(is_told)).then_some((*replica, attendee.arrival, known))
        };
        let news: Vec<(ReplicaId, u64, Known)> = attendees.iter().filter_map(news).collect();
        let mut groups = self.groups.lock();
        let Some(desk) = groups.get_mut(key) else { return };
        for (replica, arrival, known) in news {
            if let Some(attendee) = desk.seat(replica, arrival) {
                attendee.known = Some(known);
            }
        }
    }

    /// Told whenever anything changes for a group.
    pub fn changes(&self, key: &GroupKey) -> watch::Receiver<()> {
        self.groups.lock().entry(key.clone()).or_default().changed.subscribe()
    }

    /// Leaves a receipt for the group's reporter. The oldest is dropped if nobody ever looks.
    pub fn leave_receipt(&self, key: &GroupKey, receipt: Receipt) {
        self.change(key, |desk| {
            if desk.receipts.len() == RECEIPTS {
                desk.receipts.pop_front();
            }
            desk.receipts.push_back(receipt);
        });
    }

    /// Takes all receipts that were left for a group.
    pub fn take_receipts(&self, key: &GroupKey) -> VecDeque<Receipt> {
        self.groups.lock().get_mut(key).map(|desk| std::mem::take(&mut desk.receipts)).unwrap_or_default()
    }

    /// Leaves word for the group's reporter that a replica was let start empty.
    pub fn leave_started_empty(&self, key: &GroupKey, what: StartedEmpty) {
        self.change(key, |desk| desk.started_empty = Some(what));
    }

    /// Takes the word that a replica was let start empty.
    pub fn take_started_empty(&self, key: &GroupKey) -> Option<StartedEmpty> {
        self.groups.lock().get_mut(key)?.started_empty.take()
    }

    /// How many streams are open to this operator.
    pub fn len(&self) -> usize {
        self.count(|attendee| !attendee.forwarded)
    }

    /// How many agents attend through another operator.
    pub fn forwarded(&self) -> usize {
        self.count(|attendee| attendee.forwarded)
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets a group that is no more, unless agents still attend for it.
    pub fn forget(&self, key: &GroupKey) {
        let mut groups = self.groups.lock();
        if groups.get(key).is_some_and(|desk| desk.seats.is_empty()) {
            groups.remove(key);
        }
    }

    fn count(&self, counts: impl Fn(&Attendee) -> bool) -> usize {
        let groups = self.groups.lock();
        groups.values().flat_map(|desk| desk.seats.values().flatten()).filter(|attendee| counts(attendee)).count()
    }

    fn change<R>(&self, key: &GroupKey, change: impl FnOnce(&mut Desk) -> R) {
        let mut groups = self.groups.lock();
        let desk = groups.entry(key.clone()).or_default();
        change(desk);
        desk.changed.send_replace(());
    }
}

// === impl Desk ===

impl Desk {
    fn attendees(&self) -> BTreeMap<ReplicaId, Attendee> {
        self.seats.iter().filter_map(|(replica, seats)| Some((*replica, seats.last()?.clone()))).collect()
    }

    fn seat(&mut self, replica: ReplicaId, arrival: u64) -> Option<&mut Attendee> {
        self.seats.get_mut(&replica)?.iter_mut().find(|one| one.arrival == arrival)
    }
}

// === impl Seat ===

impl Seat {
    /// Changes what this stream has told of the agent.
    pub fn update(&self, change: impl FnOnce(&mut Attendee)) {
        self.attendance.change(&self.key, |desk| desk.seat(self.replica, self.arrival).map(change));
    }

    /// The agent knows this list now. It is news only of an agent that was named by none before.
    pub fn note_known(&self, known: Known) {
        let mut groups = self.attendance.groups.lock();
        let Some(desk) = groups.get_mut(&self.key) else { return };
        let Some(attendee) = desk.seat(self.replica, self.arrival) else { return };
        let is_news = attendee.known.as_ref().is_none_or(|known| !known.names(self.replica));
        attendee.known = Some(known);
        if is_news {
            desk.changed.send_replace(());
        }
    }

    /// Leaves a receipt that the agent brought.
    pub fn leave_receipt(&self, receipt: Receipt) {
        self.attendance.leave_receipt(&self.key, receipt);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.attendance.change(&self.key, |desk| {
            let Some(seats) = desk.seats.get_mut(&self.replica) else { return };
            seats.retain(|one| one.arrival != self.arrival);
            if seats.is_empty() {
                desk.seats.remove(&self.replica);
            }
        });
    }
}
