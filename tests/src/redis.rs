//! A Redis client of a few lines, which shows replies as they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long a reply may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One connection.
pub struct Redis {
    stream: BufReader<TcpStream>,
}

/// What was answered. Bytes that are no text are escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    /// No value.
    Null,
    /// An integer.
    Integer(i64),
    /// A short text, such as `OK`.
    Simple(String),
    /// An error.
    Error(String),
    /// A byte string.
    Bulk(String),
    /// A floating-point number, as it was written.
    Double(String),
    /// Several in order.
    Array(Vec<Self>),
    /// Keys and values, one after the other.
    Map(Vec<Self>),
    /// Several in no order.
    Set(Vec<Self>),
    /// What was not asked for.
    Push(Vec<Self>),
}

// === impl Redis ===

impl Redis {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port}"))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends the words of a command, and returns the reply.
    pub fn ask(&mut self, command: &str) -> Result<Reply> {
        self.send(&command.split(' ').collect::<Vec<_>>())?;
        self.reply()
    }

    /// Sends a command.
    pub fn send(&mut self, words: &[&str]) -> Result<()> {
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        Ok(self.stream.get_mut().write_all(request.as_bytes())?)
    }

    /// The next reply, or what was not asked for.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").context("the connection has ended")?;
        let (kind, rest) = line.split_at_checked(1).context("an empty line")?;
        let rest = rest.to_owned();
        Ok(match kind {
            "+" => Reply::Simple(rest),
            "-" => Reply::Error(rest),
            ":" => Reply::Integer(rest.parse()?),
            "," => Reply::Double(rest),
            "_" => Reply::Null,
            "$" | "*" if rest == "-1" => Reply::Null,
            "$" => Reply::Bulk(self.bulk(rest.parse()?)?),
            "*" => Reply::Array(self.replies(rest.parse()?)?),
            "%" => Reply::Map(self.replies(2 * rest.parse::<usize>()?)?),
            "~" => Reply::Set(self.replies(rest.parse()?)?),
            ">" => Reply::Push(self.replies(rest.parse()?)?),
            other => bail!("a reply begins with {other}"),
        })
    }

    fn replies(&mut self, count: usize) -> Result<Vec<Reply>> {
        (0..count).map(|_| self.reply()).collect()
    }

    fn bulk(&mut self, length: usize) -> Result<String> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        ensure!(bytes.ends_with(b"\r\n"), "a byte string does not end where it should");
        Ok(bytes[..length].escape_ascii().to_string())
    }
}

// === impl Reply ===

impl Reply {
    /// A byte string.
    pub fn bulk(text: &str) -> Self {
        Self::Bulk(text.to_owned())
    }

    /// Byte strings in order.
    pub fn bulks(texts: &[&str]) -> Self {
        Self::Array(texts.iter().map(|text| Self::bulk(text)).collect())
    }

    /// What there is in a list of any kind; none if it is none.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) | Self::Map(items) | Self::Set(items) | Self::Push(items) => items,
            _ => &[],
        }
    }

    /// The same with its items in one order, so many of which belong together.
    pub fn sorted(self, together: usize) -> Self {
        let sort = |items: Vec<Self>| {
            let mut groups: Vec<Vec<Self>> = items.chunks(together).map(<[Self]>::to_vec).collect();
            groups.sort();
            groups.concat()
        };
        match self {
            Self::Array(items) => Self::Array(sort(items)),
            Self::Map(items) => Self::Map(sort(items)),
            Self::Set(items) => Self::Set(sort(items)),
            other => other,
        }
    }
}
