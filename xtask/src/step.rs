//! Steps on the terminal: what is being done, how far it is, how long it took.
//!
//! A terminal gets a bar that moves; anything else gets plain lines, one when a
//! step ends and one every [`REMINDER`] of a long one. All of it goes to
//! standard error, so that standard output carries results only.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a long step says in a log that it is still at it.
const REMINDER: Duration = Duration::from_secs(20);

/// A step that is under way.
pub(crate) struct Step {
    bar: ProgressBar,
}

/// Runs `work` as one step and says how long it took, or that it failed.
pub(crate) fn run<T>(title: &str, work: impl FnOnce(&Step) -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let bar = ProgressBar::new_spinner().with_message(title.to_owned());
    bar.set_style(style("{spinner} {msg} {elapsed}"));
    bar.enable_steady_tick(Duration::from_millis(120));
    let step = Step { bar: bar.clone() };
    let reminder = bar.is_hidden().then(|| Reminder::start(bar.clone(), title));
    let outcome = work(&step);
    drop(reminder);
    bar.finish_and_clear();
    let mark = if outcome.is_ok() { "ok" } else { "FAILED" };
    eprintln!("{mark:>6}  {:>6.1} s  {title}", started.elapsed().as_secs_f64());
    outcome
}

// === impl Step ===

impl Step {
    /// Says how many pieces there are, which turns the spinner into a bar.
    pub(crate) fn expect(&self, pieces: u64) {
        self.bar.set_length(pieces);
        self.bar.set_style(style("{spinner} {msg} [{bar:32}] {pos}/{len} {elapsed} {prefix:.dim}"));
    }

    /// Counts one finished piece and shows its name.
    pub(crate) fn advance(&self, piece: &str) {
        self.bar.set_prefix(piece.chars().take(40).collect::<String>());
        self.bar.inc(1);
    }

    /// Says something that stays on the screen.
    pub(crate) fn note(&self, line: &str) {
        match self.bar.is_hidden() {
            true => eprintln!("{line}"),
            false => self.bar.println(line),
        }
    }
}

/// Prints a line now and then until it is dropped.
struct Reminder {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Reminder ===

impl Reminder {
    fn start(bar: ProgressBar, title: &str) -> Self {
        let (stop, stopped) = channel::<()>();
        let title = title.to_owned();
        let started = Instant::now();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(REMINDER) == Err(RecvTimeoutError::Timeout) {
                let seconds = started.elapsed().as_secs();
                match (bar.position(), bar.length()) {
                    (0, _) => eprintln!("   ...  {seconds:>6} s  {title}"),
                    (done, None) => eprintln!("   ...  {seconds:>6} s  {title}: {done}"),
                    (done, Some(all)) => {
                        eprintln!("   ...  {seconds:>6} s  {title}: {done} of {all}");
                    }
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Reminder {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A reminder that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
