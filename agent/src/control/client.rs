//! The calling end of the control socket: the commands `drain`, `release` and `status`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::time::timeout;

use crate::config::{DrainArgs, Output, ReleaseArgs, StatusArgs};
use crate::control::{Answer, DepartureReport, MAX_LINE, Request, text};
use crate::http::StatusReport;

/// How long the agent may take to say that it lives. A hook that cannot reach it must not eat the grace period.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// How long a held agent may be silent: ten of its signs of life, since a throttled container misses a few.
const SILENCE: Duration = Duration::from_secs(5);

/// Why there is no result; what the agent does is unknown.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no agent answers at {path}: {reason}")]
    Unreachable { path: String, reason: String },
    #[error("the agent went away before it had answered: {0}")]
    Broken(String),
    #[error("the agent has said nothing for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the agent did not understand: {0}; is it of another release?")]
    Refused(String),
}

/// The command `drain`. The result goes to stdout as JSON, and to stderr as a sentence.
pub(crate) async fn drain(args: &DrainArgs) -> ExitCode {
    let answer = call(&args.run_dir.control_socket(), Request::Drain).await;
    let report = match answer {
        Ok(Answer::Drained(report)) => report,
        Ok(_) => return failure("drain", &CallError::Refused("another answer than to a drain".to_owned())),
        Err(error) => return failure("drain", &error),
    };
    print_json(&report);
    say("drain", &text::sentence(&report));
    exit_code(&report)
}

/// Exit code of a release that found nothing to end.
const NOT_HELD: u8 = 3;

/// The command `release`.
pub(crate) async fn release(args: &ReleaseArgs) -> ExitCode {
    match call(&args.run_dir.control_socket(), Request::Release).await {
        Ok(Answer::Released(true)) => {
            say("release", "the hold has ended, as failed");
            ExitCode::SUCCESS
        }
        Ok(Answer::Released(false)) => {
            say("release", "nothing is held: no preStop hook is waiting, and the agent is not about to end");
            ExitCode::from(NOT_HELD)
        }
        Ok(_) => failure("release", &CallError::Refused("another answer than to a release".to_owned())),
        Err(error) => failure("release", &error),
    }
}

/// The command `status`.
pub(crate) async fn status(args: &StatusArgs) -> ExitCode {
    let answer = call(&args.run_dir.control_socket(), Request::Status).await;
    let report: StatusReport = match answer {
        Ok(Answer::Status(report)) => *report,
        Ok(_) => return failure("status", &CallError::Refused("another answer than a status".to_owned())),
        Err(error) => return failure("status", &error),
    };
    match args.output {
        Output::Json => print_json(&report),
        Output::Text => print(&text::status(&report)),
    }
    ExitCode::SUCCESS
}

/// Asks, and returns the last line of the answer.
pub(super) async fn call(path: &Path, request: Request) -> Result<Answer, CallError> {
    let unreachable = |reason: String| CallError::Unreachable { path: path.display().to_string(), reason };
    let late = |_| unreachable(format!("no answer within {} s", FIRST_ANSWER.as_secs()));
    let open = async {
        let mut stream = UnixStream::connect(path).await?;
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        Ok::<_, std::io::Error>(stream)
    };
    let deadline = tokio::time::Instant::now() + FIRST_ANSWER;
    let stream =
        tokio::time::timeout_at(deadline, open).await.map_err(late)?.map_err(|error| unreachable(error.to_string()))?;
    let (read, _write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut answer = tokio::time::timeout_at(deadline, next(&mut lines)).await.map_err(late)??;
    while matches!(answer, Answer::Working) {
        answer = timeout(SILENCE, next(&mut lines)).await.map_err(|_| CallError::Silent(SILENCE))??;
    }
    match answer {
        Answer::Refused(reason) => Err(CallError::Refused(reason)),
        answer => Ok(answer),
    }
}

async fn next(lines: &mut BufReader<OwnedReadHalf>) -> Result<Answer, CallError> {
    let mut line = String::new();
    let read = lines.take(MAX_LINE as u64).read_line(&mut line).await;
    match read {
        Ok(0) => Err(CallError::Broken("the connection was closed".to_owned())),
        Ok(_) => serde_json::from_str(&line).map_err(|error| CallError::Refused(error.to_string())),
        Err(error) => Err(CallError::Broken(error.to_string())),
    }
}

fn exit_code(report: &DepartureReport) -> ExitCode {
    if report.outcome.is_safe() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failure(command: &str, error: &CallError) -> ExitCode {
    say(command, &error.to_string());
    ExitCode::FAILURE
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(json) => print(&format!("{json}\n")),
        Err(error) => say("answer", &error.to_string()),
    }
}

/// What the exit code says must not depend on whether somebody reads the words: the macros of the standard library
/// would panic on a closed pipe.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn say(command: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "baton-agent {command}: {text}");
}
