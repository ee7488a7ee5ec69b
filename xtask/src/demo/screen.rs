//! What the demo shows while it runs: one bar for the restarts, one line for the crowd.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::crowd::Progress;
use super::report::Side;

/// The two lines of one side.
pub(crate) struct Screen {
    pods: ProgressBar,
    crowd: ProgressBar,
    title: &'static str,
}

// === impl Screen ===

impl Screen {
    pub(crate) fn new(side: Side, restarts: u32, pods: usize) -> Self {
        let lines = MultiProgress::new();
        let bar = lines.add(ProgressBar::new(u64::from(restarts) * pods as u64));
        bar.set_style(style("{spinner} {msg:30} [{bar:32}] {pos}/{len} pods replaced {elapsed}"));
        bar.set_message(side.title());
        bar.enable_steady_tick(Duration::from_millis(120));
        let crowd = lines.add(ProgressBar::new_spinner());
        crowd.set_style(style("  {msg}"));
        Self { pods: bar, crowd, title: side.title() }
    }

    pub(crate) fn phase(&self, what: &str) {
        self.pods.set_message(format!("{}: {what}", self.title));
        if self.pods.is_hidden() {
            eprintln!("   ...  {}: {what}", self.title);
        }
    }

    /// Says where to look on.
    pub(crate) fn page(&self, url: &str) {
        let line = format!("{}: look on at {url}", self.title);
        match self.pods.is_hidden() {
            true => eprintln!("{line}"),
            false => self.pods.println(line),
        }
    }

    /// So many pods have been replaced since the beginning.
    pub(crate) fn replaced(&self, pods: u64) {
        self.pods.set_position(pods);
    }

    pub(crate) fn one_more(&self) {
        self.pods.inc(1);
    }

    /// A handle for the thread that follows the crowd.
    pub(crate) fn crowd(&self) -> impl Fn(&Progress) + Send + 'static {
        let line = self.crowd.clone();
        move |progress| {
            line.set_message(format!(
                "{} writes acknowledged, {} sent again, {} players forgotten",
                progress.acknowledged, progress.retries, progress.forgotten
            ));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.crowd.finish_and_clear();
        self.pods.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
