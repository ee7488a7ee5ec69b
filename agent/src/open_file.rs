//! The process's bound of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What the app's connections and the peers' links need at least.
const WANTED: u64 = 8192;

/// Raises the soft bound to the hard one, as servers do: the soft one is low for the sake of programs that count by
/// `select`. Connections of the app must not leave peer links and the control socket without a file descriptor.
pub(crate) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let current = getrlimit(Resource::Nofile).current;
    if raised.is_err() || current.is_some_and(|current| current < WANTED) {
        warn!(?current, wanted = WANTED, "Few open files are allowed; many connections of the app can stop peer links");
    }
}
