//! Nothing that arrives on a port can crash an agent, grow its memory without bound, or lose an accepted write.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::{Group, Pod};
use baton_tests::port;
use baton_tests::redis::{Redis, Reply};
use baton_tests::scene::{self, Failure};

const ROUNDS: usize = 30;
/// What a round may leave in memory, all in all: pages that the allocator keeps.
const GROWTH: u64 = 64 * 1024 * 1024;
/// How much is written to a port that goes on reading.
const FLOOD: usize = 4 * 1024 * 1024;
/// How long this end waits for an agent that neither reads nor answers.
const WRITE: Duration = Duration::from_millis(300);
const READ: Duration = Duration::from_millis(100);

#[test]
fn garbage_on_every_port_leaves_a_working_agent() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(1)?;
        let (grpc, sockets) = (port::free()?, tempfile::Builder::new().prefix("baton-").tempdir()?);
        let [http_socket, redis_socket] = ["http.sock", "redis.sock"].map(|name| sockets.path().join(name));
        let mut options = group.announce()?;
        options.flags.extend(["--grpc".to_owned(), format!("127.0.0.1:{grpc}")]);
        for (flag, socket) in [("--http-socket", &http_socket), ("--redis-socket", &redis_socket)] {
            options.flags.extend([flag.to_owned(), socket.display().to_string()]);
        }
        let target = Pod { agent: Agent::start(&options, folder)?, app: None };
        group.pods.push(target);
        group.start_apps("");
        group.play(Duration::from_secs(1));
        let before = group.pods[1].agent.process().resident()?;
        for round in 0..ROUNDS {
            let agent = &mut group.pods[1].agent;
            let ports = agent.ports();
            for port in [ports.http, ports.redis, ports.peer, ports.admin, grpc] {
                throw(port, &junk(round))?;
            }
            for socket in [&http_socket, &redis_socket, &agent.run_dir().join("control.sock")] {
                throw_at_socket(socket, &junk(round))?;
            }
            agent.process().ensure_running()?;
            let answer = Redis::connect(ports.redis)?.ask("PING")?;
            ensure!(answer == Reply::Simple("PONG".into()), "after round {round}: {answer:?}");
        }
        let after = group.pods[1].agent.process().resident()?;
        let growth = after.saturating_sub(before);
        ensure!(growth < GROWTH, "resident memory grew by {growth} bytes");
        group.check()
    })
}

/// A different kind of nonsense for each round.
fn junk(round: usize) -> Vec<u8> {
    let mut state = (round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    match round % 10 {
        0 => noise.take(FLOOD).collect(),
        1 => [&b"GET / HTTP/1.1\r\nX: "[..], &vec![b'a'; FLOOD]].concat(),
        2 => b"PUT /v1/maps/m/entries/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nx".to_vec(),
        3 => [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &noise.take(64 * 1024).collect::<Vec<u8>>()].concat(),
        4 => b"PUT /v1/maps/m/entries/%zz%00%ff HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n"
            .to_vec(),
        5 => b"*1000000\r\n".iter().copied().chain(b"$0\r\n\r\n".repeat(FLOOD / 6)).collect(),
        6 => b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4194304\r\n".iter().copied().chain(noise.take(FLOOD / 2)).collect(),
        7 => b"*2\r\n$-7\r\n*99999999999999\r\n".to_vec(),
        8 => b"KEYS *\r\nCOMMAND\r\n".repeat(FLOOD / 32),
        _ => [&b"POST "[..], &vec![b'/'; 1024 * 1024], b" HTTP/1.1\r\n\r\n"].concat(),
    }
}

/// The agent may close, answer or ignore it: errors of this end mean nothing.
fn throw(port: u16, junk: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_write_timeout(Some(WRITE))?;
    stream.set_read_timeout(Some(READ))?;
    let _ = stream.write_all(junk);
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}

fn throw_at_socket(socket: &Path, junk: &[u8]) -> Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(WRITE))?;
    stream.set_read_timeout(Some(READ))?;
    let _ = stream.write_all(junk);
    let _ = stream.write_all(b"\n");
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}
