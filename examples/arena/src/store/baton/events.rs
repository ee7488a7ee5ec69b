//! Server-sent events, one by one.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// The agent says something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// More than the largest value of any map.
const MAX_EVENT: usize = 16 << 20;

/// The events of one answer.
pub(super) struct Events {
    body: Incoming,
    text: BytesMut,
}

/// One event. A block that has an id alone says how far the watch is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) data: String,
}

// === impl Events ===

impl Events {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, text: BytesMut::new() }
    }

    /// Waits for the next; none when the answer has ended, or is not worth waiting for.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = take(&mut self.text) {
                return Some(event);
            }
            let frame = timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            if let Some(data) = frame.data_ref() {
                self.text.extend_from_slice(data);
            }
            if self.text.len() > MAX_EVENT {
                return None;
            }
        }
    }
}

/// Takes the first event off the text, if all of it has come.
fn take(text: &mut BytesMut) -> Option<Event> {
    let end = text.windows(2).position(|pair| pair == b"\n\n")?;
    let block = text.split_to(end);
    text.advance(2);
    let mut event = Event::default();
    for line in String::from_utf8_lossy(&block).lines() {
        match line.split_once(": ") {
            Some(("id", id)) => event.id = id.to_owned(),
            Some(("event", kind)) => event.kind = kind.to_owned(),
            Some(("data", data)) => event.data = data.to_owned(),
            _ => {}
        }
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_when_all_of_it_has_come() {
        let mut text = BytesMut::from("id: 1\nevent: start\ndata: {\"a\": 1}\n\nid: 2\n");
        let event = Event { id: "1".into(), kind: "start".into(), data: "{\"a\": 1}".into() };
        assert_eq!(take(&mut text), Some(event));
        assert_eq!(take(&mut text), None);
        text.extend_from_slice(b"\n");
        assert_eq!(take(&mut text), Some(Event { id: "2".into(), ..Event::default() }));
    }
}
