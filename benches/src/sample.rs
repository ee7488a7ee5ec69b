//! Keys, values and order statistics: the same in every run.

use std::time::Duration;

/// The size of the names of keys.
pub(crate) const NAME_BYTES: usize = 16;

/// The name of a key: sixteen hexadecimal digits that are in no order.
pub(crate) fn name(number: u64) -> [u8; NAME_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = scramble(number);
    std::array::from_fn(|at| DIGITS[(bits >> (60 - 4 * at)) as usize & 15])
}

/// A value of so many bytes that differs from key to key and from round to round, in letters that need no escape.
pub(crate) fn value(number: u64, round: u64, bytes: usize) -> Vec<u8> {
    let mut text = format!("{number:x}.{round:x}.").into_bytes();
    text.resize(bytes.max(text.len()), b'v');
    text
}

/// Numbers below a bound, in an order that is the same in every run.
pub(crate) fn numbers(bound: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |step: u64| scramble(step) % bound.max(1))
}

/// The duration below which so many of a hundred are; zero of none.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

/// In milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// splitmix64: different numbers give different results.
fn scramble(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(millis(percentile(&mut times, 50)), 100.0);
        assert_eq!(millis(percentile(&mut times, 99)), 198.0);
        assert_eq!(percentile(&mut times[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}
