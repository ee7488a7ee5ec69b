//! One command at a time changes the cluster of this machine.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};

/// The file that is locked while it exists.
const FILE: &str = "/run/baton-cluster.lock";

/// Held until it is dropped; children do not inherit it.
pub(super) struct Lock {
    _file: File,
}

/// Waits for the lock.
pub(super) fn take() -> Result<Lock> {
    loop {
        let file = File::create(FILE).with_context(|| format!("cannot make {FILE}"))?;
        if file.try_lock().is_err() {
            eprintln!("Waiting for another cluster command to end.");
            file.lock()?;
        }
        // The holder before may have removed the file that was just locked.
        let locked = file.metadata()?;
        if fs::metadata(FILE).is_ok_and(|now| now.ino() == locked.ino()) {
            return Ok(Lock { _file: file });
        }
    }
}

// === impl Lock ===

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays does no harm.
        let _ = fs::remove_file(FILE);
    }
}
