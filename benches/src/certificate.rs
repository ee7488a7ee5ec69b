//! What agents prove to each other who they are by, as they do in a cluster: a certificate each, of one CA.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use baton_identity::{Authority, LEAF_LIFE};

/// The CA of a fleet.
pub(crate) struct Signer(Authority);

// === impl Signer ===

impl Signer {
    /// A new one.
    pub(crate) fn new() -> Result<Self> {
        let hour = Duration::from_secs(3600);
        Ok(Self(Authority::new("bench CA", SystemTime::now() - hour, 2 * LEAF_LIFE)?))
    }

    /// Writes a certificate of this name, its key and the roots, and answers the flags that say where they are.
    pub(crate) fn flags(&self, folder: &Path, name: &str) -> Result<Vec<String>> {
        let identity = format!("spiffe://local/ns/local/group/web/pod/{name}").parse()?;
        let (issued, key) = self.0.issue(&identity, SystemTime::now(), LEAF_LIFE)?;
        let files = [
            ("--tls-certificate", "crt", &issued.pem),
            ("--tls-key", "key", &key),
            ("--tls-roots", "roots", &self.0.certificate),
        ];
        let mut flags = Vec::new();
        for (flag, file, text) in files {
            let path = folder.join(format!("{name}.{file}"));
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            flags.extend([flag.to_owned(), path.to_str().context("a path of letters")?.to_owned()]);
        }
        Ok(flags)
    }
}
