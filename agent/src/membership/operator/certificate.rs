//! This agent's certificate: asked of the operator at the start, and again at half of its life.
//!
//! A terminating pod's token is not renewed any more, but its certificate then lasts for hours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use baton_identity::{KeyRequest, Wallet};
use baton_telemetry::Repeat;
use baton_wire::identity::IssueRequest;
use baton_wire::identity::identity_client::IdentityClient;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tracing::{info, warn};

use crate::membership::operator::backoff::Backoff;
use crate::membership::operator::caller::Caller;
use crate::membership::operator::{StreamEnd, causes};

/// The files in the directory that the injector mounts.
const TOKEN: &str = "token";
const ROOTS: &str = "roots.pem";

/// How long the operator may take to answer: it asks the API server first, which may take 10 s for each of two calls.
const PATIENCE: Duration = Duration::from_secs(25);

/// How often the roots are read and the time is looked at. By the wall clock, since machines sleep.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps the wallet filled.
pub(crate) struct Certificate {
    pub(super) caller: Caller,
    pub(super) wallet: Arc<Wallet>,
    /// Where token and roots are.
    pub(super) directory: PathBuf,
    /// The HandoffGroup's name.
    pub(super) group: String,
    /// The roots as last read.
    pub(super) roots: String,
}

// === impl Certificate ===

impl Certificate {
    /// Asks the operator by what is in this directory.
    pub(crate) fn new(caller: Caller, wallet: Arc<Wallet>, directory: &Path, group: &str) -> Self {
        let directory = directory.to_owned();
        Self { caller, wallet, directory, group: group.to_owned(), roots: String::new() }
    }

    /// Asks until there is a certificate. Answers when it has to be renewed.
    pub(super) async fn first(&mut self) -> SystemTime {
        let mut backoff = Backoff::new();
        let mut failure = Repeat::new();
        loop {
            let end = match self.ask().await {
                Ok(renewal) => return renewal,
                Err(end) => end,
            };
            if let Some(count) = failure.failed(&end.to_string(), Instant::now()) {
                warn!(%end, count, operator = self.caller.address, "This agent has no certificate yet; it waits for one");
            }
            sleep(backoff.next(&end, rand::random())).await;
        }
    }

    /// Renews the certificate and follows the roots until the process ends.
    pub(super) async fn keep(mut self, mut renewal: SystemTime) {
        let mut failure = Repeat::new();
        loop {
            sleep(LOOK).await;
            let done =
                if SystemTime::now() < renewal { self.read_roots().await } else { self.renew(&mut renewal).await };
            match done {
                Ok(()) => drop(failure.worked()),
                Err(end) => {
                    if let Some(count) = failure.failed(&end.to_string(), Instant::now()) {
                        warn!(%end, count, "The certificate could not be renewed; the last one stays, for half of its life");
                    }
                }
            }
        }
    }

    async fn renew(&mut self, renewal: &mut SystemTime) -> Result<(), StreamEnd> {
        *renewal = self.ask().await?;
        Ok(())
    }

    /// Asks once. The key is a new one each time.
    async fn ask(&mut self) -> Result<SystemTime, StreamEnd> {
        self.read_roots().await?;
        let token = self.read(TOKEN).await?.trim().to_owned();
        let key = KeyRequest::new().map_err(unusable)?;
        let request = key.to_der().map_err(unusable)?.into();
        let mut client = IdentityClient::new(self.caller.connect().await?);
        let call = client.issue(IssueRequest { token, group: self.group.clone(), request });
        let answer = timeout(PATIENCE, call).await.map_err(|_| StreamEnd::Stuck)?.map_err(refused)?.into_inner();
        let credential = key.into_credential(answer.certificate.to_vec()).map_err(unusable)?;
        info!(identity = %credential.identity(), valid_seconds = answer.valid_seconds, "Took a certificate");
        self.wallet.hold(credential);
        // Agents that were started together do not come back together.
        let share = 0.5 - rand::random::<f64>() / 10.0;
        Ok(SystemTime::now() + Duration::from_secs(answer.valid_seconds).mul_f64(share))
    }

    async fn read_roots(&mut self) -> Result<(), StreamEnd> {
        let roots = self.read(ROOTS).await?;
        if roots != self.roots {
            self.wallet.trust(&roots).map_err(unusable)?;
            info!("Took the roots that agents and operators are known by; links that are up stay");
            self.roots = roots;
        }
        Ok(())
    }

    async fn read(&self, file: &str) -> Result<String, StreamEnd> {
        let path = self.directory.join(file);
        let text = tokio::fs::read_to_string(&path).await;
        text.map_err(|error| StreamEnd::Connect(format!("{}: {error}", path.display())))
    }
}

fn refused(status: tonic::Status) -> StreamEnd {
    match status.code() {
        Code::PermissionDenied | Code::InvalidArgument => StreamEnd::Refused(status.message().to_owned()),
        Code::Unavailable if !status.message().is_empty() => StreamEnd::NotYet(status.message().to_owned()),
        _ => StreamEnd::Status(causes(&status)),
    }
}

fn unusable(error: baton_identity::CredentialError) -> StreamEnd {
    StreamEnd::Connect(error.to_string())
}

#[cfg(test)]
mod tests;
