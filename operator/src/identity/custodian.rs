//! The task that keeps the CAs in their Secret: makes the first, has the next one known before it signs. An operator that
//! does not hold the lease signs by what it finds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use baton_identity::{AuthorityError, Keyring};
use baton_telemetry::Repeat;
use k8s_openapi::ByteString;

use super::issuer::{IssueError, Issuer};
use crate::api::{ApiError, ApiServer};
use crate::lease::Office;
use crate::secret::{Found, SharedSecret};

/// How often the Secret is looked at. By the wall clock, since machines sleep.
const LOOK: Duration = Duration::from_secs(10);

/// How soon a look that failed is repeated.
const RETRY: Duration = Duration::from_secs(2);

/// The field of the Secret.
const FIELD: &str = "keyring.json";

/// An annotation on the Secret by which people ask for the next CA before its time.
const ROTATE: &str = "baton.dev/rotate";

/// Keeps the CAs.
pub struct Custodian {
    api: ApiServer,
    secret: SharedSecret,
    issuer: Arc<Issuer>,
    office: Office,
}

/// A look at the CAs failed; what is in use stays.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("the CAs cannot be written down: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the holder of the lease has made none yet")]
    NotYet,
}

// === impl Custodian ===

impl Custodian {
    /// Keeps the CAs in a Secret of this name.
    pub fn new(api: ApiServer, namespace: &str, secret: &str, issuer: Arc<Issuer>, office: Office) -> Self {
        let manager = "baton-operator-identity";
        let secret = SharedSecret { namespace: namespace.into(), name: secret.into(), manager };
        Self { api, secret, issuer, office }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut failures = Repeat::new();
        loop {
            let wait = match self.look().await {
                Ok(()) => {
                    failures.worked();
                    LOOK
                }
                Err(error) => {
                    let count = error.is_news().then(|| failures.failed(&error.to_string(), Instant::now())).flatten();
                    if let Some(count) = count {
                        tracing::warn!(error = %error, count, "The CA of agents could not be looked after");
                    }
                    RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.office.changed() => {}
            }
        }
    }

    async fn look(&self) -> Result<(), LookError> {
        let now = SystemTime::now();
        let found = self.secret.read(&self.api).await?;
        let kept = found.as_ref().and_then(keyring_of);
        if self.office.term().is_none() {
            return match kept {
                Some(keyring) => Ok(self.issuer.take(keyring, now)?),
                // What is in use meanwhile stays.
                None if self.issuer.is_in_office() => Ok(()),
                None => Err(LookError::NotYet),
            };
        }
        // If the Secret is lost, what is in use is kept again: its certificates are all over the cluster.
        let lost = kept.is_none();
        let kept = kept.unwrap_or_else(|| self.issuer.keyring());
        let mut keyring = kept.tended(now)?;
        if found.as_ref().is_some_and(|found| found.annotations.contains_key(ROTATE)) {
            keyring = keyring.turned(now)?;
        }
        if lost || keyring != kept {
            let fields = BTreeMap::from([(FIELD.to_owned(), ByteString(serde_json::to_vec(&keyring)?))]);
            self.secret.write(&self.api, found.as_ref(), fields).await?;
            tracing::info!(authorities = keyring.seats.len(), lost, "The CAs of agents were written down");
        }
        Ok(self.issuer.take(keyring, now)?)
    }
}

/// The CAs that a Secret holds; none if it holds something else.
fn keyring_of(found: &Found) -> Option<Keyring> {
    let keyring: Keyring = serde_json::from_slice(&found.fields.get(FIELD)?.0).ok()?;
    (!keyring.seats.is_empty()).then_some(keyring)
}

// === impl LookError ===

impl LookError {
    /// Whether somebody should read of it, as [`ApiError::is_news`] says.
    fn is_news(&self) -> bool {
        match self {
            // Another operator was first.
            Self::Api(error) => error.is_news() && !error.is_conflict(),
            Self::NotYet => false,
            Self::Authority(_) | Self::Issue(_) | Self::Json(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
