//! The app's API is the same on a Unix socket, also after the agent has crashed and left its file behind.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

#[test]
fn the_api_is_served_on_a_unix_socket_too() -> Result<(), Failure> {
    scene::run(|folder| {
        let directory = tempfile::Builder::new().prefix("baton-").tempdir()?;
        let socket = directory.path().join("app/baton.sock");
        let path = socket.to_str().context("no text")?;
        let mut group = Group::new(folder).with_flags(&["--http-socket", path]).with_pods(1)?;
        let put = ask(
            &socket,
            "PUT /v1/maps/m/entries/k HTTP/1.1\r\nhost: b\r\nconnection: close\r\ncontent-length: 1\r\n\r\nv",
        )?;
        ensure!(put.starts_with("HTTP/1.1 201"), "{put}");
        let got = ask(&socket, "GET /v1/maps/m/entries/k HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n")?;
        ensure!(got.ends_with("\r\n\r\nv"), "{got}");

        let agent: &mut Agent = &mut group.pods[0].agent;
        agent.process().kill()?;
        ensure!(socket.exists(), "the socket is gone");
        let _next = Agent::spawn(&group.announce()?, folder)?;
        wait::until(PATIENCE, "the next agent answers there", || {
            let status = ask(&socket, "GET /v1/status HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n")?;
            ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
            Ok(())
        })
    })
}

fn ask(socket: &Path, request: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
