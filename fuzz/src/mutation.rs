//! Mutations of inputs, the same for the same seed: what libFuzzer does, for a test that must run everywhere.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// How often a slice is said again: what is harmless once may not be so often.
const MOST_REPEATS: usize = 64;

/// The longest mutated input.
const MOST_BYTES: usize = 16 * 1024;

/// Bytes at the edges of what a length, a tag or a number can be.
const EDGES: [u8; 8] = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/// So many random bytes.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// One of the inputs with a few changes; the others lend their parts.
pub fn mutated(inputs: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bytes = inputs[rng.random_range(0..inputs.len())].clone();
    for _ in 0..rng.random_range(1..=8) {
        change(&mut bytes, inputs, &mut rng);
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], rng: &mut StdRng) {
    let at = rng.random_range(0..=bytes.len());
    let end = rng.random_range(at..=bytes.len().min(at + 64));
    match rng.random_range(0..6) {
        0 => bytes[at..end.min(at + 1)].fill(rng.random()),
        1 => bytes[at..end.min(at + 1)].fill(EDGES[rng.random_range(0..EDGES.len())]),
        2 => drop(bytes.splice(at..at, (0..rng.random_range(1..10)).map(|_| 0xff))),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let again = bytes[at..end].repeat(rng.random_range(1..=MOST_REPEATS));
            bytes.splice(end..end, again);
        }
        _ => {
            let other = &inputs[rng.random_range(0..inputs.len())];
            let from = rng.random_range(0..=other.len());
            let to = rng.random_range(from..=other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}
