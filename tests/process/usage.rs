//! Wrong flags end the agent with code 2 and a sentence that says what to do.

use std::net::TcpListener;
use std::process::Command;

use anyhow::{Result, ensure};
use baton_tests::place;
use baton_tests::scene::{self, Failure};

#[test]
fn wrong_flags_are_refused_with_code_2() -> Result<(), Failure> {
    let file = ["--members", "/nowhere/members.json", "--group", "web", "--pod-name", "web-1"];
    refused(&[], "--members")?;
    refused(&[&file[..], &["--http", "0.0.0.0:7070"]].concat(), "loopback")?;
    refused(&[&file[..], &["--grace", "soon"]].concat(), "--grace")?;
    Ok(refused(&[&file[..], &["--shards", "0"]].concat(), "--shards")?)
}

#[test]
fn a_port_that_is_taken_is_said_to_be_taken() -> Result<(), Failure> {
    scene::run(|folder| {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let address = taken.local_addr()?.to_string();
        let run_dir = folder.display().to_string();
        let words = ["--members", "m.json", "--group", "web", "--pod-name", "web-1", "--run-dir", &run_dir];
        let ports = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--peer", &address];
        refused(&[&words[..], &ports].concat(), "is the port taken?")
    })
}

fn refused(flags: &[&str], says: &str) -> Result<()> {
    let done = Command::new(place::program("baton-agent")?).arg("run").args(flags).output()?;
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    ensure!(done.status.code() == Some(2) && text.contains(says), "{flags:?}: {} {text}", done.status);
    Ok(())
}
