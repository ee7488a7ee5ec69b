//! The live view of a rollout: one line that moves on a terminal, one line for each change elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Duration;

use crate::output;

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// The view.
pub(super) struct View {
    line: ProgressBar,
    last: String,
}

// === impl View ===

impl View {
    /// An empty view on stderr.
    pub(super) fn new() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(ProgressStyle::default_spinner());
        if !line.is_hidden() {
            line.enable_steady_tick(TICK);
        }
        Self { line, last: String::new() }
    }

    /// Says what has happened.
    pub(super) fn tell(&self, news: &[String]) {
        for line in news {
            self.line.suspend(|| output::note(line));
        }
    }

    /// Says how far it is.
    pub(super) fn progress(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        text.clone_into(&mut self.last);
        if self.line.is_hidden() {
            output::note(text);
        } else {
            self.line.set_message(text.to_owned());
        }
    }

    /// Takes the moving line away.
    pub(super) fn clear(&self) {
        self.line.finish_and_clear();
    }
}
