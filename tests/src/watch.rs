//! A watch of an agent's changes: server-sent events, read one by one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One open watch.
pub struct Watch {
    stream: BufReader<TcpStream>,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What a client that comes back says to have seen.
    pub id: String,
    /// `change`, `adopted` and so on.
    pub kind: String,
    /// What happened.
    pub data: Value,
}

// === impl Watch ===

impl Watch {
    /// Opens a watch; `seen` is the id of the last event before. Reads fail after `patience`.
    pub fn open(port: u16, query: &str, seen: Option<&str>, patience: Duration) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(patience))?;
        let seen = seen.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        // Of this version, since its answers are not in chunks.
        stream.write_all(format!("GET /v1/watch{query} HTTP/1.0\r\n{seen}\r\n").as_bytes())?;
        let mut watch = Self { stream: BufReader::new(stream) };
        let status = watch.line()?;
        ensure!(status.starts_with("HTTP/1.0 200"), "{status}");
        while !watch.line()?.is_empty() {}
        Ok(watch)
    }

    /// Waits for the next event.
    pub fn event(&mut self) -> Result<Event> {
        let (mut id, mut kind, mut data) = (String::new(), String::new(), None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", text)) => id = text.to_owned(),
                Some(("event", text)) => kind = text.to_owned(),
                Some(("data", text)) => data = Some(serde_json::from_str(text).context("no JSON")?),
                _ => {}
            }
            // An id alone says how far the watch is; it is no event.
            if let Some(data) = data.take_if(|_| line.is_empty()) {
                return Ok(Event { id, kind, data });
            }
        }
    }

    /// Waits for the next event of a kind.
    pub fn next_of(&mut self, kind: &str) -> Result<Event> {
        loop {
            let event = self.event()?;
            if event.kind == kind {
                return Ok(event);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line)?;
        ensure!(read > 0, "the watch was closed");
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
