//! The front over real connections, in the bytes of the protocol.

mod acknowledgement;
mod channel;
mod connection;
mod counter;
mod expiry;
mod hash;
mod key;
mod limit;
mod scan;
mod set;
mod sorted_set;
mod string;
mod transaction;
mod whole;

use std::sync::Arc;

use baton_replica::{Key, Operation, ReplicaId, Value};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::engine::{DefaultLimits, Engine, Identity, Owed};
use crate::metric::Metrics;
use crate::redis::{Front, notify, serve};

/// An agent's front on a port of its own.
struct Redis {
    address: std::net::SocketAddr,
    engine: Arc<Engine>,
}

/// A client of it.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

// === impl Redis ===

impl Redis {
    /// An agent that waits for the state.
    async fn joining() -> Self {
        let limits = DefaultLimits { max_value_bytes: 2 << 20, max_bytes: 64 << 20, max_entries: 5_000 };
        let identity = Identity { group: "default/test".into(), pod_name: "a".into(), pod_uid: String::new() };
        let engine = Engine::new(ReplicaId::new(7).expect("not zero"), identity, 4, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let metrics = Metrics::new(engine.clone(), &Default::default());
        let front = Front::new(engine.clone(), &metrics);
        tokio::spawn(notify(front.clone()));
        tokio::spawn(serve(front, listener));
        Self { address, engine }
    }

    /// An agent that serves.
    async fn active() -> Self {
        let redis = Self::joining().await;
        redis.engine.start_empty();
        redis
    }

    async fn client(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("connects"), received: Vec::new() }
    }

    /// Gives a key of map `redis` so many fields, as another front does.
    fn give_fields(&self, name: &str, count: usize) {
        let key = Key::of_parts(b"redis", name.as_bytes()).expect("a key");
        self.engine.turn(&mut Owed::default(), [&key], |turn| {
            for number in 0..count {
                let field = key.with_field(number.to_string().as_bytes()).expect("a field");
                let value = Value { content_type: Box::default(), body: Bytes::from_static(b"1") };
                turn.write(&field, Operation::Put { value, expires_at: None }).expect("written");
            }
        });
    }

    /// What another front sees under a key of a map.
    fn seen(&self, map: &str, name: &str) -> Option<String> {
        let key = Key::of_parts(map.as_bytes(), name.as_bytes()).expect("a key");
        let read = self.engine.get(&key).expect("it holds the state");
        read.map(|read| String::from_utf8_lossy(&read.value.body).into_owned())
    }
}

// === impl Client ===

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sends");
    }

    /// Sends a command of words without spaces, and returns its reply with `|` for each end of a line.
    async fn ask(&mut self, command: &str) -> String {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        self.ask_words(&words).await
    }

    async fn ask_words(&mut self, words: &[&[u8]]) -> String {
        self.send(&request(words)).await;
        self.reply().await
    }

    /// The next whole reply.
    async fn reply(&mut self) -> String {
        loop {
            if let Some(length) = reply_length(&self.received) {
                let reply: Vec<u8> = self.received.drain(..length).collect();
                return String::from_utf8_lossy(&reply).trim_end().replace("\r\n", "|");
            }
            let count = self.stream.read_buf(&mut self.received).await.expect("receives");
            assert!(count > 0, "the connection ended: {}", self.received.escape_ascii());
        }
    }

    /// All that comes until the connection ends.
    async fn rest(mut self) -> String {
        let _ = self.stream.read_to_end(&mut self.received).await;
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Asks, and compares what comes back: pairs of a command and its reply.
    async fn talk(&mut self, talk: &[(&str, &str)]) {
        for (command, reply) in talk {
            assert_eq!(self.ask(command).await, *reply, "{command}");
        }
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// How long the reply at the start of some bytes is, if all of it has come.
fn reply_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let count = || String::from_utf8_lossy(&bytes[1..line - 2]).parse::<i64>().expect("a length");
    let parts = match bytes[0] {
        b'$' | b'=' => {
            let length = count();
            let end = line + if length < 0 { 0 } else { length as usize + 2 };
            return (bytes.len() >= end).then_some(end);
        }
        b'*' | b'~' | b'>' => count().max(0),
        b'%' => 2 * count(),
        _ => 0,
    };
    (0..parts).try_fold(line, |end, _| Some(end + reply_length(bytes.get(end..)?)?))
}
