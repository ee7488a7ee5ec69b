//! Built programs, kept under the hash of everything that went into them.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The name of a folder in which something is being built begins with this.
const BUILDING: &str = "building-";

/// No build takes this long: one that is older was killed.
const ABANDONED: Duration = Duration::from_secs(2 * 60 * 60);

/// Returns the cached file or folder `name` made from `inputs`, and makes it if missing.
///
/// `make` writes to a temporary path that is renamed at the end: a build that is
/// killed leaves nothing that a later one would take for whole.
pub(crate) fn file(name: &str, inputs: &[&[u8]], make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let file = path(name, inputs)?;
    if file.exists() {
        return Ok(file);
    }
    let folder = folder()?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    remove_abandoned(&folder);
    let work = tempfile::Builder::new().prefix(BUILDING).tempdir_in(&folder)?;
    let built = work.path().join(name);
    make(&built)?;
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::rename(&built, &file).with_context(|| format!("the build left no {}", built.display()))?;
    Ok(file)
}

/// Where the file is kept, whether or not it is there.
pub(crate) fn path(name: &str, inputs: &[&[u8]]) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(Sha256::digest(input));
    }
    Ok(folder()?.join(&hex(&hash.finalize())[..16]).join(name))
}

/// Frees the space of builds that were killed.
fn remove_abandoned(folder: &Path) {
    let is_old = |entry: &DirEntry| {
        let made = entry.metadata().and_then(|data| data.modified());
        made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED))
    };
    let builds = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let builds = builds.filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILDING));
    for build in builds.filter(is_old) {
        // It only costs space: a failure is no reason to stop.
        let _ = std::fs::remove_dir_all(build.path());
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `${XDG_CACHE_HOME:-~/.cache}/baton`.
pub(crate) fn folder() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("no home folder: set XDG_CACHE_HOME to a folder for built programs")?;
    Ok(cache.join("baton"))
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn inputs_that_join_to_the_same_bytes_have_different_folders() {
        let one = path("x", &[b"ab", b"c"]).expect("a home folder");
        let other = path("x", &[b"a", b"bc"]).expect("a home folder");
        assert_ne!(one, other);
    }
}
