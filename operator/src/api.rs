//! Calls to the API server: each has a time limit, and whether they succeed is noted.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use kube::Client;
use parking_lot::Mutex;

/// How long one call may take. Longer than the API server's own limit on a slow etcd would only hide it.
const CALL: Duration = Duration::from_secs(10);

/// The API server, as far as it can be reached.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
    failures: Arc<Mutex<Repeat>>,
    reached: Arc<AtomicBool>,
}

/// Why a call did not succeed. Nothing is known of its effect.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The API server answered with an error, or could not be reached.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// There was no answer in time.
    #[error("the API server did not answer within 10 seconds")]
    Silent,
}

// === impl ApiServer ===

impl ApiServer {
    /// The API server behind a client.
    pub fn new(client: Client) -> Self {
        Self { client, failures: Arc::default(), reached: Arc::default() }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Makes a call within the time limit.
    pub async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
        let result = match tokio::time::timeout(CALL, call).await {
            Ok(result) => result.map_err(ApiError::from),
            Err(_) => Err(ApiError::Silent),
        };
        match &result {
            Err(error) if error.status().is_none() => self.failed(error),
            // An error that the API server answers with is an answer.
            Ok(_) | Err(_) => self.answered(),
        }
        result
    }

    /// Notes that the API server has answered.
    pub fn answered(&self) {
        self.reached.store(true, Ordering::Relaxed);
        if self.failures.lock().worked() {
            tracing::info!("The API server is reachable again");
        }
    }

    /// Notes that the API server could not be reached.
    pub fn failed(&self, error: &dyn std::fmt::Display) {
        self.reached.store(false, Ordering::Relaxed);
        // The words of the error differ from call to call; the failure is one.
        if let Some(count) = self.failures.lock().failed("unreachable", Instant::now()) {
            tracing::warn!(
                %error,
                count,
                "The API server cannot be reached; running agents keep their lists, and no list changes until it is back"
            );
        }
    }

    /// Whether the last attempt to reach the API server succeeded.
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}

// === impl ApiError ===

impl ApiError {
    /// The HTTP status that the API server answered with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status.code),
            Self::Kube(_) | Self::Silent => None,
        }
    }

    /// Whether somebody should read of it: an API server that does not answer is said once for all calls, and
    /// in a namespace that is being deleted nothing new can be.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Kube(kube::Error::Api(status)) => !status.message.contains("being terminated"),
            Self::Kube(_) | Self::Silent => false,
        }
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the object is another than the caller thought, or is there already.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }
}
