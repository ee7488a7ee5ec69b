//! The members file: who belongs to the group, told to agents without an operator.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// The longest that a hook is held, if the grace period leaves as much: no scenario needs it on a machine that is not busy.
const HOLD: &str = "50s";

/// The list, and the file that agents watch.
pub struct Members {
    file: PathBuf,
    list: List,
}

#[derive(Serialize)]
struct List {
    number: u64,
    first: String,
    handoff: Handoff,
    replication: Replication,
    maps: Vec<Map>,
    members: Vec<Row>,
}

#[derive(Serialize)]
struct Handoff {
    completion: &'static str,
    timeout: &'static str,
}

#[derive(Serialize)]
struct Replication {
    #[serde(skip_serializing_if = "Option::is_none")]
    acks: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Map {
    name: &'static str,
    on_departure: &'static str,
}

#[derive(Serialize)]
struct Row {
    name: String,
    address: String,
    leaving: bool,
}

// === impl Members ===

impl Members {
    /// An empty list, whose slot `first` may start with nothing.
    pub fn new(folder: &Path, first: &str) -> Self {
        let handoff = Handoff { completion: "Replicated", timeout: HOLD };
        let replication = Replication { acks: None };
        let (maps, members) = (Vec::new(), Vec::new());
        let list = List { number: 0, first: first.to_owned(), handoff, replication, maps, members };
        Self { file: folder.join("members.json"), list }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The number of the list that is published.
    pub fn number(&self) -> u64 {
        self.list.number
    }

    /// What a hold waits for besides: `Replicated`, `Adopted` or `Confirmed`.
    pub fn set_completion(&mut self, completion: &'static str) {
        self.list.handoff.completion = completion;
    }

    /// What becomes of the keys of a map whose owner departs: `Adopt`, `Keep` or `Release`.
    pub fn set_on_departure(&mut self, name: &'static str, on_departure: &'static str) {
        self.list.maps.push(Map { name, on_departure });
    }

    /// How many others acknowledge a write before it is answered.
    pub fn set_acks(&mut self, acks: u32) {
        self.list.replication.acks = Some(acks);
    }

    /// Adds a member.
    pub fn add(&mut self, name: &str, peer: u16) -> Result<()> {
        self.list.members.push(Row { name: name.to_owned(), address: format!("127.0.0.1:{peer}"), leaving: false });
        self.publish()
    }

    /// Says that members are leaving.
    pub fn mark_leaving(&mut self, names: &[&str]) -> Result<()> {
        for row in self.list.members.iter_mut().filter(|row| names.contains(&row.name.as_str())) {
            row.leaving = true;
        }
        self.publish()
    }

    /// Forgets a member.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        self.list.members.retain(|row| row.name != name);
        self.publish()
    }

    /// Publishes the list once more, under a new number.
    pub fn publish(&mut self) -> Result<()> {
        self.list.number += 1;
        replace(&self.file, &serde_json::to_vec_pretty(&self.list)?)
    }
}

/// Readers see the old text or the new one, never half of it.
pub fn replace(file: &Path, text: &[u8]) -> Result<()> {
    let draft = file.with_extension("new");
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
