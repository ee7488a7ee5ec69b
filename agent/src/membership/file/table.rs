//! From the file's slots and what processes say of themselves to a member list.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use baton_replica::{Member, MemberPhase, Membership, MembershipVersion, ReplicaId};
use baton_wire::convert::{Identified, OF_FILE};

use crate::membership::file::first::{Witness, may_start_empty};
use crate::membership::file::list::{FileError, List, Slot};

/// How soon a process that did not answer is asked again.
const RETRY: Duration = Duration::from_millis(300);

/// How often one that did is asked again: it may have been replaced.
const AGAIN: Duration = Duration::from_secs(1);

/// A question without an answer for so long was lost.
const LOST: Duration = Duration::from_secs(5);

/// How many questions in a row a process that the file has dropped must miss to be Gone. One could be a slow machine,
/// and Gone is for ever.
const MISSES: u32 = 3;

/// All processes that are known, and what this one makes of them.
pub(super) struct Table {
    me: ReplicaId,
    own_name: String,
    start_empty_after: Duration,
    list: Option<(List, Instant)>,
    /// Whether the file has listed this process.
    listed: bool,
    /// This process may start without state.
    granted: bool,
    /// The others, in the order in which they were first heard of.
    others: Vec<Member>,
    places: BTreeMap<String, Place>,
    own_address: String,
    published: Option<Membership>,
    /// Another process has named an id that this one did not know.
    learned: bool,
}

/// An address where a process of another slot runs, or should.
struct Place {
    name: String,
    witness: Witness,
    misses: u32,
    due: Instant,
    asked: Option<Instant>,
}

// === impl Table ===

impl Table {
    /// Knows nobody yet.
    pub(super) fn new(me: ReplicaId, own_name: &str, start_empty_after: Duration) -> Self {
        Self {
            me,
            own_name: own_name.to_owned(),
            start_empty_after,
            list: None,
            listed: false,
            granted: false,
            others: Vec::new(),
            places: BTreeMap::new(),
            own_address: String::new(),
            published: None,
            learned: false,
        }
    }

    /// The number of the last good file.
    pub(super) fn number(&self) -> Option<u64> {
        self.list.as_ref().map(|(list, _)| list.number)
    }

    /// Whether there is a file, and it has never listed this process.
    pub(super) fn waits_to_be_listed(&self) -> bool {
        self.list.is_some() && !self.listed
    }

    /// Refuses a file that drops this process.
    pub(super) fn check(&self, list: List) -> Result<List, FileError> {
        list.keeping(self.listed, &self.own_name)
    }

    /// Takes a newer file.
    pub(super) fn take_list(&mut self, list: List, now: Instant) {
        if let Some(own) = list.slot(&self.own_name) {
            self.listed = true;
            self.own_address.clone_from(&own.address);
        }
        for slot in list.slots.iter().filter(|slot| slot.name != self.own_name) {
            let known = self.places.get(&slot.address).is_some_and(|place| place.name == slot.name);
            if !known {
                self.places.insert(slot.address.clone(), Place::new(slot, now));
            }
        }
        let others = &self.others;
        let runs = |address: &str| others.iter().any(|row| row.address == address && row.phase != MemberPhase::Gone);
        self.places.retain(|address, _| list.slots.iter().any(|slot| slot.address == *address) || runs(address));
        self.list = Some((list, now));
    }

