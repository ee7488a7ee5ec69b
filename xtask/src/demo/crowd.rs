//! The crowd at work: a load's standard output, followed to its last line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::report::Verdict;

/// A program that prints a load's lines: the load itself, or something that follows its log.
pub(crate) struct Crowd {
    child: Child,
    reader: Option<JoinHandle<Read>>,
}

/// How far it is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Progress {
    pub(crate) acknowledged: u64,
    pub(crate) retries: u64,
    pub(crate) forgotten: u64,
}

/// One line of a load.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Progress(Progress),
    Record(serde::de::IgnoredAny),
    Verdict(Verdict),
}

#[derive(Default)]
struct Read {
    verdict: Option<Verdict>,
    /// The last line that is none of a load's: an error, most likely.
    stray: Option<String>,
}

// === impl Crowd ===

impl Crowd {
    /// Starts the program; `shown` gets each step of progress.
    pub(crate) fn follow(command: &mut Command, shown: impl Fn(&Progress) + Send + 'static) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start the load")?;
        let lines = child.stdout.take().context("the load has no output")?;
        let reader = std::thread::spawn(move || read(BufReader::new(lines), shown));
        Ok(Self { child, reader: Some(reader) })
    }

    /// Waits for the verdict of a load that has been told to finish.
    pub(crate) fn verdict(mut self) -> Result<Verdict> {
        let read = self.reader.take().map(JoinHandle::join).transpose();
        let read = read.ok().flatten().unwrap_or_default();
        self.child.wait()?;
        read.verdict.with_context(|| match read.stray {
            Some(line) => format!("the load ended without a verdict; it said: {line}"),
            None => "the load ended without a verdict".to_owned(),
        })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It has ended already unless something else has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(lines: impl BufRead, shown: impl Fn(&Progress)) -> Read {
    let mut read = Read::default();
    for line in lines.lines().map_while(std::io::Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Line::Progress(progress)) => shown(&progress),
            Ok(Line::Record(_)) => {}
            Ok(Line::Verdict(verdict)) => read.verdict = Some(verdict),
            Err(_) => read.stray = Some(line),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_found_among_other_lines() {
        let text = r#"{"progress":{"acknowledged":3,"retries":0,"forgotten":0}}
arena: something
{"record":{"acknowledged":3}}
{"verdict":{"acknowledged":3,"lost":1,"stale":0,"resurrected":0,"slowest_ms":4,"examples":["a"],"players":2}}
"#;
        let read = read(text.as_bytes(), |progress| assert_eq!(progress.acknowledged, 3));
        assert_eq!(read.verdict.expect("there is one").lost, 1);
        assert_eq!(read.stray.as_deref(), Some("arena: something"));
    }
}
