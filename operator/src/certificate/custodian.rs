//! The task that keeps the webhook's certificate: makes it, renews it, and has the API server trust it. An operator that
//! does not hold the lease serves with what it finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_identity::{AuthorityError, CredentialError};
use baton_telemetry::Repeat;
use k8s_openapi::jiff::Timestamp;

use super::store::{Kept, Store};
use super::{Bundle, Renewal, Resolver};
use crate::api::{ApiError, ApiServer};
use crate::lease::Office;

/// How often the Secret and the trust in it are looked at. By the wall clock, since machines sleep.
const LOOK: Duration = Duration::from_secs(10);

/// How soon a look that failed is repeated.
const RETRY: Duration = Duration::from_secs(2);

/// How long the API server may take to use a `caBundle` that it was given, before the new CA's leaf is served.
const SPREAD: Duration = Duration::from_secs(3);

/// Keeps the webhook's certificate.
pub struct Custodian {
    api: ApiServer,
    store: Store,
    names: Vec<String>,
    resolver: Arc<Resolver>,
    office: Office,
    served: Option<Bundle>,
}

/// A look at the certificate failed; what is served stays.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Bundle(#[from] AuthorityError),
    #[error(transparent)]
    Serve(#[from] CredentialError),
    #[error("the holder of the lease has made none yet")]
    NotYet,
}

// === impl Custodian ===

impl Custodian {
    /// Keeps the certificate of a service in this namespace, in a Secret and in a webhook's configuration of
    /// these names.
    pub fn new(
        api: ApiServer,
        namespace: &str,
        service: &str,
        secret: &str,
        webhook: &str,
        resolver: Arc<Resolver>,
        office: Office,
    ) -> Self {
        let names = ["", ".cluster.local"].map(|suffix| format!("{service}.{namespace}.svc{suffix}"));
        let store = Store::new(namespace, secret, webhook);
        Self { api, store, names: names.to_vec(), resolver, office, served: None }
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
                        tracing::warn!(error = %error, count, "The webhook's certificate could not be looked after");
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

    async fn look(&mut self) -> Result<(), LookError> {
        let kept = self.store.read(&self.api).await?;
        let Some(bundle) = (match self.office.term() {
            Some(_) => Some(self.current(kept).await?),
            None => kept.and_then(|kept| kept.bundle),
        }) else {
            // What is served meanwhile stays.
            return if self.served.is_some() { Ok(()) } else { Err(LookError::NotYet) };
        };
        let news = match self.office.term() {
            Some(_) => {
                // What is served until then stays trusted, whatever the Secret holds by now.
                let served = self.served.as_ref().map(|served| served.ca.as_str());
                self.store.trust(&self.api, &bundle.trusted_beside(served)).await?
            }
            None if self.served.as_ref() == Some(&bundle) => false,
            None if self.store.is_trusted(&self.api, &bundle.ca).await? => true,
            None if self.served.is_some() => return Err(LookError::NotYet),
            None => false,
        };
        if self.served.as_ref() == Some(&bundle) {
            return Ok(());
        }
        // A leaf of a CA that the API server does not trust yet would have pods refused for a moment.
        if news && self.served.is_some() {
            tokio::time::sleep(SPREAD).await;
        }
        self.resolver.serve(&bundle)?;
        tracing::info!(leaf_ends = %bundle.leaf_ends, ca_ends = %bundle.ca_ends, "The webhook serves with a certificate");
        self.served = Some(bundle);
        Ok(())
    }

    /// The bundle to serve with: the one that is kept, renewed if it is time. If the Secret is lost, what is
    /// served is kept again.
    async fn current(&self, kept: Option<Kept>) -> Result<Bundle, LookError> {
        let now = Timestamp::now();
        let found = kept.as_ref().and_then(|kept| kept.bundle.clone());
        let lost = found.is_none();
        let found = found.or_else(|| self.served.clone());
        let renewal = found.as_ref().map_or(Renewal::Authority, |bundle| bundle.renewal(&self.names, now));
        let bundle = match found {
            Some(bundle) if renewal == Renewal::None && !lost => return Ok(bundle),
            Some(bundle) => bundle.renewed(renewal, &self.names, now)?,
            None => Bundle::new(&self.names, now)?,
        };
        tracing::info!(?renewal, lost, "A certificate is kept for the webhook");
        self.store.write(&self.api, kept.as_ref(), &bundle).await?;
        Ok(bundle)
    }
}

// === impl LookError ===

impl LookError {
    /// Whether somebody should read of it, as [`ApiError::is_news`] says.
    fn is_news(&self) -> bool {
        match self {
            // Another operator was first.
            Self::Api(error) => error.is_news() && !error.is_conflict(),
            Self::NotYet => false,
            Self::Bundle(_) | Self::Serve(_) => true,
        }
    }
}
