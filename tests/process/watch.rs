//! A watcher gets every change once, however often its connection breaks; one that reads too slowly is told, or cut off,
//! and costs the agent nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use baton_tests::watch::Watch;

/// Writes of each of two pods.
const WRITES: usize = 400;

/// What watchers that do not read may make an agent larger by: what is kept for all of them, and a little for each.
const GROWTH: u64 = 64 << 20;

#[test]
fn a_watch_that_breaks_again_and_again_misses_and_repeats_nothing() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let port = group.pods[0].agent.ports().http;
        let first = Watch::open(port, "?map=log", None, PATIENCE)?;
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                group.pods.iter().enumerate().map(|(at, pod)| scope.spawn(move || write(&pod.agent, at))).collect();
            let seen = follow(first, port);
            for writer in writers {
                writer.join().map_err(|_| anyhow::anyhow!("a writer has panicked"))??;
            }
            let seen = seen?;
            let once: BTreeSet<&String> = seen.iter().collect();
            ensure!(seen.len() == 2 * WRITES && once.len() == seen.len(), "{} of {}", once.len(), seen.len());
            Ok(())
        })
    })
}

fn write(agent: &Agent, at: usize) -> Result<()> {
    let http = Http::new(PATIENCE);
    for number in 0..WRITES {
        let url = format!("{}/v1/maps/log/entries/{at}-{number}?acks=0", agent.url());
        let reply = http.send("PUT", &url, &[], b"v")?;
        ensure!(reply.status == 201, "{reply}");
    }
    Ok(())
}

/// The keys of all changes. After every fifty the connection is given up, and another one goes on.
fn follow(mut watch: Watch, port: u16) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    while seen.len() < 2 * WRITES {
        let event = watch.event()?;
        ensure!(event.kind != "resync", "it was asked to look anew after {} changes", seen.len());
        if event.kind == "change" {
            seen.push(event.data["key"].as_str().context("no key")?.to_owned());
            if seen.len() % 50 == 0 {
                watch = Watch::open(port, "?map=log", Some(&event.id), PATIENCE)?;
            }
        }
    }
    Ok(seen)
}

#[test]
fn watchers_that_do_not_read_cost_bounded_memory_and_others_are_served() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(1)?;
        let agent = &mut group.pods[0].agent;
        let port = agent.ports().http;
        let before = agent.process().resident()?;
        let mut stuck = Vec::new();
        for _ in 0..200 {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.write_all(b"GET /v1/watch HTTP/1.1\r\nhost: agent\r\n\r\n")?;
            stuck.push(stream);
        }
        let mut slow = Watch::open(port, "", None, PATIENCE)?;
        slow.next_of("start")?;
        let http = Http::new(PATIENCE);
        let value = vec![b'x'; 64 * 1024];
        wait::until(PATIENCE, "all watches are open", || {
            let metrics = agent.metrics()?;
            ensure!(metrics.contains("baton_agent_watchers 201\n"), "{metrics}");
            Ok(())
        })?;
        let mut told = false;
        for number in 0..1_000 {
            let reply = http.send("PUT", &format!("{}/v1/maps/m/entries/{}", agent.url(), number % 4), &[], &value)?;
            ensure!(reply.ok(), "{reply}");
            // Who takes nothing for half a minute is cut off.
            if number % 50 == 0 {
                told |= slow.event()?.kind == "resync";
            }
        }
        let growth = agent.process().resident()?.saturating_sub(before);
        ensure!(growth < GROWTH, "it has grown by {growth} bytes");
        // What it has missed it is told of no more, so it may have to be put again.
        let put_last = || http.send("PUT", &format!("{}/v1/maps/m/entries/last", agent.url()), &[], b"v");
        let mut last = put_last()?;
        loop {
            let event = slow.event()?;
            match event.kind.as_str() {
                "resync" => (told, last) = (true, put_last()?),
                "change" if event.data["new"]["etag"].as_str() == last.header("etag") => break,
                _ => {}
            }
        }
        ensure!(told, "it was never told that it had missed anything");
        drop(stuck);
        Ok(())
    })
}
