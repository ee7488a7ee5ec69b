//! Hybrid logical clocks: an order for concurrent writes that stays near the wall clock.

const COUNTER_BITS: u32 = 16;

/// How far a remote clock may pull the local one past the wall clock, in milliseconds. A minute covers
/// what NTP leaves behind; a peer that is hours off then costs ties, not a clock that runs away.
const MAX_AHEAD_MILLIS: u64 = 60_000;

/// 48 bits of Unix milliseconds and 16 of counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(u64);

/// Gives times that only grow.
#[derive(Clone, Debug, Default)]
pub struct HlcClock {
    last: Hlc,
}

// === impl Hlc ===

impl Hlc {
    /// From the wire.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// For the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The wall-clock part, in Unix milliseconds.
    pub const fn millis(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    const fn at(millis: u64) -> Self {
        Self(millis << COUNTER_BITS)
    }
}

// === impl HlcClock ===

impl HlcClock {
    /// The next time: above all given before, and not below the wall clock (Unix milliseconds).
    pub fn tick(&mut self, now: u64) -> Hlc {
        self.last = Hlc(self.last.0.saturating_add(1)).max(Hlc::at(now));
        self.last
    }

    /// Takes note of a time that a peer gave, up to the bound past the wall clock.
    pub fn observe(&mut self, seen: Hlc, now: u64) {
        let bound = Hlc::at(now.saturating_add(MAX_AHEAD_MILLIS));
        self.last = self.last.max(seen.min(bound));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_grow_while_the_wall_clock_stands_still_or_jumps_back() {
        let mut clock = HlcClock::default();
        let first = clock.tick(1_000);
        let second = clock.tick(1_000);
        let third = clock.tick(10);
        assert!(first < second && second < third);
    }

    #[test]
    fn a_peer_hours_ahead_pulls_the_clock_by_the_bound_only() {
        let mut clock = HlcClock::default();
        clock.observe(Hlc::at(3_600_000 + 1_000), 1_000);
        assert_eq!(clock.tick(1_000).millis(), 1_000 + MAX_AHEAD_MILLIS);
    }
}
