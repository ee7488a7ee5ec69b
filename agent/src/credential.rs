//! A certificate, its key and the roots from files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use baton_identity::{Credential, Wallet};
use baton_telemetry::Repeat;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often the files are read: certificates last hours.
const POLL: Duration = Duration::from_secs(5);

/// Where a certificate, its key and the roots are, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) roots: PathBuf,
}

/// What the files hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Texts {
    certificate: String,
    key: String,
    roots: String,
}

// === impl CredentialFiles ===

impl CredentialFiles {
    /// Puts what the files hold into the wallet; answers it. A file that cannot be used leaves the wallet as it was.
    pub(crate) fn load(&self, wallet: &Wallet) -> anyhow::Result<Texts> {
        let texts = self.read()?;
        texts.fill(wallet)?;
        Ok(texts)
    }

    /// Puts what the files hold into the wallet whenever that changes, until the process ends.
    pub(crate) async fn follow(self, wallet: Arc<Wallet>, mut last: Texts) {
        let mut failure = Repeat::new();
        loop {
            sleep(POLL).await;
            let files = self.clone();
            let read = spawn_blocking(move || files.read()).await.unwrap_or_else(|error| Err(error.into()));
            match read
                .and_then(|texts| if texts == last { Ok(None) } else { texts.fill(&wallet).map(|()| Some(texts)) })
            {
                Ok(None) => drop(failure.worked()),
                Ok(Some(texts)) => {
                    info!("Took a changed certificate or roots; links that are up stay");
                    failure.worked();
                    last = texts;
                }
                Err(error) => {
                    if let Some(count) = failure.failed(&format!("{error:#}"), Instant::now()) {
                        warn!(
                            error = format!("{error:#}"),
                            count, "The certificate's files cannot be used; the last ones stay"
                        );
                    }
                }
            }
        }
    }

    fn read(&self) -> anyhow::Result<Texts> {
        let read =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        Ok(Texts { certificate: read(&self.certificate)?, key: read(&self.key)?, roots: read(&self.roots)? })
    }
}

// === impl Texts ===

impl Texts {
    fn fill(&self, wallet: &Wallet) -> anyhow::Result<()> {
        ensure!(!self.roots.trim().is_empty(), "the roots are empty");
        let credential =
            Credential::from_pem(&self.certificate, &self.key).context("the certificate cannot be used")?;
        wallet.trust(&self.roots).context("the roots cannot be used")?;
        wallet.hold(credential);
        Ok(())
    }
}
