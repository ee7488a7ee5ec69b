//! The members file: who belongs to the group, told to agents without an operator.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// The list, and the file that agents watch.
pub(crate) struct Members {
    file: PathBuf,
    list: List,
}

#[derive(Serialize)]
struct List {
    number: u64,
    first: String,
    members: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    address: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    leaving: bool,
}

// === impl Members ===

impl Members {
    /// An empty list, whose slot `first` may start with nothing.
    pub(crate) fn new(folder: &Path, first: &str) -> Self {
        let list = List { number: 0, first: first.to_owned(), members: Vec::new() };
        Self { file: folder.join("members.json"), list }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn add(&mut self, name: &str, peer_port: u16) -> Result<()> {
        self.list.members.push(Row {
            name: name.to_owned(),
            address: format!("127.0.0.1:{peer_port}"),
            leaving: false,
        });
        self.publish()
    }

    pub(crate) fn mark_leaving(&mut self, name: &str) -> Result<()> {
        for row in self.list.members.iter_mut().filter(|row| row.name == name) {
            row.leaving = true;
        }
        self.publish()
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<()> {
        self.list.members.retain(|row| row.name != name);
        self.publish()
    }

    fn publish(&mut self) -> Result<()> {
        self.list.number += 1;
        replace(&self.file, &serde_json::to_vec_pretty(&self.list)?)
    }
}

/// Readers see the old text or the new one, never half of it.
pub(crate) fn replace(file: &Path, text: &[u8]) -> Result<()> {
    let draft = file.with_extension("new");
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
