//! The character of a run: how large the group is, what its network is like, which faults are frequent.
//!
//! Every seed draws one. Each kind of trouble is frequent in some runs and absent in others, since a bit of everything in
//! every run dilutes them all.

mod bulk;
mod theme;
mod vary;

use baton_replica::{AckLevel, Completion, Limits, MapLimits, MapName, OnDeparture, ReplicaId, Settings};
use std::time::Duration;

use crate::rng::Rng;
use crate::scene::Scene;

/// The map that everybody writes to.
pub(crate) const MAP: &str = "map";

/// What a group may ask of its writes.
const WRITE_ACKS: [AckLevel; 6] =
    [AckLevel::Count(0), AckLevel::Count(1), AckLevel::Count(1), AckLevel::Count(2), AckLevel::Majority, AckLevel::All];

/// What a seed has drawn.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) pods: u64,
    pub(crate) shards: usize,
    /// Pods without an app, besides.
    pub(crate) keepers: usize,
    pub(crate) keys: u64,
    /// Given to processes in turn.
    pub(crate) limits: Vec<Limits>,
    pub(crate) settings: Settings,
    pub(crate) actions: usize,
    /// The longest time between two actions, in milliseconds.
    pub(crate) gap: u64,
    /// Whether messages wait until a schedule lets a pair exchange all it has to say.
    pub(crate) held: bool,
    /// The longest usual time of a message on its way.
    pub(crate) delay: u64,
    /// How often in a thousand a message takes ten times as long, and all behind it.
    pub(crate) stalls: u64,
    /// The longest time until a change reaches the operator, and until a list reaches an agent.
    pub(crate) news_delay: u64,
    pub(crate) push_delay: u64,
    /// How long after a message the others hear what was applied.
    pub(crate) settle: u64,
    pub(crate) grace: u64,
    /// How long the app of a terminating pod writes on, at most.
    pub(crate) app_stop: u64,
    /// The furthest that a wall clock is off.
    pub(crate) skew: u64,
    /// Whether it may be behind, and not ahead only.
    pub(crate) behind: bool,
    /// How long it takes a process to take over what others owned, at most.
    pub(crate) lag: u64,
    /// The greatest value, in bytes.
    pub(crate) value: u64,
    /// How many bytes more all keys begin with, and all fields, that are the same.
    pub(crate) alike: usize,
    /// The most writes of one batch.
    pub(crate) batch: u64,
    /// Whether batches do whatever a single request may.
    pub(crate) mixed: bool,
    /// Whether a request is under way whenever a process is told to stop.
    pub(crate) late_writes: bool,
    /// Whether a process says that it leaves only when it has said all else.
    pub(crate) phase_last: bool,
    /// Whether others hear of that from the operator only.
    pub(crate) phase_late: bool,
    pub(crate) weights: Weights,
    /// What is played instead of actions drawn by these weights.
    pub(crate) scene: Option<Scene>,
    /// So many actions between two checks of everything.
    pub(crate) check_every: usize,
}

/// How likely each kind of action is, against the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    pub(crate) put: u64,
    pub(crate) delete: u64,
    pub(crate) count: u64,
    pub(crate) expire: u64,
    pub(crate) own: u64,
    pub(crate) odd: u64,
    pub(crate) batch: u64,
    pub(crate) exchange: u64,
    pub(crate) deliver: u64,
    pub(crate) cut: u64,
    pub(crate) partition: u64,
    pub(crate) freeze: u64,
    pub(crate) crash: u64,
    pub(crate) lose: u64,
    pub(crate) exile: u64,
    pub(crate) eclipse: u64,
    pub(crate) start: u64,
    pub(crate) terminate: u64,
    pub(crate) hook: u64,
    pub(crate) stop: u64,
    pub(crate) scale: u64,
    pub(crate) roll: u64,
    pub(crate) clock: u64,
    pub(crate) operator: u64,
    pub(crate) anew: u64,
    pub(crate) push: u64,
    pub(crate) replay: u64,
    pub(crate) garbage: u64,
    pub(crate) corrupt: u64,
    pub(crate) repeat: u64,
    pub(crate) release: u64,
    pub(crate) slow: u64,
    pub(crate) clear: u64,
}

// === impl Profile ===

