//! Tasks without which the operator would only seem to work. A panic ends a task and nothing else: without this, a watch
//! that died would leave an operator that is ready and blind.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::{Error, anyhow};
use futures_util::FutureExt;
use tokio::task::JoinSet;

/// Tasks that never end while the process lives: when one does, so should the process, which is then started again.
#[derive(Default)]
pub(crate) struct Vital(JoinSet<Error>);

// === impl Vital ===

impl Vital {
    /// Starts a task.
    pub(crate) fn spawn(&mut self, what: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(()) => anyhow!("{what} ended"),
                Err(_) => anyhow!("{what} ended in a panic, which is a fault of the operator: please report it"),
            }
        });
    }

    /// Waits until one has ended, and says which.
    pub(crate) async fn ended(&mut self) -> Error {
        match self.0.join_next().await {
            Some(Ok(error)) => error,
            Some(Err(error)) => error.into(),
            None => std::future::pending().await,
        }
    }
}

/// Runs a task to its end, and begins it anew after a panic and a pause.
pub(crate) async fn lasting<F: Future<Output = ()>>(name: String, pause: Duration, task: impl Fn() -> F) {
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!(name, "A task panicked and is begun anew: this is a fault of the operator, please report it");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_panics_is_named() {
        let mut vital = Vital::default();
        vital.spawn("what goes on", std::future::pending());
        vital.spawn("what breaks", async { panic!("as expected") });
        let error = vital.ended().await.to_string();
        assert!(error.starts_with("what breaks ended in a panic"), "{error}");
    }

    #[tokio::test]
    async fn a_task_is_begun_anew_after_a_panic_and_not_after_its_end() {
        let runs = AtomicU32::new(0);
        let task = || async {
            assert!(runs.fetch_add(1, Ordering::Relaxed) > 0, "the first time it breaks");
        };
        lasting("a task".into(), Duration::from_millis(1), task).await;
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}
