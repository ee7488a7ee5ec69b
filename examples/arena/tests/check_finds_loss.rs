//! A check of what was acknowledged is clean on a server that remembers, and is not on one that forgets.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const ARENA: &str = env!("CARGO_BIN_EXE_arena");

/// A server with players in memory.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(ARENA)
            .env_remove("BATON_URL")
            .env("ARENA_LOG", "info")
            .env("ARENA_LISTEN", "127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the arena starts");
        let log = BufReader::new(child.stderr.take().expect("it has a log"));
        let line = log.lines().map_while(Result::ok).find(|line| line.contains("listen=")).expect("it listens");
        let address = line.split("listen=").nth(1).and_then(|rest| rest.split(' ').next()).expect("it says where");
        Self { child, url: format!("http://{address}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays for two seconds. Some leave, which takes them a while; of fifty, many still play at the end.
fn load(server: &Server, record: &Path) {
    let done = Command::new(ARENA)
        .args(["load", "--url", &server.url, "--players=50", "--rate=500", "--leave=0.05", "--duration=2", "--report"])
        .arg(record)
        .output()
        .expect("the load runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Whether the check is content, and its verdict.
fn check(server: &Server, record: &Path) -> (bool, Value) {
    let done = Command::new(ARENA)
        .args(["check", "--settle=1", "--targets", &server.url, "--record"])
        .arg(record)
        .output()
        .expect("the check runs");
    let line: Value = serde_json::from_slice(&done.stdout).expect("it prints one line of JSON");
    (done.status.success(), line["verdict"].clone())
}

#[test]
fn what_a_server_acknowledged_is_found_on_it_and_not_on_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.json");
    let server = Server::start();
    load(&server, &record);

    let (content, verdict) = check(&server, &record);
    assert!(content, "{verdict}");
    assert!(verdict["acknowledged"].as_u64() > Some(50), "{verdict}");

    let (content, verdict) = check(&Server::start(), &record);
    assert!(!content);
    assert!(verdict["lost"].as_u64() > Some(0), "{verdict}");
}

#[test]
fn a_server_that_has_gone_back_in_time_is_found_stale_and_its_ghosts_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let server = Server::start();
    load(&server, &path);

    // To the check, a record of a later time and a server of an earlier one are the same.
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).expect("a record")).expect("JSON");
    let players = record["players"].as_array_mut().expect("it lists players");
    let mut playing = players.iter_mut().filter(|row| row["fate"] == "playing");
    let later = playing.next().expect("one plays");
    later["step"] = (later["step"].as_u64().expect("a number") + 1).into();
    let gone = playing.next().expect("two play");
    gone["fate"] = "left".into();
    std::fs::write(&path, record.to_string()).expect("it is written");

    let (content, verdict) = check(&server, &path);
    assert!(!content);
    assert_eq!((&verdict["lost"], &verdict["stale"], &verdict["resurrected"]), (&0.into(), &1.into(), &1.into()));
}
