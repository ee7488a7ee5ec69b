//! A client of the HTTP API that costs little: one connection, many requests on their way.
//!
//! The load shares two cores with what it measures, so it builds requests as bytes and looks at no more of an answer
//! than its status and length.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// More than an agent takes for anything.
const TIMEOUT: Duration = Duration::from_secs(60);
const BUFFER: usize = 64 * 1024;
/// An answer's head is a few hundred bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The connection.
pub(crate) struct Pipe {
    stream: TcpStream,
    requests: Vec<u8>,
    input: Vec<u8>,
    /// What of the input was taken already.
    taken: usize,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

// === impl Pipe ===

impl Pipe {
    /// Connects to a port on loopback.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot connect to the API")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, requests: Vec::new(), input: Vec::new(), taken: 0 })
    }

    /// Adds a put, without sending it. `query` is `?acks=0` and the like.
    pub(crate) fn put(&mut self, name: &[u8], query: &str, value: &[u8]) {
        self.line("PUT", name, query);
        self.requests.extend_from_slice(format!("content-length: {}\r\n\r\n", value.len()).as_bytes());
        self.requests.extend_from_slice(value);
    }

    /// Adds a get, without sending it.
    pub(crate) fn get(&mut self, name: &[u8]) {
        self.line("GET", name, "");
        self.requests.extend_from_slice(b"\r\n");
    }

    /// Sends what was added.
    pub(crate) fn send(&mut self) -> Result<()> {
        let sent = self.stream.write_all(&self.requests);
        self.requests.clear();
        sent.context("the API closed the connection")
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Result<Answer> {
        let head = loop {
            let rest = &self.input[self.taken..];
            if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(rest.len() < MAX_HEAD, "an answer without an end of its head");
            self.read()?;
        };
        let text = std::str::from_utf8(&self.input[self.taken..self.taken + head])?;
        let status = text.get(9..12).and_then(|status| status.parse().ok()).context("no status line")?;
        let length = length(text)?;
        self.taken += head;
        while self.input.len() < self.taken + length {
            self.read()?;
        }
        let body = self.input[self.taken..self.taken + length].to_vec();
        self.taken += length;
        Ok(Answer { status, body })
    }

    /// Puts one value and waits for the answer, which must be a success.
    pub(crate) fn put_now(&mut self, name: &[u8], query: &str, value: &[u8]) -> Result<()> {
        self.put(name, query, value);
        self.send()?;
        self.answer()?.ensure_ok()
    }

    /// Reads one value; `None` if there is none.
    pub(crate) fn get_now(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get(name);
        self.send()?;
        let answer = self.answer()?;
        match answer.status {
            404 => Ok(None),
            _ => answer.ensure_ok().map(|()| Some(answer.body)),
        }
    }

    /// What the agent says of itself.
    pub(crate) fn status(&mut self) -> Result<serde_json::Value> {
        self.requests.extend_from_slice(b"GET /v1/status HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.send()?;
        let answer = self.answer()?;
        answer.ensure_ok()?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn line(&mut self, method: &str, name: &[u8], query: &str) {
        self.requests.extend_from_slice(method.as_bytes());
        self.requests.extend_from_slice(b" /v1/maps/bench/entries/");
        self.requests.extend_from_slice(name);
        self.requests.extend_from_slice(query.as_bytes());
        self.requests.extend_from_slice(b" HTTP/1.1\r\nhost: bench\r\n");
    }

    fn read(&mut self) -> Result<()> {
        if self.taken == self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..self.taken);
        }
        self.taken = 0;
        let end = self.input.len();
        self.input.resize(end + BUFFER, 0);
        let read = self.stream.read(&mut self.input[end..]);
        self.input.truncate(end + read.as_ref().map_or(0, |read| *read));
        match read.context("the API does not answer")? {
            0 => bail!("the API closed the connection"),
            _ => Ok(()),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// An error unless the request succeeded.
    pub(crate) fn ensure_ok(&self) -> Result<()> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(())
    }
}

fn length(head: &str) -> Result<usize> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    Ok(line.map(|value| value.trim().parse()).transpose()?.unwrap_or(0))
}
