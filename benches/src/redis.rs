//! Redis, the peer of some rows: a process on loopback, and as much of a client as they need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use baton_tests::process::Process;
use baton_tests::{port, wait};

use crate::sample;

const READY: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(60);
/// Commands that are sent before their answers are read.
const WINDOW: usize = 256;
const LOOK: Duration = Duration::from_millis(2);

/// A server without files.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    List(Vec<Reply>),
}

// === impl Server ===

impl Server {
    /// Starts it and waits until it answers.
    pub(crate) fn start(name: &str, folder: &Path) -> Result<Self> {
        let port = port::free()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        command.args(["--repl-diskless-sync-delay", "0", "--dbfilename", &format!("{name}.rdb")]);
        command.arg("--dir").arg(folder);
        let mut process = Process::start(name, &mut command, folder).context("is redis-server installed?")?;
        wait::until_every(LOOK, READY, "Redis answers", || {
            process.ensure_running()?;
            Client::connect(port)?.command(&[b"PING"])
        })?;
        Ok(Self { process, port })
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.port)
    }

    /// Sets each key once.
    pub(crate) fn fill(&self, keys: u64, value_bytes: usize) -> Result<()> {
        let mut client = self.client()?;
        let numbers: Vec<u64> = (0..keys).collect();
        for batch in numbers.chunks(WINDOW) {
            for number in batch {
                let value = sample::value(*number, 0, value_bytes);
                client.send(&[&[b"SET", &sample::name(*number), &value]])?;
            }
            for _ in batch {
                client.reply()?;
            }
        }
        Ok(())
    }

    /// Makes it a replica of another, and returns when it has everything.
    pub(crate) fn follow(&self, primary: u16) -> Result<Duration> {
        let mut client = self.client()?;
        let begun = Instant::now();
        client.command(&[b"REPLICAOF", b"127.0.0.1", primary.to_string().as_bytes()])?;
        while !client.info("replication")?.contains("master_link_status:up") {
            ensure!(begun.elapsed() < TIMEOUT, "the replica does not get in sync");
            std::thread::sleep(LOOK);
        }
        Ok(begun.elapsed())
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { input: BufReader::new(stream.try_clone()?), stream })
    }

    /// Sends a command and waits for its answer; an error is an error.
    pub(crate) fn command(&mut self, words: &[&[u8]]) -> Result<Reply> {
        self.send(&[words])?;
        self.reply()
    }

    /// Sends commands, all at once.
    pub(crate) fn send(&mut self, commands: &[&[&[u8]]]) -> Result<()> {
        let mut text = Vec::new();
        for words in commands {
            text.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in *words {
                text.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                text.extend_from_slice(word);
                text.extend_from_slice(b"\r\n");
            }
        }
        Ok(self.stream.write_all(&text)?)
    }

    /// Waits for an answer.
    pub(crate) fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        ensure!(self.input.read_line(&mut line)? > 0, "Redis closed the connection");
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).context("an empty answer")?;
        Ok(match kind {
            "+" => Reply::Text(rest.to_owned()),
            ":" => Reply::Integer(rest.parse()?),
            "$" => Reply::Bulk(self.bulk(rest.parse()?)?),
            "*" => {
                let count: i64 = rest.parse()?;
                Reply::List((0..count).map(|_| self.reply()).collect::<Result<_>>()?)
            }
            _ => bail!("Redis: {rest}"),
        })
    }

    /// A section of `INFO`.
    pub(crate) fn info(&mut self, section: &str) -> Result<String> {
        match self.command(&[b"INFO", section.as_bytes()])? {
            Reply::Bulk(Some(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
            other => bail!("INFO answers {other:?}"),
        }
    }

    fn bulk(&mut self, length: i64) -> Result<Option<Vec<u8>>> {
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        let mut bytes = vec![0; length + 2];
        self.input.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }
}