    /// The addresses to ask now. Each must be answered by [`Self::take_answer`].
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let idle = |asked: Instant| now.saturating_duration_since(asked) >= LOST;
        let due = self.places.iter_mut().filter(|(_, place)| place.due <= now && place.asked.is_none_or(idle));
        let ask = |(address, place): (&String, &mut Place)| {
            place.asked = Some(now);
            address.clone()
        };
        due.map(ask).collect()
    }

    /// Takes what was heard at an address; `None` if no process answered.
    pub(super) fn take_answer(&mut self, address: &str, answer: Option<Identified>, now: Instant) {
        let me = self.me;
        let Some(place) = self.places.get_mut(address) else { return };
        place.asked = None;
        // A process of another name is one that has taken over the address; the slot's own does not run there.
        match answer.filter(|answer| answer.replica != me && answer.name == place.name) {
            Some(identified) => {
                place.heard(identified.phase, now);
                let gone = identified.gone.clone();
                self.take_identity(address, identified);
                self.take_gone(&gone);
            }
            None => {
                place.missed(now);
                let ended = place.misses >= MISSES && !self.lists(address);
                if ended {
                    self.places.remove(address);
                    self.end_rows(address);
                }
            }
        }
    }

    /// The member list, if it has changed. `own` is the phase of this process.
    pub(super) fn poll(&mut self, own: MemberPhase, now: Instant) -> Option<Membership> {
        if !self.listed {
            return None;
        }
        self.granted |= own == MemberPhase::Joining && self.may_be_first(now);
        let members: Vec<Member> = std::iter::once(self.own_row(own)).chain(self.other_rows()).collect();
        let first = self.granted.then_some(self.me);
        let settings = self.list.as_ref().map(|(list, _)| list.settings.clone()).unwrap_or_default();
        let unchanged = |last: &Membership| last.members == members && last.first == first && last.settings == settings;
        if self.published.as_ref().is_some_and(unchanged) {
            return None;
        }
        let number = self.published.as_ref().map_or(1, |last| last.version.number + 1);
        // Numbers are this process's own, so they are compared with nobody else's.
        let version = MembershipVersion { uid: format!("{OF_FILE}{}", self.me), number };
        let list = Membership { version, members, first, settings, follows: Vec::new() };
        self.published = Some(list.clone());
        Some(list)
    }

    /// Whether, since this was last asked, another process has named an id that this one did not know. What peers have
    /// said of it until then was lost: they must say it again.
    pub(super) fn take_learned(&mut self) -> bool {
        std::mem::take(&mut self.learned)
    }

    fn may_be_first(&self, now: Instant) -> bool {
        let Some((list, since)) = &self.list else { return false };
        let mine = list.first.as_deref() == Some(&self.own_name) && list.slot(&self.own_name).is_some();
        let witnesses = self.places.values().map(|place| place.witness);
        mine && may_start_empty(witnesses, *since, self.start_empty_after, now)
    }

    fn own_row(&self, own: MemberPhase) -> Member {
        let held = own != MemberPhase::Joining;
        let row = row(self.me, &self.own_name, &self.own_address, own, held);
        Member { phase: self.told(&self.own_name, &self.own_address, own), ..row }
    }

    fn other_rows(&self) -> impl Iterator<Item = Member> + '_ {
        let row = |row: &Member| Member { phase: self.told(&row.pod_name, &row.address, row.phase), ..row.clone() };
        self.others.iter().map(row)
    }

    /// A phase, raised to Leaving if the file says so. A process that the file no longer lists is Gone once it has ended.
    fn told(&self, name: &str, address: &str, phase: MemberPhase) -> MemberPhase {
        let slot = self.list.as_ref().and_then(|(list, _)| list.slot(name)).filter(|slot| slot.address == address);
        let leaves = slot.is_some_and(|slot| slot.leaving);
        if leaves { phase.max(MemberPhase::Leaving) } else { phase }
    }

    fn take_identity(&mut self, address: &str, identified: Identified) {
        let Identified { group: _, replica, phase, name, gone: _ } = identified;
        let held = phase != MemberPhase::Joining;
        if let Some(row) = self.others.iter_mut().find(|row| row.replica == replica) {
            row.phase = row.phase.max(phase);
            row.held_state |= held;
            return;
        }
        self.end_rows(address);
        self.others.push(row(replica, &name, address, phase, held));
    }

    /// Another process has seen these end. What they wrote is here or comes here: unlisted, they would count as settled
    /// by everybody, and who leaves could hand their writes to nobody.
    fn take_gone(&mut self, gone: &[ReplicaId]) {
        let known = |id: &ReplicaId| *id == self.me || self.others.iter().any(|row| row.replica == *id);
        let news: Vec<ReplicaId> = gone.iter().copied().filter(|id| !known(id)).collect();
        self.learned |= !news.is_empty();
        self.others.extend(news.into_iter().map(|id| row(id, "", "", MemberPhase::Gone, true)));
    }

    /// The processes that were known at this address have ended: one that answers has taken their place, or none does.
    fn end_rows(&mut self, address: &str) {
        for row in self.others.iter_mut().filter(|row| row.address == address) {
            row.phase = MemberPhase::Gone;
        }
    }

    fn lists(&self, address: &str) -> bool {
        self.list.as_ref().is_some_and(|(list, _)| list.slots.iter().any(|slot| slot.address == address))
    }
}

// === impl Place ===

impl Place {
    fn new(slot: &Slot, now: Instant) -> Self {
        let witness = Witness { answer: None, asked_since: now };
        Self { name: slot.name.clone(), witness, misses: 0, due: now, asked: None }
    }

    fn heard(&mut self, phase: MemberPhase, now: Instant) {
        self.witness.answer = Some((phase, now));
        self.misses = 0;
        self.due = now + AGAIN;
    }

    fn missed(&mut self, now: Instant) {
        self.misses = self.misses.saturating_add(1);
        self.due = now + RETRY;
    }
}

fn row(replica: ReplicaId, name: &str, address: &str, phase: MemberPhase, held_state: bool) -> Member {
    Member { pod_name: name.to_owned(), address: address.to_owned(), held_state, ..Member::new(replica, phase) }
}

#[cfg(test)]
mod tests;
