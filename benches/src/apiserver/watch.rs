//! One watch: changes as lines, a bookmark at its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::store::{Object, Store};

/// Lines on their way to a client.
pub(super) type Lines = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

/// Which objects, and what of them.
pub(super) struct Watch {
    pub(super) resource: String,
    pub(super) namespace: Option<String>,
    pub(super) metadata_only: bool,
    /// The version after which it begins.
    pub(super) after: u64,
    pub(super) lasts: Duration,
}

// === impl Watch ===

impl Watch {
    /// Runs until its time is over or nobody listens.
    pub(super) async fn run(mut self, store: Arc<Store>, lines: Lines) {
        let ends = Instant::now() + self.lasts;
        let mut changed = store.changes(&self.resource);
        loop {
            changed.borrow_and_update();
            let Some(changes) = store.since(&self.resource, self.after) else {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "too old resource version", "reason": "Expired", "code": 410});
                let _ = lines.send(Ok(Frame::data(line("ERROR", status.to_string().as_bytes())))).await;
                return;
            };
            for change in changes {
                self.after = change.version;
                if !self.wants(&change.object) {
                    continue;
                }
                let line = match self.metadata_only {
                    true => line(change.word, metadata(&change.object).to_string().as_bytes()),
                    false => line(change.word, &change.object.text),
                };
                if lines.send(Ok(Frame::data(line))).await.is_err() {
                    return;
                }
            }
            let told = tokio::select! {
                told = timeout_at(ends, changed.changed()) => told,
                () = lines.closed() => return,
            };
            if told.is_err() {
                return self.bookmark(&lines).await;
            }
        }
    }

    async fn bookmark(&self, lines: &Lines) {
        let object = json!({"kind": "Bookmark", "apiVersion": "v1",
            "metadata": {"resourceVersion": self.after.to_string(), "creationTimestamp": null}});
        let _ = lines.send(Ok(Frame::data(line("BOOKMARK", object.to_string().as_bytes())))).await;
    }

    fn wants(&self, object: &Object) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| object.value["metadata"]["namespace"] == namespace)
    }
}

/// What `PartialObjectMetadata` says of an object.
pub(super) fn metadata(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.value["metadata"]})
}

fn line(word: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put(format!("{{\"type\":\"{word}\",\"object\":").as_bytes());
    line.put(object);
    line.put(&b"}\n"[..]);
    line.freeze()
}
