//! A failure that repeats is logged when it changes and every 30 s, with a count.

use std::time::{Duration, Instant};

/// How often a failure that stays the same is said again.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Remembers the last failure of one thing that is tried again and again.
#[derive(Debug, Default)]
pub struct Repeat {
    last: Option<Said>,
}

#[derive(Debug)]
struct Said {
    what: String,
    at: Instant,
    count: u64,
}

// === impl Repeat ===

impl Repeat {
    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Counts a failure. `Some(count)` means that it must be logged now, for the `count`-th time.
    pub fn failed(&mut self, what: &str, now: Instant) -> Option<u64> {
        let Some(said) = self.last.as_mut().filter(|said| said.what == what) else {
            self.last = Some(Said { what: what.to_owned(), at: now, count: 1 });
            return Some(1);
        };
        said.count += 1;
        if now.saturating_duration_since(said.at) < SAY_AGAIN {
            return None;
        }
        said.at = now;
        Some(said.count)
    }

    /// It worked. Says whether it had failed before, so that the recovery can be logged.
    pub fn worked(&mut self) -> bool {
        self.last.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_on_change_and_every_thirty_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut repeat = Repeat::new();
        assert_eq!(repeat.failed("refused", at(0)), Some(1));
        assert_eq!(repeat.failed("refused", at(1)), None);
        assert_eq!(repeat.failed("timed out", at(2)), Some(1));
        assert_eq!(repeat.failed("timed out", at(31)), None);
        assert_eq!(repeat.failed("timed out", at(32)), Some(3));
        assert!(repeat.worked());
        assert!(!repeat.worked());
    }
}
