//! How long a pod's grace period must be for a handoff to fit into it.

use std::time::Duration;

/// The least and the most that is set aside for the tail, after the hook.
const RESERVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// The smallest grace period in whole seconds that leaves the hook this long: G - R >= timeout, where the
/// reserve R is a quarter of G within its bounds, and never more than half of G.
pub fn grace_seconds(timeout: Duration) -> u64 {
    let fits = |grace: &u64| {
        let grace = Duration::from_secs(*grace);
        grace - reserve(grace) >= timeout
    };
    // G = timeout + the greatest reserve always fits.
    let most = timeout.as_secs() + 1 + RESERVE.1.as_secs();
    (timeout.as_secs()..=most).find(fits).unwrap_or(most)
}

fn reserve(grace: Duration) -> Duration {
    (grace / 4).clamp(RESERVE.0, RESERVE.1).min(grace / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_period_is_the_smallest_that_leaves_the_timeout_and_the_reserve() {
        let cases = [
            (1, 2),
            (4, 8),
            (5, 10),
            (6, 11),
            (15, 20),
            (20, 27),
            (23, 31),
            (60, 80),
            (90, 120),
            (100, 130),
            (3600, 3630),
        ];
        for (timeout, grace) in cases {
            assert_eq!(grace_seconds(Duration::from_secs(timeout)), grace, "{timeout}");
        }
        assert_eq!(grace_seconds(Duration::from_millis(1_500)), 3);
    }
}
