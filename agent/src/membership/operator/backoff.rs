//! When to call the operator again.

use std::time::Duration;

use crate::membership::operator::StreamEnd;

/// The first pause. An operator that is replaced is back within a second.
const FIRST: Duration = Duration::from_millis(200);

/// The longest pause between attempts: a pod that waits to be admitted must not wait long after its operator is back.
const LONGEST: Duration = Duration::from_secs(5);

/// The pause after a refusal that asking again does not change.
const REFUSED: Duration = Duration::from_secs(30);

/// Pauses that double, with jitter, so that a whole cluster's agents do not come back in step.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// Starts with the shortest pause.
    pub(super) const fn new() -> Self {
        Self { pause: FIRST }
    }

    /// It worked: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.pause = FIRST;
    }

    /// The pause after a stream that ended so. `jitter` is random in 0..1; the pause is between half and the whole of
    /// what it would be.
    pub(super) fn next(&mut self, end: &StreamEnd, jitter: f64) -> Duration {
        let whole = match end {
            StreamEnd::Refused(_) => REFUSED,
            _ => {
                let next = (self.pause * 2).min(LONGEST);
                std::mem::replace(&mut self.pause, next)
            }
        };
        whole.mul_f64(0.5 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_start_again_after_success() {
        let mut backoff = Backoff::new();
        let next = |backoff: &mut Backoff| backoff.next(&StreamEnd::Ended, 1.0).as_millis();
        let pauses: Vec<u128> = (0..7).map(|_| next(&mut backoff)).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        backoff.reset();
        assert_eq!(next(&mut backoff), 200);
    }

    #[test]
    fn a_refusal_for_good_is_asked_again_seldom() {
        let mut backoff = Backoff::new();
        let refused = StreamEnd::Refused("no group selects this pod".to_owned());
        assert_eq!(backoff.next(&refused, 0.0), Duration::from_secs(15));
        assert_eq!(backoff.next(&StreamEnd::NotYet("not seen yet".to_owned()), 0.0), Duration::from_millis(100));
    }
}
