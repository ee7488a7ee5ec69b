//! The running agent's end of the control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::control::{ALIVE_EVERY, Answer, DepartureReport, MAX_LINE, Request};
use crate::http::StatusReport;
use crate::socket;

/// How many callers are served at once. The kubelet calls the hook once, perhaps twice.
const MAX_CALLERS: usize = 32;

/// How long a caller may take to ask.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after a failed accept, which means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the agent does when it is asked.
pub(crate) trait Control: Send + Sync + 'static {
    /// Leaves, and answers when everything known now is handed off, or cannot be. A second call is the same operation.
    fn drain(&self) -> impl Future<Output = DepartureReport> + Send;

    /// Ends what is held, as failed; whether something was.
    fn release(&self) -> impl Future<Output = bool> + Send;

    /// The agent's state.
    fn status(&self) -> StatusReport;
}

/// The bound control socket.
pub(crate) struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
}

// === impl ControlServer ===

impl ControlServer {
    /// Binds the socket, which only this user may open. A socket file that an earlier process left is removed; the
    /// directory is made if it is missing.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let listener = socket::bind(path, 0o600)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves callers until the task is dropped.
    pub(crate) async fn serve(self, control: Arc<impl Control>) {
        let callers = Arc::new(Semaphore::new(MAX_CALLERS));
        loop {
            let Ok(permit) = callers.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let control = control.clone();
                    tokio::spawn(async move {
                        let _permit = permit;
                        if let Err(error) = answer(stream, &*control).await {
                            tracing::debug!(%error, "A caller of the control socket went away");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, path = %self.path.display(), "Cannot accept on the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn answer(stream: UnixStream, control: &impl Control) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_LINE as u64));
    timeout(ASK_TIMEOUT, read.read_line(&mut line)).await??;
    match serde_json::from_str(&line) {
        Ok(Request::Drain) => {
            let report = while_alive(control.drain(), &mut write).await?;
            send(&mut write, &Answer::Drained(report)).await
        }
        Ok(Request::Release) => {
            send(&mut write, &Answer::Working).await?;
            send(&mut write, &Answer::Released(control.release().await)).await
        }
        Ok(Request::Status) => {
            send(&mut write, &Answer::Working).await?;
            send(&mut write, &Answer::Status(Box::new(control.status()))).await
        }
        Err(error) => send(&mut write, &Answer::Refused(error.to_string())).await,
    }
}

/// Runs the drain to its end, and tells the caller meanwhile that the agent lives. The drain goes on when the caller is
/// gone: the process leaves all the same.
async fn while_alive(
    work: impl Future<Output = DepartureReport>,
    write: &mut OwnedWriteHalf,
) -> io::Result<DepartureReport> {
    tokio::pin!(work);
    let mut beat = tokio::time::interval(ALIVE_EVERY);
    loop {
        tokio::select! {
            report = &mut work => return Ok(report),
            _ = beat.tick() => send(write, &Answer::Working).await?,
        }
    }
}

async fn send(write: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}
