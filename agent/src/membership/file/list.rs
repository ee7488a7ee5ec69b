//! The text of a members file.

use baton_replica::Settings;
use serde::Deserialize;

use crate::membership::file::settings::{SettingsError, SettingsText};

/// A checked members file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// Grows with every change.
    pub(super) number: u64,
    /// The slot whose agent may start without state. It need not be listed: it may have left since.
    pub(super) first: Option<String>,
    /// In the order of the file.
    pub(super) slots: Vec<Slot>,
    /// What the group asks of its members.
    pub(super) settings: Settings,
}

/// One place in the group, for one process at a time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Slot {
    /// Its name; an agent's own is its `--pod-name`.
    pub(super) name: String,
    /// `host:port` of its peer link.
    pub(super) address: String,
    /// Whether its process is told to leave.
    #[serde(default)]
    pub(super) leaving: bool,
}

/// A file that cannot be used; nothing of it was taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("is not a members file: {0}; write it to another name and rename it, so that nobody reads half of it")]
    Json(#[from] serde_json::Error),
    #[error("lists the {what} {value:?} twice")]
    Twice { what: &'static str, value: String },
    #[error("lists a member without a name")]
    NoName,
    #[error("gives {name:?} the address {address:?}, which is not host:port")]
    Address { name: String, address: String },
    #[error("lists nobody; to end the group, stop its agents")]
    Empty,
    #[error("does not list {name:?}, which is this agent; give its row \"leaving\": true to make it leave")]
    WithoutMe { name: String },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("has the number {0}; choose one that leaves room for greater ones")]
    Huge(u64),
    #[error("has the number {number}, but {known} was there before; each change needs a greater number")]
    Number { number: u64, known: u64 },
}

/// The greatest number taken: a slip of the keyboard must not leave a group without a next one.
const MAX_NUMBER: u64 = 1 << 53;

#[derive(Deserialize)]
struct Text {
    number: u64,
    #[serde(default)]
    first: Option<String>,
    members: Vec<Slot>,
    #[serde(flatten)]
    settings: SettingsText,
}

// === impl List ===

impl List {
    /// Checks a file's text. Fields that this release does not know are passed over.
    pub(super) fn parse(text: &[u8]) -> Result<Self, FileError> {
        let Text { number, first, members: slots, settings } = serde_json::from_slice(text)?;
        if slots.is_empty() {
            return Err(FileError::Empty);
        }
        if number > MAX_NUMBER {
            return Err(FileError::Huge(number));
        }
        for (at, slot) in slots.iter().enumerate() {
            let Slot { name, address, .. } = slot;
            if name.is_empty() {
                return Err(FileError::NoName);
            }
            if !is_address(address) {
                return Err(FileError::Address { name: name.clone(), address: address.clone() });
            }
            if slots[..at].iter().any(|before| before.name == *name) {
                return Err(FileError::Twice { what: "name", value: name.clone() });
            }
            if slots[..at].iter().any(|before| before.address == *address) {
                return Err(FileError::Twice { what: "address", value: address.clone() });
            }
        }
        Ok(Self { number, first: first.filter(|name| !name.is_empty()), slots, settings: settings.check()? })
    }

    /// Refuses a list that is not newer than the one known.
    pub(super) fn newer_than(self, known: Option<u64>) -> Result<Self, FileError> {
        match known {
            Some(known) if self.number <= known => Err(FileError::Number { number: self.number, known }),
            _ => Ok(self),
        }
    }

    /// Refuses a list that drops an agent which it had listed before: a slip would make it leave for good.
    pub(super) fn keeping(self, listed: bool, name: &str) -> Result<Self, FileError> {
        if listed && self.slot(name).is_none() {
            return Err(FileError::WithoutMe { name: name.to_owned() });
        }
        Ok(self)
    }

    /// The slot of a name.
    pub(super) fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_fits = port.parse::<u16>().is_ok_and(|port| port > 0);
    port_fits && !host.is_empty() && format!("http://{text}").parse::<tonic::transport::Uri>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, says: &str) {
        let error = List::parse(text.as_bytes()).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_file_is_read_as_it_is_written() {
        let text = r#"{"number":3,"first":"a","note":"x","members":[
            {"name":"a","address":"127.0.0.1:7172"},{"name":"b","address":"[::1]:7173","leaving":true,"zone":"z"}]}"#;
        let list = List::parse(text.as_bytes()).expect("valid");
        assert_eq!((list.number, list.first.as_deref()), (3, Some("a")));
        assert!(list.slot("b").is_some_and(|slot| slot.leaving) && list.slot("c").is_none());
    }

    #[test]
    fn half_written_and_wrong_files_are_refused_with_what_is_wrong() {
        refused("", "is not a members file");
        refused(r#"{"number":3,"members":[{"name":"a","addr"#, "rename it");
        refused(r#"{"members":[]}"#, "number");
        refused(r#"{"number":"3","members":[]}"#, "expected u64");
        refused(r#"{"number":3,"members":[]}"#, "lists nobody");
        refused(r#"{"number":18446744073709551615,"members":[{"name":"a","address":"h:1"}]}"#, "leaves room");
        refused(r#"{"number":1,"members":[{"name":"a"}]}"#, "address");
        refused(r#"{"number":1,"members":[{"name":"","address":"h:1"}]}"#, "without a name");
        for address in ["", "h", "h:", "h:0", "h:70000", ":1", "a b:1"] {
            let text = format!(r#"{{"number":1,"members":[{{"name":"a","address":"{address}"}}]}}"#);
            refused(&text, "not host:port");
        }
        refused(r#"{"number":1,"members":[{"name":"a","address":"h:1"},{"name":"a","address":"h:2"}]}"#, "twice");
        refused(r#"{"number":1,"members":[{"name":"a","address":"h:1"},{"name":"b","address":"h:1"}]}"#, "twice");
    }

    #[test]
    fn an_agent_that_was_listed_is_not_dropped_by_a_slip() {
        let list = || List { number: 3, first: None, slots: Vec::new(), settings: Settings::default() };
        assert!(list().keeping(true, "a").is_err_and(|error| error.to_string().contains("leaving")));
        assert!(list().keeping(false, "a").is_ok(), "it waits to be listed");
    }

    #[test]
    fn the_number_must_grow() {
        let list = List { number: 3, first: None, slots: Vec::new(), settings: Settings::default() };
        assert!(list.clone().newer_than(None).is_ok() && list.clone().newer_than(Some(2)).is_ok());
        assert!(list.newer_than(Some(3)).is_err_and(|error| error.to_string().contains("greater number")));
    }
}
