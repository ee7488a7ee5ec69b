//! Ten thousand connections to one of the app's fronts cost bounded memory, and it answers again when they are gone.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Ports;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CONNECTIONS: u64 = 10_000;
/// What else this process and its children have open.
const OTHERS: u64 = 500;
/// At most so much for each connection that is held, on average.
const PER_CONNECTION: u64 = 16 * 1024;

#[test]
fn ten_thousand_connections_are_survived_in_bounded_memory() -> Result<(), Failure> {
    survive(|ports| ports.http)
}

#[test]
fn ten_thousand_connections_of_redis_are_survived_in_bounded_memory() -> Result<(), Failure> {
    survive(|ports| ports.redis)
}

fn survive(port: fn(Ports) -> u16) -> Result<(), Failure> {
    raise_the_limit_of_open_files()?;
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        group.play(Duration::from_millis(500));
        let port = port(group.pods[0].agent.ports());
        let before = group.pods[0].agent.process().resident()?;

        let mut crowd = Vec::new();
        for number in 0..CONNECTIONS {
            // One that is refused because there are too many is a clear answer too.
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                crowd.push(stream);
            } else {
                ensure!(number > 1_000, "the connection number {number} was refused");
            }
        }
        let growth = group.pods[0].agent.process().resident()?.saturating_sub(before);
        ensure!(growth < CONNECTIONS * PER_CONNECTION, "{} connections took {growth} bytes", crowd.len());
        group.pods[0].agent.process().ensure_running()?;
        drop(crowd);

        let url = format!("{}/v1/status", group.pods[0].agent.url());
        wait::until(PATIENCE, "the API answers again", || {
            let reply = Http::new(PATIENCE).get(&url)?;
            ensure!(reply.status == 200, "{reply}");
            Ok(())
        })?;
        group.play(Duration::from_millis(500));
        group.check()
    })
}

/// Children inherit it.
fn raise_the_limit_of_open_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let enough = maximum.is_none_or(|maximum| maximum >= CONNECTIONS + OTHERS);
    let maximum = if enough { maximum } else { Some(CONNECTIONS + OTHERS) };
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("10,000 connections need 10,500 open files: raise `ulimit -n`, or run as root")
}
