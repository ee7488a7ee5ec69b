//! Calls to the API server: each has a time limit, and whether they succeed is noted. What changes anything is a
//! [`ApiServer::write`], which only the holder of the lease makes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use baton_telemetry::Repeat;
use kube::Client;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::lease::Fence;

/// How long one call may take. Longer than the API server's own limit on a slow etcd would only hide it.
const CALL: Duration = Duration::from_secs(10);

/// The API server, as far as it can be reached.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
    failures: Arc<Mutex<Repeat>>,
    reached: Arc<AtomicBool>,
    /// What stops writes; none if this process is alone by what it is for.
    fence: Option<Fence>,
    writes: TaskTracker,
}

/// A call takes kilobytes, and every group and every agent has a task with room for one: the room is made when it is made.
type Boxed<F> = Pin<Box<F>>;

/// Why a call did not succeed. Nothing is known of its effect.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The API server answered with an error, or could not be reached.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// There was no answer in time.
    #[error("the API server did not answer in time")]
    Silent,
    /// This process does not hold the lease, or may have lost it. The call was not made.
    #[error("this operator does not hold the lease")]
    NotHolder,
}

// === impl ApiServer ===

impl ApiServer {
    /// The API server behind a client.
    pub fn new(client: Client) -> Self {
        Self { client, failures: Arc::default(), reached: Arc::default(), fence: None, writes: TaskTracker::new() }
    }

    /// The same, where nothing is written that the fence does not let pass.
    pub fn behind(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Makes a call that changes nothing, within the time limit.
    pub fn call<T, F>(&self, call: F) -> impl Future<Output = Result<T, ApiError>> + use<'_, T, F>
    where
        F: Future<Output = kube::Result<T>>,
    {
        self.within(CALL, Box::pin(call))
    }

    /// Makes a call that changes something: only while nobody else can hold the lease, and given up before anybody can.
    pub fn write<T, F>(&self, call: F) -> impl Future<Output = Result<T, ApiError>> + use<'_, T, F>
    where
        F: Future<Output = kube::Result<T>>,
    {
        self.write_boxed(Box::pin(call))
    }

    async fn write_boxed<T>(&self, call: Boxed<impl Future<Output = kube::Result<T>>>) -> Result<T, ApiError> {
        let Some(fence) = &self.fence else { return self.within(CALL, call).await };
        let _under_way = self.writes.token();
        let pass = fence.pass(Instant::now()).ok_or(ApiError::NotHolder)?;
        self.within(CALL.min(pass.limit), call).await
    }

    /// Waits until no write is under way any more, for this time at most.
    pub async fn writes_ended(&self, limit: Duration) {
        self.writes.close();
        // What is still under way then gives up by itself.
        let _ = tokio::time::timeout(limit, self.writes.wait()).await;
        self.writes.reopen();
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: Boxed<impl Future<Output = kube::Result<T>>>,
    ) -> Result<T, ApiError> {
        let result = match tokio::time::timeout(limit, call).await {
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
            Self::Kube(_) | Self::Silent | Self::NotHolder => None,
        }
    }

    /// Whether somebody should read of it: an API server that does not answer is said once for all calls, and
    /// in a namespace that is being deleted nothing new can be.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Kube(kube::Error::Api(status)) => !status.message.contains("being terminated"),
            Self::Kube(_) | Self::Silent | Self::NotHolder => false,
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn whatever_changes_anything_is_a_write() {
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            let text = std::fs::read_to_string(&path).expect("a source");
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The lease itself is what lets write; a review of a token changes nothing.
            let excepted = path.parent().is_some_and(|folder| folder.ends_with("lease")) || name == "token.rs";
            let changes = [".patch(", ".patch_status(", ".create(", ".replace(", ".delete(", ".publish("];
            let changes = |line: &&str| line.contains("api.call(") && changes.iter().any(|verb| line.contains(verb));
            let found: Vec<&str> = text.lines().filter(changes).filter(|_| !excepted).collect();
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}