impl Profile {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut profile = Self::draw_any(rng);
        theme::apply(&mut profile, rng);
        // Drawn last: of a group in which nobody owns anything, nothing else depends on it.
        profile.settings.completion = rng.pick(&[Completion::Replicated, Completion::Adopted, Completion::Confirmed]);
        profile.lag = rng.pick(&[0, 0, 2 * profile.gap]);
        let without = profile.scene.is_some() || profile.weights.corrupt > 0;
        profile.keepers = if without { 0 } else { rng.pick(&[0, 0, 0, 1, 2]) };
        profile.settings = as_sent(profile.settings);
        for limits in &mut profile.limits {
            // With 1, a batch goes key by key ahead of its range.
            limits.message_bytes = rng.pick(&[1, 1, 200, 32 << 20]);
        }
        profile
    }

    /// Whether apps own keys.
    pub(crate) const fn has_owners(&self) -> bool {
        self.weights.own > 0 || (self.mixed && self.weights.batch > 0)
    }

    /// Whether the app beside a process hears of changes: what a transfer brings is taken another way where none does.
    pub(crate) const fn watches(&self, id: ReplicaId) -> bool {
        self.has_owners() || id.bits().is_multiple_of(2)
    }

    fn draw_any(rng: &mut Rng) -> Self {
        let held = rng.chance(600);
        let batch = [1, 1, 200, 65_536];
        let slots = [2, 3, 5, 8, 64, 64];
        let limits = (0..rng.within(1, 2))
            .map(|_| Limits { max_slots: rng.pick(&slots), batch_bytes: rng.pick(&batch), ..Limits::default() })
            .collect();
        let settings = Settings {
            handoff_acks: rng.pick(&[1, 1, 1, 2]),
            handoff_timeout: Duration::from_millis(rng.pick(&[1_000, 20_000, 20_000])),
            write_acks: rng.pick(&WRITE_ACKS),
            accept_when_alone: !rng.chance(200),
            on_departure: on_departure(rng),
            ..Settings::default()
        };
        Self {
            pods: rng.pick(&[1, 2, 2, 3, 3, 3, 4, 5]),
            shards: rng.pick(&[1, 1, 1, 2, 3]),
            keepers: 0,
            keys: rng.within(2, 4),
            limits,
            settings,
            actions: rng.pick(&[40, 80, 120, 160]),
            gap: rng.pick(&[2, 10, 50, 300]),
            held,
            delay: if held { 0 } else { rng.pick(&[0, 1, 5, 20, 200]) },
            stalls: rng.pick(&[0, 0, 30]),
            news_delay: rng.pick(&[0, 5, 50, 1_000]),
            push_delay: rng.pick(&[0, 5, 50, 1_000, 5_000]),
            settle: rng.pick(&[1, 20, 100]),
            grace: rng.pick(&[3_000, 5_000, 30_000]),
            app_stop: rng.pick(&[0, 20, 200, 2_000, 8_000]),
            skew: rng.pick(&[0, 0, 1_000, 10_000_000]),
            behind: false,
            lag: 0,
            value: rng.pick(&[8, 8, 100, 4_096]),
            alike: 0,
            batch: 4,
            mixed: false,
            late_writes: rng.chance(300),
            phase_last: false,
            phase_late: false,
            weights: Weights::draw(rng, held),
            scene: None,
            check_every: rng.pick(&[4, 8, 16]),
        }
    }
}

/// As an operator says it: of a map whose keys are adopted nothing, and of each other one that it has no limits.
fn as_sent(mut settings: Settings) -> Settings {
    settings.on_departure.retain(|(_, choice)| *choice != OnDeparture::Adopt);
    settings.maps = settings.on_departure.iter().map(|(map, _)| (map.clone(), MapLimits::default())).collect();
    settings
}

/// What becomes of the owned keys of the one map that there is.
fn on_departure(rng: &mut Rng) -> Vec<(MapName, OnDeparture)> {
    let choice = rng.pick(&[OnDeparture::Adopt, OnDeparture::Adopt, OnDeparture::Keep, OnDeparture::Release]);
    MapName::parse(MAP).map(|map| vec![(map, choice)]).unwrap_or_default()
}

// === impl Weights ===

impl Weights {
    /// Nothing happens.
    const NONE: Self = Self {
        put: 0,
        delete: 0,
        count: 0,
        expire: 0,
        own: 0,
        odd: 0,
        batch: 0,
        exchange: 0,
        deliver: 0,
        cut: 0,
        partition: 0,
        freeze: 0,
        crash: 0,
        lose: 0,
        exile: 0,
        eclipse: 0,
        start: 0,
        terminate: 0,
        hook: 0,
        stop: 0,
        scale: 0,
        roll: 0,
        clock: 0,
        operator: 0,
        anew: 0,
        push: 0,
        replay: 0,
        garbage: 0,
        corrupt: 0,
        repeat: 0,
        release: 0,
        slow: 0,
        clear: 0,
    };

    fn draw(rng: &mut Rng, held: bool) -> Self {
        let mut some = |often: &[u64]| rng.pick(often);
        let talk = if held { [40, 60, 80] } else { [0, 0, 0] };
        Self {
            put: some(&[10, 20, 30]),
            delete: some(&[0, 5, 15]),
            count: some(&[0, 0, 10, 30]),
            expire: some(&[0, 0, 10]),
            own: some(&[0, 0, 10]),
            odd: some(&[0, 0, 5]),
            batch: some(&[0, 0, 5, 15]),
            exchange: some(&talk),
            deliver: some(&talk) / 2,
            cut: some(&[0, 2, 6]),
            partition: some(&[0, 0, 2, 6]),
            freeze: some(&[0, 0, 2]),
            crash: some(&[0, 0, 1, 4]),
            lose: some(&[0, 0, 1, 3]),
            start: some(&[0, 1, 3]),
            terminate: some(&[0, 1, 2, 5]),
            hook: some(&[0, 0, 3]),
            stop: some(&[0, 1, 3]),
            scale: some(&[0, 0, 1]),
            roll: some(&[0, 0, 1]),
            clock: some(&[0, 0, 1]),
            operator: some(&[0, 0, 1]),
            anew: some(&[0, 0, 0, 1]),
            push: some(&[0, 2, 6]),
            replay: some(&[0, 0, 4]),
            garbage: some(&[0, 0, 0, 3]),
            corrupt: 0,
            eclipse: 0,
            exile: some(&[0, 0, 0, 2]),
            repeat: some(&[0, 0, 0, 3]),
            release: some(&[0, 0, 0, 2]),
            slow: 0,
            clear: 0,
        }
    }
}
