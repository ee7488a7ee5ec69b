//! What Redis clients of several pods do at once is all there, and they hear of each other.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::group::Group;
use baton_tests::redis::{Redis, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::wait;

const SOON: Duration = Duration::from_secs(10);

/// What each pod adds.
const ROUNDS: i64 = 200;

/// A group, and the port of each pod's Redis front.
fn group(folder: &Path, pods: usize) -> Result<(Group, Vec<u16>)> {
    let group = Group::new(folder).with_pods(pods)?;
    let ports = group.pods.iter().map(|pod| pod.agent.ports().redis).collect();
    Ok((group, ports))
}

#[test]
fn what_pods_add_to_scores_hashes_and_sets_at_once_is_all_there() -> Result<(), Failure> {
    scene::run(|folder| {
        let (mut group, ports) = group(folder, 3)?;
        std::thread::scope(|scope| {
            let writers: Vec<_> = ports.iter().map(|port| scope.spawn(move || add(*port))).collect();
            writers.into_iter().try_for_each(|writer| match writer.join() {
                Ok(result) => result,
                Err(_) => Err(anyhow::anyhow!("a writer has panicked")),
            })
        })?;
        let sum = 3 * ROUNDS;
        let check = |port: u16| -> Result<()> {
            let mut redis = Redis::connect(port)?;
            let board = redis.ask("zrange board 0 -1 rev withscores")?;
            let (best, second) = ((2 * sum).to_string(), sum.to_string());
            ensure!(board == Reply::bulks(&["ann", &best, "bob", &second]), "{board:?}");
            ensure!(redis.ask("hget totals visits")? == Reply::bulk(&sum.to_string()));
            ensure!(redis.ask("scard visitors")? == Reply::Integer(sum));
            ensure!(redis.ask("type board")? == Reply::Simple("zset".to_owned()));
            Ok(())
        };
        for port in &ports {
            wait::until(SOON, "all that was added is there", || check(*port))?;
        }
        // What the first has added outlives it.
        let first = group.pods.remove(0);
        group.leave(first)?.ensure_acknowledged()?;
        ports[1..].iter().try_for_each(|port| check(*port))
    })
}

fn add(port: u16) -> Result<()> {
    let mut redis = Redis::connect(port)?;
    for round in 0..ROUNDS {
        redis.ask("zincrby board 2 ann")?;
        redis.ask("zincrby board 1 bob")?;
        redis.ask("hincrby totals visits 1")?;
        redis.ask(&format!("sadd visitors {port}-{round}"))?;
    }
    Ok(())
}

#[test]
fn subscribers_of_every_pod_hear_what_is_published_and_what_changes_on_another() -> Result<(), Failure> {
    scene::run(|folder| {
        let (_group, ports) = group(folder, 2)?;
        let (mut here, mut there) = (Redis::connect(ports[0])?, Redis::connect(ports[1])?);
        ensure!(there.ask("config set notify-keyspace-events KEA")? == Reply::Simple("OK".to_owned()));
        let (channel, pattern) = (there.ask("subscribe news")?, there.ask("psubscribe __key*__:*")?);
        ensure!(channel.items()[2] == Reply::Integer(1) && pattern.items()[2] == Reply::Integer(2));
        // Nobody listens on this pod.
        ensure!(here.ask("publish news hello")? == Reply::Integer(0));
        ensure!(there.reply()? == Reply::bulks(&["message", "news", "hello"]));

        here.ask("zadd board 5 ann")?;
        let event = |channel: &str, content: &str| Reply::bulks(&["pmessage", "__key*__:*", channel, content]);
        ensure!(there.reply()? == event("__keyspace@0__:board", "zadd"));
        ensure!(there.reply()? == event("__keyevent@0__:zadd", "board"));
        here.ask("del board")?;
        ensure!(there.reply()? == event("__keyspace@0__:board", "zrem"));
        ensure!(there.reply()? == event("__keyevent@0__:zrem", "board"));
        ensure!(there.reply()? == event("__keyspace@0__:board", "del"));
        ensure!(there.reply()? == event("__keyevent@0__:del", "board"));

        let refused = there.ask("get k")?;
        ensure!(matches!(&refused, Reply::Error(text) if text.starts_with("ERR Can't execute 'get'")), "{refused:?}");
        ensure!(there.ask("ping")? == Reply::bulks(&["pong", ""]));
        there.ask("unsubscribe")?;
        there.ask("punsubscribe")?;
        ensure!(there.ask("get k")? == Reply::Null);
        Ok(())
    })
}

#[test]
fn what_another_pod_writes_to_a_watched_key_ends_the_transaction() -> Result<(), Failure> {
    scene::run(|folder| {
        let (_group, ports) = group(folder, 2)?;
        let (mut here, mut there) = (Redis::connect(ports[0])?, Redis::connect(ports[1])?);
        here.ask("hset cart apples 1")?;
        here.ask("watch cart")?;
        there.ask("hset cart pears 2")?;
        wait::until(SOON, "the write is here", || {
            ensure!(Redis::connect(ports[0])?.ask("hlen cart")? == Reply::Integer(2));
            Ok(())
        })?;
        here.ask("multi")?;
        ensure!(here.ask("hset cart apples 5")? == Reply::Simple("QUEUED".to_owned()));
        ensure!(here.ask("exec")? == Reply::Null);
        ensure!(here.ask("hget cart apples")? == Reply::bulk("1"));

        here.ask("multi")?;
        // Keys of several shards, with what each sees of those before it.
        for word in ["hset cart apples 5", "hget cart apples", "set a 1", "set b 2", "incrby a 5", "lpush a 1"] {
            here.ask(word)?;
        }
        let aborted = here.ask("exec")?;
        ensure!(matches!(&aborted, Reply::Error(text) if text.starts_with("EXECABORT")), "{aborted:?}");
        here.ask("multi")?;
        for word in ["hset cart apples 5", "hget cart apples", "set a 1", "set b 2", "incrby a 5", "sadd a 1"] {
            here.ask(word)?;
        }
        let done = here.ask("exec")?;
        let [Reply::Integer(0), five, _, _, Reply::Integer(6), Reply::Error(wrong)] = done.items() else {
            return Err(anyhow::anyhow!("{done:?}"));
        };
        ensure!(*five == Reply::bulk("5") && wrong.starts_with("WRONGTYPE"), "{done:?}");
        wait::until(SOON, "all of it is there", || {
            let held = there.ask("mget a b")?;
            ensure!(held == Reply::bulks(&["6", "2"]), "{held:?}");
            Ok(())
        })
        .context("what was done")
    })
}
