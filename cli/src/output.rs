//! Formats, and where words go: what was asked for to stdout, everything else to stderr.

use std::io::{ErrorKind, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;

/// A format, as kubectl names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people
    #[default]
    Table,
    /// The same with more columns
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Objects of the API server as kubectl prints several.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<T>,
}

// === impl List ===

impl<T> List<T> {
    /// A list of these.
    pub(crate) fn of(items: Vec<T>) -> Self {
        Self { api_version: "v1", kind: "List", items }
    }
}

// === impl Output ===

impl Output {
    /// Whether it is for people, and with how much.
    pub(crate) const fn table(self) -> Option<Width> {
        match self {
            Self::Table => Some(Width::Narrow),
            Self::Wide => Some(Width::Wide),
            Self::Json | Self::Yaml => None,
        }
    }

    /// Prints a document. A table is its own document.
    pub(crate) fn document(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = match self {
            Self::Yaml => serde_saphyr::to_string(value).map_err(|error| unprintable(&error))?,
            Self::Json | Self::Table | Self::Wide => {
                serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| unprintable(&error))?
            }
        };
        self::text(&text)
    }

    /// Prints one of many documents.
    pub(crate) fn line(self, value: &impl Serialize) -> Result<(), Failure> {
        match self {
            Self::Yaml => {
                text("---\n")?;
                self.document(value)
            }
            Self::Json | Self::Table | Self::Wide => {
                text(&(serde_json::to_string(value).map_err(|error| unprintable(&error))? + "\n"))
            }
        }
    }
}

/// How much a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// What fits a terminal.
    Narrow,
    /// All columns.
    Wide,
}

/// Prints text to stdout.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes bytes to stdout. A reader that has seen enough ends the program, as it does with any other.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    // Nothing depends on whether somebody reads it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn unprintable(error: &impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot print this: {error}"))
}
