//! A client of the peer port that says nothing, or nonsense, costs its own connection and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;

/// More than an agent's pool of anything, one would hope.
const CLIENTS: usize = 200;
/// The start of every HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[test]
fn peers_that_connect_and_say_nothing_disturb_nobody() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        let peer = group.pods[0].agent.ports().peer;
        let mut silent = Vec::new();
        for number in 0..CLIENTS {
            let mut client = TcpStream::connect(("127.0.0.1", peer))?;
            match number % 4 {
                0 => {}
                1 => client.write_all(PREFACE)?,
                // A frame that announces more than will ever come.
                2 => client.write_all(&[PREFACE, &[0, 0x3f, 0xff, 0, 0, 0, 0, 0, 1]].concat())?,
                _ => client.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what is this")?,
            }
            silent.push(client);
        }
        group.play(Duration::from_secs(3));
        // While all of them hang there, a pod comes and a pod goes.
        group.replace_oldest("")?;
        group.check()?;
        drop(silent);
        Ok(())
    })
}

#[test]
fn a_call_of_another_service_on_the_peer_port_is_refused() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(1)?;
        let peer = group.pods[0].agent.ports().peer;
        let mut client = TcpStream::connect(("127.0.0.1", peer))?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        // Whether it answers or hangs up is its own affair.
        let _ = client.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        ensure!(!answer.contains("\"replica\""), "the peer port gives the app's API away: {answer}");
        group.start_apps("");
        group.play(Duration::from_millis(300));
        group.check()
    })
}
