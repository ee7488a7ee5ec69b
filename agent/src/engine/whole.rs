//! A lock around what must never be used half changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps a shard whole: one whose change was broken off by a panic may claim what it does not hold, and would hand that
/// off. The process ends instead: that is a crash, which its peers survive.
pub(super) struct Whole<T>(Mutex<T>);

// === impl Whole ===

impl<T> Whole<T> {
    pub(super) fn new(content: T) -> Self {
        Self(Mutex::new(content))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(broken)
    }
}

fn broken<T>(_: PoisonError<T>) -> T {
    tracing::error!("A shard was left half changed by a panic, a fault of the agent: the agent ends, its peers go on");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::Whole;

    const NAME: &str = "engine::whole::tests::what_a_panic_left_half_changed_is_never_seen";
    const INSIDE: &str = "BATON_TEST_INSIDE";

    #[test]
    fn what_a_panic_left_half_changed_is_never_seen() {
        if std::env::var_os(INSIDE).is_some() {
            let whole = Whole::new(1);
            thread::scope(|scope| {
                let change = scope.spawn(|| {
                    let _held = whole.lock();
                    panic!("as the test asks");
                });
                assert!(change.join().is_err());
            });
            return println!("it is {}", whole.lock());
        }
        let program = std::env::current_exe().expect("this program");
        let done =
            Command::new(program).args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1").output().expect("it runs");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(!done.status.success() && !said.contains("it is"), "{said}");
    }
}
