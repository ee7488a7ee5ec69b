//! The shards of one process, with the locks, waits and wake-ups around them.
//!
//! Each shard has its own lock, held for one operation and never across an await. What a call makes necessary (a link
//! to wake, a writer to wake) follows from the [`Effects`] that the shard returns.

mod adoption;
mod batch;
mod count;
mod expiry;
mod feed;
mod fence;
mod limit;
mod link_handle;
mod precondition;
mod publish;
mod read;
mod report;
mod settled;
#[cfg(test)]
mod silent;
mod status;
mod summary;
mod turn;
mod whole;
mod write;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use baton_replica::{
    Effects, Key, Limits, LinkId, Membership, Phase, ProtocolError, ReplicaId, Roster, Settings, Shard, ShardMessage,
    Shards, Surroundings, Urgency, Wake,
};
use baton_telemetry::Repeat;
use baton_wire::convert::{OF_FILE, are_ordered};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::channel::Channels;
use crate::presence::Sessions;

use whole::Whole;

pub(crate) use adoption::adopt;
pub(crate) use batch::{Batch, BatchFailure, Change};
pub(crate) use expiry::expire;
pub(crate) use feed::{Event, Kind, News, Position, TooManyWatchers, Watcher, What, tell_watchers};
pub(crate) use fence::reissue;
pub(crate) use limit::{DefaultLimits, LimitError, MAX_VALUE_BYTES};
pub(crate) use link_handle::{LinkHandle, Links};
pub(crate) use precondition::{Precondition, Tags, Unmet};
pub(crate) use read::{Order, Range};
pub(crate) use settled::Settled;
pub(crate) use status::{MemberStatus, Status};
pub(crate) use summary::Summary;
pub(crate) use turn::{Owed, Plan, Turn};
pub(crate) use write::{Stored, Write, WriteFailure};

/// Who this process is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `namespace/name` of the group; links join agents of one group only.
    pub(crate) group: String,
    /// For people.
    pub(crate) pod_name: String,
    /// The pod's UID; empty outside Kubernetes.
    pub(crate) pod_uid: String,
}

/// The state of one agent process. All of its parts are reached through this.
pub(crate) struct Engine {
    identity: Identity,
    limits: DefaultLimits,
    shards: Vec<ShardCell>,
    roster: Mutex<Roster>,
    membership: watch::Sender<Option<Arc<Membership>>>,
    /// Those of the newest list.
    settings: RwLock<Arc<Settings>>,
    /// The number of the list that every shard goes by.
    followed: AtomicU64,
    phase: watch::Sender<Phase>,
    links: Links,
    usage: limit::UsageTable,
    counts: count::Counts,
    feed: feed::Feed,
    channels: Channels,
    sessions: Arc<Sessions>,
    reports: report::ReportQueue,
    /// Signalled when a departure may have come further.
    departure: Notify,
    /// Whether a peer's message was handled since the last settling.
    heard: AtomicBool,
    /// Signalled when one is.
    unsettled: Notify,
    /// Signalled when something expires earlier than what was known to.
    expiry: Notify,
    /// Signalled when there may be keys whose owner has departed.
    orphaned: Notify,
    mismatch: Mutex<Repeat>,
    /// Signalled when there is something to issue again.
    inherited: Notify,
    was_in_sync: AtomicBool,
    caught_up_at: AtomicU64,
    was_ready: AtomicBool,
    started: Instant,
}

/// One shard and those who wait for it.
struct ShardCell {
    shard: Whole<Shard>,
    /// Signalled when a peer acknowledged more, or the members that count changed.
    acknowledged: Notify,
    /// When the next version expires, in Unix milliseconds.
    deadline: AtomicU64,
}

// === impl Engine ===

impl Engine {
    /// A process without state.
    pub(crate) fn new(replica: ReplicaId, identity: Identity, shards: usize, limits: DefaultLimits) -> Arc<Self> {
        Self::bounded(replica, identity, shards, limits, Limits::default())
    }

