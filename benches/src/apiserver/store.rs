//! The objects, their versions, and what has changed since when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How many changes of a kind are kept: a watch that is further behind starts over.
const HISTORY: usize = 20_000;

/// Namespace, empty if there is none, and name.
pub(crate) type Place = (String, String);

/// Everything that the API server holds.
#[derive(Default)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    requests: Mutex<Vec<Request>>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// When.
    pub(crate) at: Instant,
    /// Verb and resource, as in `GET pods`.
    pub(crate) what: String,
}

#[derive(Default)]
struct Inner {
    version: u64,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Default)]
struct Kind {
    objects: BTreeMap<Place, Arc<Object>>,
    history: VecDeque<Change>,
    /// The version up to which `history` lacks something.
    forgotten: u64,
    changed: watch::Sender<()>,
}

/// One state of an object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) value: Value,
    /// The same as text.
    pub(super) text: Bytes,
}

/// What has become of an object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    /// As watches call it.
    pub(super) word: &'static str,
    pub(super) object: Arc<Object>,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    Exists,
    Conflict,
}

// === impl Store ===

impl Store {
    /// Puts an object there, with a UID and a time if it has none.
    pub(crate) fn put(&self, resource: &str, object: Value) {
        let place = place(&object);
        // A new place cannot be in conflict with anything.
        let _ = self.write(resource, &place, |_| Ok(object));
    }

    /// Changes an object that is there; answers whether it is.
    pub(crate) fn change(&self, resource: &str, place: &Place, change: impl FnOnce(&mut Value)) -> bool {
        let changed = self.write(resource, place, |found| {
            let mut value = found.ok_or(Refusal::NotFound)?.value.clone();
            change(&mut value);
            Ok(value)
        });
        changed.is_ok()
    }

    /// Takes an object away; answers whether it was there.
    pub(crate) fn remove(&self, resource: &str, place: &Place) -> bool {
        let inner = &mut *self.inner.lock();
        let Some(kind) = inner.kinds.get_mut(resource) else { return false };
        let Some(object) = kind.objects.remove(place) else { return false };
        inner.version += 1;
        let mut value = object.value.clone();
        value["metadata"]["resourceVersion"] = inner.version.to_string().into();
        kind.note(inner.version, "DELETED", Arc::new(Object::new(value)));
        true
    }

    /// An object as it is.
    pub(crate) fn get(&self, resource: &str, place: &Place) -> Option<Value> {
        self.object(resource, place).map(|object| object.value.clone())
    }

    /// What was asked since a moment.
    pub(crate) fn requests(&self, since: Instant) -> Vec<Request> {
        self.requests.lock().iter().filter(|request| request.at >= since).cloned().collect()
    }

    pub(super) fn note_request(&self, what: String) {
        self.requests.lock().push(Request { at: Instant::now(), what });
    }

    pub(super) fn object(&self, resource: &str, place: &Place) -> Option<Arc<Object>> {
        self.inner.lock().kinds.get(resource)?.objects.get(place).cloned()
    }

    /// All objects of a namespace, or of all, and the version that this is.
    pub(super) fn list(&self, resource: &str, namespace: Option<&str>) -> (u64, Vec<Arc<Object>>) {
        let inner = self.inner.lock();
        let objects = inner.kinds.get(resource).map(|kind| &kind.objects);
        let wanted = |place: &Place| namespace.is_none_or(|namespace| place.0 == namespace);
        let found = objects.into_iter().flatten().filter(|(place, _)| wanted(place));
        (inner.version, found.map(|(_, object)| object.clone()).collect())
    }

    /// Writes what `make` makes of the present state.
    pub(super) fn write(
        &self,
        resource: &str,
        place: &Place,
        make: impl FnOnce(Option<&Object>) -> Result<Value, Refusal>,
    ) -> Result<Arc<Object>, Refusal> {
        let inner = &mut *self.inner.lock();
        let kind = inner.kinds.entry(resource.to_owned()).or_default();
        let before = kind.objects.get(place).cloned();
        let mut value = make(before.as_deref())?;
        if let Some(before) = before.as_ref().filter(|before| before.value == value) {
            // Kubernetes, too, gives what changes nothing no new version.
            return Ok(before.clone());
        }
        inner.version += 1;
        let meta = &mut value["metadata"];
        if meta["uid"].is_null() {
            meta["uid"] = format!("uid-{:08x}", inner.version).into();
        }
        if meta["creationTimestamp"].is_null() {
            meta["creationTimestamp"] = json!(Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default());
            meta["generation"] = 1.into();
        }
        meta["resourceVersion"] = inner.version.to_string().into();
        let object = Arc::new(Object::new(value));
        kind.objects.insert(place.clone(), object.clone());
        kind.note(inner.version, if before.is_some() { "MODIFIED" } else { "ADDED" }, object.clone());
        Ok(object)
    }

    /// What has changed after a version; nothing if that is too long ago.
    pub(super) fn since(&self, resource: &str, version: u64) -> Option<Vec<Change>> {
        let inner = self.inner.lock();
        let Some(kind) = inner.kinds.get(resource) else { return Some(Vec::new()) };
        let first = kind.history.partition_point(|change| change.version <= version);
        (version >= kind.forgotten).then(|| kind.history.range(first..).cloned().collect())
    }

    /// Told of every change of a kind.
    pub(super) fn changes(&self, resource: &str) -> watch::Receiver<()> {
        self.inner.lock().kinds.entry(resource.to_owned()).or_default().changed.subscribe()
    }

    /// The newest version of anything.
    pub(super) fn version(&self) -> u64 {
        self.inner.lock().version
    }
}

// === impl Kind ===

impl Kind {
    fn note(&mut self, version: u64, word: &'static str, object: Arc<Object>) {
        if self.history.len() == HISTORY {
            self.forgotten = self.history.pop_front().map_or(self.forgotten, |change| change.version);
        }
        self.history.push_back(Change { version, word, object });
        self.changed.send_replace(());
    }
}

// === impl Object ===

impl Object {
    fn new(value: Value) -> Self {
        Self { text: value.to_string().into(), value }
    }
}

/// Where an object says that it is.
pub(super) fn place(object: &Value) -> Place {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}
