//! The list in a file: names and addresses, without an operator.
//!
//! The file is polled, and so are the processes at its addresses, which say by `Identify` what replica they are. What
//! follows from both is decided by [`Table`], without IO.

mod first;
mod list;
mod probe;
mod settings;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::link::member_phase;
use crate::transport::Transport;
use list::{FileError, List};
use probe::Prober;
use table::Table;

/// How often the file is read: a rollout changes it a few times a second at most.
const POLL: Duration = Duration::from_millis(200);

/// The largest file that is read: a thousand members with long names.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The file, as last read.
struct Source {
    path: PathBuf,
    text: Vec<u8>,
    failure: Repeat,
}

/// Follows the file until the process ends.
pub(super) async fn run(engine: Arc<Engine>, transport: Transport, path: PathBuf, start_empty_after: Duration) {
    let identity = engine.identity();
    let mut source = Source { path, text: Vec::new(), failure: Repeat::new() };
    let mut table = Table::new(engine.replica(), &identity.pod_name, start_empty_after);
    let mut prober = Prober::new(&identity.group, transport);
    let mut phase = engine.phase();
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = poll.tick() => {
                if let Some(list) = source.read(&table).await {
                    table.take_list(list, Instant::now());
                    source.check_listed(&table);
                }
                prober.ask(table.take_due(Instant::now()));
            }
            Some((address, answer)) = prober.next() => table.take_answer(&address, answer, Instant::now()),
            _ = phase.changed() => {}
        }
        let own = member_phase(*phase.borrow_and_update());
        if let Some(list) = table.poll(own, Instant::now()) {
            engine.take_membership_from_source(list);
            if table.take_learned() {
                engine.links().all().iter().for_each(|link| link.closed.cancel());
            }
        }
    }
}

// === impl Source ===

impl Source {
    /// Reads the file; `Some` if it is new and good. A bad file is logged, and the last good list stays.
    async fn read(&mut self, table: &Table) -> Option<List> {
        let path = self.path.clone();
        // One trip to a thread that may block, instead of one for each system call.
        let text = match spawn_blocking(move || read(&path)).await.unwrap_or_else(|error| Err(error.into())) {
            Ok(text) => text,
            Err(error) => return self.fail(&error.into()),
        };
        if text == self.text {
            self.failure.worked();
            return None;
        }
        let checked = List::parse(&text).and_then(|list| list.newer_than(table.number()));
        match checked.and_then(|list| table.check(list)) {
            Ok(list) => {
                self.text = text;
                self.failure.worked();
                info!(number = list.number, members = list.slots.len(), "Took the members file");
                Some(list)
            }
            Err(error) => self.fail(&error),
        }
    }

    fn check_listed(&self, table: &Table) {
        if table.waits_to_be_listed() {
            warn!(path = %self.path.display(), "The members file does not list this agent; it waits until it does");
        }
    }

    fn fail(&mut self, error: &FileError) -> Option<List> {
        let path = self.path.display();
        if let Some(count) = self.failure.failed(&error.to_string(), Instant::now()) {
            warn!(%error, count, %path, "The members file is not usable; the last good list stays");
        }
        None
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}