    /// The same, with these bounds of each shard.
    pub(crate) fn bounded(
        replica: ReplicaId,
        identity: Identity,
        shards: usize,
        limits: DefaultLimits,
        bounds: Limits,
    ) -> Arc<Self> {
        let roster = Roster::new(replica);
        let cell = |index| ShardCell {
            shard: Whole::new(Shard::new(index, roster.clone(), bounds)),
            acknowledged: Notify::new(),
            deadline: AtomicU64::new(expiry::NEVER),
        };
        Arc::new(Self {
            identity,
            limits,
            shards: (0..shards).map(cell).collect(),
            roster: Mutex::new(roster.clone()),
            membership: watch::Sender::new(None),
            settings: RwLock::default(),
            followed: AtomicU64::new(0),
            phase: watch::Sender::new(Phase::Joining),
            links: Links::new(shards),
            usage: limit::UsageTable::default(),
            counts: count::Counts::new(),
            feed: feed::Feed::new(),
            channels: Channels::default(),
            sessions: Arc::default(),
            reports: report::ReportQueue::default(),
            departure: Notify::new(),
            heard: AtomicBool::new(false),
            unsettled: Notify::new(),
            expiry: Notify::new(),
            orphaned: Notify::new(),
            mismatch: Mutex::new(Repeat::new()),
            inherited: Notify::new(),
            was_in_sync: AtomicBool::new(false),
            caught_up_at: AtomicU64::new(0),
            was_ready: AtomicBool::new(false),
            started: Instant::now(),
        })
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The id: random, new for every process, and again when the group has removed it.
    pub(crate) fn replica(&self) -> ReplicaId {
        self.roster.lock().me()
    }

    /// The greatest value that a key's map takes.
    pub(crate) fn max_value_bytes(&self, key: &Key) -> u64 {
        self.limits.value_bytes(&self.settings(), key)
    }

    /// What is counted of operations.
    pub(crate) const fn counts(&self) -> &count::Counts {
        &self.counts
    }

    pub(crate) const fn shard_count(&self) -> usize {
        self.shards.len()
    }

    pub(crate) const fn links(&self) -> &Links {
        &self.links
    }

    /// Who listens to which channels.
    pub(crate) const fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Open watches that presences end with.
    pub(crate) const fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Receipts on their way to the operator.
    pub(crate) const fn reports(&self) -> &report::ReportQueue {
        &self.reports
    }

    /// Waits until a peer's message was handled.
    pub(crate) async fn unsettled(&self) {
        self.unsettled.notified().await;
    }

    /// What is due some time after a peer's message: telling the others what was applied, and noticing that nothing is
    /// missing any more.
    pub(crate) fn settle(&self) {
        self.heard.store(false, Ordering::Release);
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::flush_acknowledgements);
        }
        self.in_sync();
    }

    /// Takes no more writes, neither local ones nor peers'.
    pub(crate) fn seal(&self) {
        for (index, cell) in self.shards.iter().enumerate() {
            self.with_shard(index, None, Shard::seal);
            cell.acknowledged.notify_waiters();
        }
    }

    /// Asks all peers once more what they have of what is held here: see [`Shard::ask_again`].
    pub(crate) fn ask_again(&self) {
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::ask_again);
        }
    }

    /// The newest member list; `None` before the first.
    pub(crate) fn membership(&self) -> watch::Receiver<Option<Arc<Membership>>> {
        self.membership.subscribe()
    }

    /// The number of the newest member list, 0 before the first.
    pub(crate) fn membership_number(&self) -> u64 {
        self.membership.borrow().as_ref().map_or(0, |list| list.version.number)
    }

    /// The number of the list that every shard goes by. A peer that hears of it sends that list no more, and what follows
    /// from it at once: so no newer one may be named while a shard still goes by an older.
    pub(crate) fn followed_number(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    /// This process's phase.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        let changed = self.phase.send_if_modified(|now| std::mem::replace(now, phase) != phase);
        if changed {
            self.links.wake_all();
        }
    }

    /// Takes a list from its source, the operator's stream or the members file, which is always right.
    pub(crate) fn take_membership_from_source(&self, list: Membership) {
        // A peer of an older release passes a list on without what it does not know.
        self.take_membership(list, |known, new| {
            known.version.uid != new.version.uid
                || known.version.number < new.version.number
                || (known.version.number == new.version.number && known != new)
        });
    }

    /// Takes a list that a peer passed on: only one with a greater number, or the first at all. Where the group's object was
    /// made anew, under another UID, its numbers go on above all that were heard of: what follows from its lists must not
    /// come before them. One that a process has made for itself is nobody else's, not even his who has none yet.
    pub(crate) fn take_membership_from_peer(&self, list: Membership) {
        if list.version.uid.starts_with(OF_FILE) {
            return;
        }
        self.take_membership(list, |known, new| {
            let (known, new) = (&known.version, &new.version);
            new.number > known.number && are_ordered(&known.uid, &new.uid)
        });
    }

    /// Changes what is known of the members, and tells every shard. One change at a time, so that no shard ends with an
    /// older roster than another.
    pub(crate) fn update_roster(&self, change: impl FnOnce(&mut Roster)) {
        self.change_roster(&mut self.roster.lock(), change);
    }

    fn change_roster(&self, roster: &mut Roster, change: impl FnOnce(&mut Roster)) {
        let before = roster.clone();
        change(roster);
        if *roster == before {
            return;
        }
        for (index, cell) in self.shards.iter().enumerate() {
            self.with_shard(index, None, |shard| shard.set_roster(roster.clone()));
            cell.acknowledged.notify_waiters();
        }
        self.publish_members(roster);
        self.departure.notify_one();
    }

    /// What there is to be seen of the group, by this list: the newest.
    pub(crate) fn surroundings<'a>(&self, list: Option<&'a Membership>) -> Surroundings<'a> {
        Surroundings::of(&self.roster.lock(), list)
    }

    /// What is known of the members now.
    pub(crate) fn roster(&self) -> Roster {
        self.roster.lock().clone()
    }

    /// Calls a shard and does what follows. `sender` is the peer whose message it is.
    pub(crate) fn with_shard(
        &self,
        index: usize,
        sender: Option<ReplicaId>,
        call: impl FnOnce(&mut Shard) -> Effects,
    ) -> Effects {
        let mut shard = self.shards[index].shard.lock();
        let effects = call(&mut shard);
        self.release(index, shard, sender, effects);
        effects
    }

    /// Does what follows from a call, and lets go of the shard.
    fn release(&self, index: usize, mut shard: MutexGuard<'_, Shard>, sender: Option<ReplicaId>, effects: Effects) {
        self.note_deadline(&self.shards[index], &shard);
        self.note_orphans(&shard);
        self.feed.take_changes(&mut shard);
        let usage = shard.take_usage_changes();
        let wake = if shard.take_said_again() { Wake::All } else { Wake::Nobody };
        drop(shard);
        self.usage.apply(usage);
        self.follow(index, sender, effects.and(Effects { wake, ..Effects::default() }));
    }

    /// Starts without state: the membership's source allows it to this replica.
    pub(crate) fn start_empty(&self) {
        for index in 0..self.shards.len() {
            self.with_shard(index, None, Shard::start_empty);
        }
    }

    /// Whether every shard holds the state.
    pub(crate) fn holds_state(&self) -> bool {
        self.hold_state()
    }

    /// Waits until a departure may have come further.
    pub(crate) async fn departure_progress(&self) {
        self.departure.notified().await;
    }

    /// What a shard has to send on a link that is at least so urgent.
    pub(crate) fn poll_urgent(
        &self,
        index: usize,
        peer: ReplicaId,
        link: LinkId,
        least: Urgency,
    ) -> Option<ShardMessage> {
        self.shards[index].shard.lock().poll_urgent(peer, link, least)
    }

    /// Whether a survivor that comes before this peer may have something to be sent.
    pub(crate) fn gives_way(&self, peer: ReplicaId) -> bool {
        let preferred = self.roster.lock().preferred_survivors();
        !preferred.contains(&peer) && self.links.any_marked(&preferred)
    }

    /// Gives a shard what a peer sent. On an error the link should be closed.
    pub(crate) fn handle(
        &self,
        index: usize,
        peer: ReplicaId,
        link: LinkId,
        message: ShardMessage,
    ) -> Result<(), ProtocolError> {
        let mut result = Ok(());
        if !self.heard.swap(true, Ordering::AcqRel) {
            self.note_if_caught_up();
            self.unsettled.notify_one();
        }
        self.with_shard(index, Some(peer), |shard| match shard.handle(peer, link, message, wall_millis()) {
            Ok(effects) => effects,
            Err(error) => {
                result = Err(error);
                Effects::default()
            }
        });
        result
    }

    /// Looks at one shard.
    pub(crate) fn inspect<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R {
        look(&self.shards[index].shard.lock())
    }

    fn shard_of(&self, key: &Key) -> usize {
        (key.hash() % self.shards.len() as u64) as usize
    }

    fn take_membership(&self, list: Membership, better: fn(&Membership, &Membership) -> bool) {
        let list = Arc::new(list);
        // Held over both steps, so that rosters follow lists in one order. Links see the list before any shard does: they
        // pass it on before what follows from it.
        let mut roster = self.roster.lock();
        let taken = self.membership.send_if_modified(|known| {
            let take = known.as_ref().is_none_or(|known| better(known, &list));
            if take {
                *known = Some(list.clone());
            }
            take
        });
        if taken {
            *self.settings.write() = Arc::new(list.settings.clone());
            self.change_roster(&mut roster, |roster| roster.take(&list));
            self.followed.store(list.version.number, Ordering::Release);
        }
    }

    fn follow(&self, index: usize, sender: Option<ReplicaId>, effects: Effects) {
        match (effects.wake, sender) {
            (Wake::Nobody, _) => {}
            (Wake::Sender, Some(peer)) => self.links.wake(peer, index),
            (Wake::Sender | Wake::All, _) => self.links.wake_everybody(index),
        }
        if effects.acknowledged {
            self.shards[index].acknowledged.notify_waiters();
            self.departure.notify_one();
        }
        if effects.bootstrapped {
            self.departure.notify_one();
        }
    }

    /// Monotonic milliseconds since the process started.
    pub(crate) fn uptime_millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

impl Shards for Engine {
    fn count(&self) -> usize {
        self.shards.len()
    }

    fn look_at<R>(&self, index: usize, look: impl FnOnce(&Shard) -> R) -> R {
        self.inspect(index, look)
    }
}

/// The wall clock in Unix milliseconds.
pub(crate) fn wall_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}
