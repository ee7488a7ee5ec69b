//! Who is linked, and which shards may have something for whom.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use baton_replica::{LinkId, ReplicaId};
use baton_wire::directory::HandoffReport;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::channel::Message;

const WORD: usize = u64::BITS as usize;

/// Bytes of messages of channels that wait for one link: enough for a burst, few enough that a slow peer holds little. What is
/// published beyond them, that peer misses; one larger message fits alone.
const MAX_UNSENT: usize = 8 * 1024 * 1024;

/// Bytes of messages in one frame, unless one has more alone: the frame's overhead is small, and a heartbeat behind it is
/// not late.
const FRAME_BYTES: usize = 64 * 1024;

/// The links that are up, one a peer at most.
pub(crate) struct Links {
    shards: usize,
    next: AtomicU64,
    by_peer: RwLock<BTreeMap<ReplicaId, Arc<LinkHandle>>>,
}

/// One link: a set of shards to poll, and a way to end it.
pub(crate) struct LinkHandle {
    pub(crate) peer: ReplicaId,
    pub(crate) id: LinkId,
    /// The replica that dialled it.
    pub(crate) dialer: ReplicaId,
    /// The newest membership number that the peer has, or has been sent.
    pub(crate) peer_membership: AtomicU64,
    /// The peer's heartbeat waits for an answer.
    pub(crate) owes_heartbeat: AtomicBool,
    /// Ends the link's tasks.
    pub(crate) closed: CancellationToken,
    dirty: Vec<AtomicU64>,
    notify: Notify,
    unsent: Mutex<Unsent>,
    /// A receipt to leave with the peer, and whether the peer has confirmed it.
    receipt: Mutex<Option<HandoffReport>>,
    pub(crate) receipt_kept: Notify,
}

/// Messages of channels that are not sent yet.
#[derive(Default)]
struct Unsent {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
}

// === impl Links ===

impl Links {
    pub(crate) fn new(shards: usize) -> Self {
        Self { shards, next: AtomicU64::new(1), by_peer: RwLock::default() }
    }

    /// Registers a new link. Of two between the same pair, the one that the lower id dialled stays, so that both sides
    /// keep the same one; of two dialled by the same side, the newer. `None` means that the new one must go.
    pub(crate) fn register(&self, me: ReplicaId, peer: ReplicaId, dialer: ReplicaId) -> Option<Arc<LinkHandle>> {
        let mut by_peer = self.by_peer.write();
        if let Some(old) = by_peer.get(&peer) {
            let preferred = me.min(peer);
            if old.dialer == preferred && dialer != preferred && !old.closed.is_cancelled() {
                return None;
            }
            old.closed.cancel();
        }
        let handle = Arc::new(LinkHandle {
            peer,
            id: LinkId(self.next.fetch_add(1, Ordering::Relaxed)),
            dialer,
            peer_membership: AtomicU64::new(0),
            owes_heartbeat: AtomicBool::new(false),
            closed: CancellationToken::new(),
            dirty: (0..self.shards.div_ceil(WORD)).map(|_| AtomicU64::new(0)).collect(),
            notify: Notify::new(),
            unsent: Mutex::default(),
            receipt: Mutex::new(None),
            receipt_kept: Notify::new(),
        });
        by_peer.insert(peer, handle.clone());
        Some(handle)
    }

    /// Forgets a link, unless a newer one has replaced it.
    pub(crate) fn remove(&self, handle: &LinkHandle) {
        handle.closed.cancel();
        let mut by_peer = self.by_peer.write();
        if by_peer.get(&handle.peer).is_some_and(|now| now.id == handle.id) {
            by_peer.remove(&handle.peer);
        }
    }

    /// Whether a link is there still, and no newer one has replaced it.
    pub(crate) fn has(&self, handle: &LinkHandle) -> bool {
        self.by_peer.read().get(&handle.peer).is_some_and(|now| now.id == handle.id)
    }

    /// The link to a peer.
    pub(crate) fn get(&self, peer: ReplicaId) -> Option<Arc<LinkHandle>> {
        self.by_peer.read().get(&peer).cloned()
    }

    /// All links.
    pub(crate) fn all(&self) -> Vec<Arc<LinkHandle>> {
        self.by_peer.read().values().cloned().collect()
    }

    /// A shard may have something for a peer.
    pub(crate) fn wake(&self, peer: ReplicaId, shard: usize) {
        if let Some(handle) = self.by_peer.read().get(&peer) {
            handle.mark(shard);
        }
    }

    /// A shard may have something for everybody.
    pub(crate) fn wake_everybody(&self, shard: usize) {
        for handle in self.by_peer.read().values() {
            handle.mark(shard);
        }
    }

    /// Whether a shard may have something for one of these peers.
    pub(crate) fn any_marked(&self, peers: &[ReplicaId]) -> bool {
        let by_peer = self.by_peer.read();
        peers.iter().filter_map(|peer| by_peer.get(peer)).any(|handle| handle.is_marked())
    }

    /// Something that is not a shard's changed.
    pub(crate) fn wake_all(&self) {
        for handle in self.by_peer.read().values() {
            handle.notify.notify_one();
        }
    }
}

// === impl LinkHandle ===

impl LinkHandle {
    /// A shard may have something to send.
    pub(crate) fn mark(&self, shard: usize) {
        let bit = 1 << (shard % WORD);
        let before = self.dirty[shard / WORD].fetch_or(bit, Ordering::AcqRel);
        if before & bit == 0 {
            self.notify.notify_one();
        }
    }

    fn is_marked(&self) -> bool {
        self.dirty.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Takes the marks: the shards to poll now.
    pub(crate) fn take_marked(&self) -> Vec<usize> {
        let mut marked = Vec::new();
        for (at, word) in self.dirty.iter().enumerate() {
            let mut bits = word.swap(0, Ordering::AcqRel);
            while bits != 0 {
                marked.push(at * WORD + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        marked
    }

    /// The peer said that it is alive, and hears the same.
    pub(crate) fn answer_heartbeat(&self) {
        self.owes_heartbeat.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Leaves a receipt with the peer.
    pub(crate) fn leave_receipt(&self, report: HandoffReport) {
        *self.receipt.lock() = Some(report);
        self.notify.notify_one();
    }

    /// The receipt to send, once.
    pub(crate) fn take_receipt(&self) -> Option<HandoffReport> {
        self.receipt.lock().take()
    }

    /// Sends a message of a channel; false if too many wait already.
    pub(crate) fn publish(&self, message: Arc<Message>) -> bool {
        let mut unsent = self.unsent.lock();
        if unsent.bytes > 0 && unsent.bytes + message.size() > MAX_UNSENT {
            return false;
        }
        unsent.bytes += message.size();
        unsent.messages.push_back(message);
        drop(unsent);
        self.notify.notify_one();
        true
    }

    /// Messages of channels for one frame; none if none wait. If there are more, the link is woken for them, so that shards
    /// have their turn before.
    pub(crate) fn take_messages(&self) -> Vec<Arc<Message>> {
        let mut unsent = self.unsent.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES
            && let Some(message) = unsent.messages.pop_front()
        {
            bytes += message.size();
            taken.push(message);
        }
        unsent.bytes -= bytes;
        if !unsent.messages.is_empty() {
            self.notify.notify_one();
        }
        taken
    }

    /// Waits until there may be something to do.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}
