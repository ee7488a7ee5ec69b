//! The committed seeds: `corpus/<target>/<name>`, written by [`write()`] and never by hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{TARGETS, Target};

// === impl Target ===

impl Target {
    /// The folder of its committed seeds.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name)
    }

    /// The committed seeds, by name.
    pub fn committed(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = self.corpus();
        let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let file = file?;
            Ok((file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path())?))
        };
        let mut seeds: Vec<(String, Vec<u8>)> = files.map(read).collect::<Result<_>>()?;
        seeds.sort();
        Ok(seeds)
    }
}

/// Writes all seeds anew.
pub fn write() -> Result<()> {
    for target in TARGETS {
        let folder = target.corpus();
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in (target.seeds)() {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
