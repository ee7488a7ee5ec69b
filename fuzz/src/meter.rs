//! The stated limit: how much memory handling an input may take.

use peak_alloc::PeakAlloc;

/// For each byte that came. The worst is a list of empty messages: two bytes on the wire, a struct of some 200 bytes in
/// memory, and three times that while the vector that holds them grows.
pub const PER_BYTE: usize = 320;

/// Whatever came: a batch to send, a full log window, the first nodes of maps.
pub const BASE: usize = 64 * 1024;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What was alive at the start, and how many bytes have come since.
#[derive(Debug)]
pub struct Meter {
    before: usize,
    came: usize,
}

// === impl Meter ===

impl Meter {
    /// Starts with what is alive now.
    #[expect(clippy::new_without_default, reason = "the moment matters")]
    pub fn new() -> Self {
        Self { before: ALLOCATOR.current_usage(), came: 0 }
    }

    /// How many bytes have come.
    pub const fn came(&self) -> usize {
        self.came
    }

    /// Handles so many bytes more, and panics if at any moment more memory was alive than all bytes so far may take.
    pub fn bounded<R>(&mut self, length: usize, handle: impl FnOnce() -> R) -> R {
        self.came += length;
        let came = self.came;
        let (result, taken) = measured(self.before, handle);
        let most = BASE + PER_BYTE * came;
        assert!(taken <= most, "{came} bytes took {taken} bytes of memory, and may take {most}");
        result
    }
}

/// Handles something that may take so many bytes of memory beside what is alive now.
pub fn at_most<R>(most: usize, handle: impl FnOnce() -> R) -> R {
    let (result, taken) = measured(ALLOCATOR.current_usage(), handle);
    assert!(taken <= most, "that took {taken} bytes of memory, and may take {most}");
    result
}

/// How much more than that was alive at any moment.
fn measured<R>(before: usize, handle: impl FnOnce() -> R) -> (R, usize) {
    ALLOCATOR.reset_peak_usage();
    let result = handle();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}
