//! What happened, as a hash always and as text on demand.

/// Short ids, and values without what makes them long.
pub(crate) fn legible(text: &str) -> String {
    let mut short = text.replace("000000000000", "");
    while short.contains("xxxx") {
        short = short.replace("xxxx", "x");
    }
    short
}

/// The record of a run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

// === impl Trace ===

impl Trace {
    pub(crate) fn new(written: bool) -> Self {
        Self { hash: 0, lines: written.then(Vec::new) }
    }

    /// Takes a word into the hash.
    pub(crate) fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Takes bytes into the hash.
    pub(crate) fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// Writes a line, if anybody wants to read it.
    pub(crate) fn say(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let line = legible(&line());
            lines.push(format!("{now:>7} ms  {line}"));
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
