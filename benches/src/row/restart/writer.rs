//! Writers that go on whatever happens, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::sample;

pub(super) const WRITERS: u64 = 4;
/// After a failure: long enough not to spin, short against any gap that is worth a figure.
const RETRY: Duration = Duration::from_millis(1);

/// A writer's way to the store, made anew after every failure.
pub(super) trait Session {
    /// Writes a value, and returns when it is acknowledged.
    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<()>;
}

/// Where writers connect to; it says where they should now.
pub(super) trait Door: Send + Sync + 'static {
    type Session: Session;

    /// The place for a writer, which changes while members are replaced.
    fn place(&self, writer: u64) -> u16;

    /// Connects to a place.
    fn open(&self, place: u16) -> Result<Self::Session>;
}

/// All writers.
pub(super) struct Crew {
    desk: Arc<Desk>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<BTreeMap<u64, Vec<u8>>>>,
}

/// What all writers have done so far.
#[derive(Default)]
struct Desk {
    puts: AtomicU64,
    gap: Mutex<Duration>,
}

/// What was done since the count began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) puts: u64,
    /// The longest that a writer was without an answer.
    pub(super) gap: Duration,
}

// === impl Crew ===

impl Crew {
    /// Starts the writers; each has keys of its own.
    pub(super) fn start<D: Door>(door: &Arc<D>, keys: u64, value_bytes: usize) -> Self {
        let (desk, stop) = (Arc::<Desk>::default(), Arc::new(AtomicBool::new(false)));
        let writer = |number| {
            let (door, desk, stop) = (door.clone(), desk.clone(), stop.clone());
            std::thread::spawn(move || write(number, &*door, &desk, &stop, keys, value_bytes))
        };
        let threads = (0..WRITERS).map(writer).collect();
        Self { desk, stop, threads }
    }

    /// Counts from now on.
    pub(super) fn reset(&self) {
        self.desk.puts.store(0, Ordering::Relaxed);
        *self.desk.gap.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
    }

    /// Lets them write for a while.
    pub(super) fn pass(&self, time: Duration) -> Passed {
        std::thread::sleep(time);
        self.passed()
    }

    /// What they did since the count began.
    pub(super) fn passed(&self) -> Passed {
        let gap = *self.desk.gap.lock().unwrap_or_else(PoisonError::into_inner);
        Passed { puts: self.desk.puts.load(Ordering::Relaxed), gap }
    }

    /// Ends them, and returns the last acknowledged value of every key.
    pub(super) fn finish(self) -> Result<BTreeMap<u64, Vec<u8>>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for thread in self.threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?);
        }
        Ok(all)
    }
}

// === impl Desk ===

impl Desk {
    fn acknowledged(&self, gap: Duration) {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let mut longest = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = gap.max(*longest);
    }
}

/// Writes until it is told to stop. A put that fails is tried again, elsewhere if the door says so.
fn write<D: Door>(
    writer: u64,
    door: &D,
    desk: &Desk,
    stop: &AtomicBool,
    keys: u64,
    value_bytes: usize,
) -> BTreeMap<u64, Vec<u8>> {
    let mut acknowledged = BTreeMap::new();
    let mut session: Option<(u16, D::Session)> = None;
    let mut last = Instant::now();
    let numbers = sample::numbers(keys / WRITERS).map(|number| number * WRITERS + writer);
    for (round, number) in (1..).zip(numbers) {
        let value = sample::value(number, round, value_bytes);
        loop {
            if stop.load(Ordering::Relaxed) {
                return acknowledged;
            }
            let place = door.place(writer);
            if session.as_ref().is_none_or(|(old, _)| *old != place) {
                session = door.open(place).ok().map(|open| (place, open));
            }
            let done = session.as_mut().map(|(_, session)| session.put(&sample::name(number), &value));
            if matches!(done, Some(Ok(()))) {
                break;
            }
            session = None;
            std::thread::sleep(RETRY);
        }
        desk.acknowledged(last.elapsed());
        last = Instant::now();
        acknowledged.insert(number, value);
    }
    acknowledged
}
