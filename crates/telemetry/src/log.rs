//! Logs: one line an event, to stderr.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Logs were not set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is malformed; nothing was set up.
    #[error("{0}")]
    Filter(String),
    /// The process has logs already; they stay as they were.
    #[error("logs were set up before")]
    Twice,
}

/// Sends the process's events, and its panics, to stderr. `filter` is as [`log_filter`] takes it.
pub fn init_logs(filter: &str, format: LogFormat) -> Result<(), LogError> {
    let filter = parse(filter).map_err(LogError::Filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let colours = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let set = match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Text => registry.with(layer).try_init(),
    };
    set.map_err(|_| LogError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Checks a filter such as `info,baton_agent=debug`, and returns it as it is: for command lines.
pub fn log_filter(text: &str) -> Result<String, String> {
    parse(text).map(|_| text.to_owned())
}

// === impl LogFormat ===

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("a log format is json or text".to_owned()),
        }
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    let hint = "write it like info or info,baton_agent=debug";
    EnvFilter::builder().parse(filter).map_err(|error| format!("{error}; {hint}"))
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    tracing::error!(place, message, thread, "A task panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_formats_are_checked_while_parsing() {
        assert_eq!(log_filter("info,baton_agent=debug").as_deref(), Ok("info,baton_agent=debug"));
        assert!(log_filter("a=b=c").is_err_and(|error| error.contains("write it like")));
        assert_eq!("text".parse(), Ok(LogFormat::Text));
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
