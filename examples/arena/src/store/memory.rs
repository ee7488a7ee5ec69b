//! Players in a `HashMap`: what a game server has before it has Baton.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Act, Done, Entry, Everything, Member, News, Only, Owner, StoreError, Stored, Stroke, Version};

/// How often a follower is told everything. There is no other pod to hear of.
const BEAT: Duration = Duration::from_millis(250);

/// Everything in one process, gone with it.
#[derive(Default)]
pub(crate) struct Memory {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    values: HashMap<(String, String), (Bytes, u64)>,
    notes: HashMap<(String, String), Instant>,
    writes: u64,
}

// === impl Memory ===

impl Memory {
    pub(crate) fn get(&self, map: &str, key: &str) -> Option<Stored> {
        let slots = self.slots.lock();
        let (value, write) = slots.values.get(&slot(map, key))?;
        Some(Stored { value: value.clone(), version: Version(write.to_string()) })
    }

    pub(crate) fn put(&self, map: &str, key: &str, value: Bytes, only: Only) -> Result<(), StoreError> {
        let mut slots = self.slots.lock();
        let found = slots.values.get(&slot(map, key)).map(|(_, write)| Version(write.to_string()));
        let allowed = match only {
            Only::IfAbsent => found.is_none(),
            Only::IfUnchanged(version) => found == Some(version),
        };
        if !allowed {
            return Err(StoreError::Conflict);
        }
        slots.writes += 1;
        let write = slots.writes;
        slots.values.insert(slot(map, key), (value, write));
        Ok(())
    }

    pub(crate) fn delete(&self, map: &str, key: &str) {
        self.slots.lock().values.remove(&slot(map, key));
    }

    pub(crate) fn note(&self, map: &str, key: &str, ttl: Duration) {
        self.slots.lock().notes.insert(slot(map, key), Instant::now() + ttl);
    }

    pub(crate) fn strike(&self, stroke: &Stroke) -> Done {
        let mut slots = self.slots.lock();
        let at = slot(stroke.map, &stroke.key);
        slots.writes += 1;
        let write = slots.writes;
        match &stroke.act {
            Act::Put(value) => drop(slots.values.insert(at, (value.clone(), write))),
            Act::Delete => drop(slots.values.remove(&at)),
            Act::Confirm => {}
        }
        Done::Yes
    }

    pub(crate) async fn follow(&self, maps: &[&str], tell: mpsc::Sender<News>) {
        while tell.send(News::Everything(self.everything(maps))).await.is_ok() {
            tokio::time::sleep(BEAT).await;
        }
    }

    /// All of it is this process's own.
    fn everything(&self, maps: &[&str]) -> Everything {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        slots.notes.retain(|_, end| *end > now);
        let me = Member { id: "memory".into(), pod: "memory".into(), leaving: false, me: true };
        let owner = Owner { id: me.id.clone(), token: String::new(), confirmed: true, mine: true };
        let values = slots.values.iter().map(|(at, (value, _))| (at, serde_json::from_slice(value).ok()));
        let notes = slots.notes.keys().map(|at| (at, Some(serde_json::Value::Null)));
        let entries: Vec<Entry> = values
            .chain(notes)
            .filter(|((map, _), _)| maps.contains(&map.as_str()))
            .map(|((map, key), value)| Entry { map: map.clone(), key: key.clone(), value, owner: Some(owner.clone()) })
            .collect();
        Everything { members: vec![me], owned: entries.clone(), entries }
    }

    pub(crate) fn list(&self, map: &str) -> Vec<(String, Bytes)> {
        let slots = self.slots.lock();
        let of_map = slots.values.iter().filter(|((name, _), _)| name == map);
        of_map.map(|((_, key), (value, _))| (key.clone(), value.clone())).collect()
    }
}

fn slot(map: &str, key: &str) -> (String, String) {
    (map.to_owned(), key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_names_an_old_version_changes_nothing() {
        let memory = Memory::default();
        memory.put("m", "k", Bytes::from_static(b"1"), Only::IfAbsent).expect("the key is free");
        let old = memory.get("m", "k").expect("it was just written").version;
        memory.put("m", "k", Bytes::from_static(b"2"), Only::IfUnchanged(old.clone())).expect("nobody wrote between");
        let refused = memory.put("m", "k", Bytes::from_static(b"3"), Only::IfUnchanged(old));
        assert!(matches!(refused, Err(StoreError::Conflict)));
        assert_eq!(memory.get("m", "k").expect("it is there").value, "2");
    }
}
