//! Clients of Redis work unchanged, on the data of the other fronts: a crate with its default settings, redis-cli and
//! redis-benchmark. What is answered is acknowledged, and additions of several pods all count.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait;
use redis::{Client, Commands, Connection, Pipeline};

const SOON: Duration = Duration::from_secs(10);
const ADDITIONS: usize = 2_000;

#[test]
fn a_redis_client_works_unchanged_on_the_data_of_all_fronts() -> Result<(), Failure> {
    scene::run(|folder| {
        let directory = tempfile::Builder::new().prefix("baton-").tempdir()?;
        let socket = directory.path().join("redis.sock");
        let mut group = Group::new(folder).with_pods(1)?;
        let mut options = group.announce()?;
        options.flags.extend(["--redis-socket".to_owned(), socket.display().to_string()]);
        let other = Agent::start(&options, folder)?;
        let agent = &group.pods[0].agent;
        let (mut here, mut there) = (connect(agent)?, connect(&other)?);

        let () = here.set("carts:ann", "apple")?;
        wait::until(SOON, "the other agent has it", || {
            let value: Option<String> = there.get("carts:ann")?;
            ensure!(value.as_deref() == Some("apple"), "{value:?}");
            Ok(())
        })?;
        let got = Http::new(SOON).get(&format!("{}/v1/maps/carts/entries/ann", other.url()))?;
        ensure!(got.body == b"apple", "{got}");

        let () = there.set_ex("session", "here", 100)?;
        let ttl: i64 = there.ttl("session")?;
        ensure!((99..=100).contains(&ttl), "{ttl}");
        let missing: Option<String> = there.get("nothing")?;
        ensure!(missing.is_none());
        let wrong = redis::cmd("LPUSH").arg("list").arg("a").query::<i64>(&mut here);
        ensure!(wrong.is_err_and(|error| error.to_string().contains("not supported")));

        let mut by_socket = Client::open(format!("redis+unix://{}", socket.display()))?.get_connection()?;
        let value: String = by_socket.get("carts:ann")?;
        ensure!(value == "apple");
        let keys: Vec<String> = by_socket.scan()?.collect::<Result<_, _>>()?;
        ensure!(keys.len() == 2 && keys.contains(&"session".to_owned()), "{keys:?}");
        Ok(())
    })
}

#[test]
fn additions_of_all_pods_count_and_a_wait_tells_who_has_them() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(3)?;
        let mut connections = group.pods.iter().map(|pod| connect(&pod.agent)).collect::<Result<Vec<_>>>()?;
        std::thread::scope(|scope| {
            let adders = connections.iter_mut().map(|connection| scope.spawn(|| add(connection)));
            let adders: Vec<_> = adders.collect();
            adders.into_iter().try_for_each(|adder| adder.join().map_err(|_| anyhow::anyhow!("an adder panicked"))?)
        })?;
        for connection in &mut connections {
            let members: i64 = redis::cmd("WAIT").arg(2).arg(5_000).query(connection)?;
            ensure!(members == 2, "{members} members have what was written");
        }
        for connection in &mut connections {
            let sum: usize = connection.get("visits")?;
            ensure!(sum == 3 * ADDITIONS, "{sum}");
        }
        Ok(())
    })
}

#[test]
fn a_wait_does_not_count_a_member_that_has_not_answered() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        let mut connection = connect(&group.pods[0].agent)?;
        let () = connection.set("a", 1)?;
        group.pods[1].agent.process().kill()?;
        let began = Instant::now();
        let written: redis::RedisResult<()> = connection.set("a", 2);
        // Either it is known already that nobody can acknowledge, or that is found out.
        ensure!(written.as_ref().is_err_and(|error| error.to_string().contains("UNACKED")), "{written:?}");
        let members: i64 = redis::cmd("WAIT").arg(1).arg(200).query(&mut connection)?;
        ensure!(members == 0 && began.elapsed() < SOON, "{members}");
        let value: i64 = connection.get("a")?;
        ensure!(value == 2, "it was written here: {value}");
        Ok(())
    })
}

#[test]
fn the_tools_of_redis_work_unchanged() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let port = group.pods[0].agent.ports().redis.to_string();
        let cli = |arguments: &[&str]| output("redis-cli", &[&["-p", &port], arguments].concat());
        ensure!(cli(&["SET", "a", "1"])? == "OK\n");
        ensure!(cli(&["-3", "GET", "a"])? == "\"1\"\n" || cli(&["-3", "GET", "a"])? == "1\n");
        ensure!(cli(&["--scan", "--pattern", "a*"])? == "a\n");
        ensure!(cli(&["INFO", "server"])?.contains("redis_version:7."));
        let tests = "ping_inline,ping_mbulk,set,get,incr,mset";
        for pipeline in ["1", "16"] {
            let run = ["-p", &port, "-q", "-n", "20000", "-r", "1000", "-d", "256", "-P", pipeline, "-t", tests];
            let said = output("redis-benchmark", &run)?;
            ensure!(!said.to_lowercase().contains("error") && said.contains("requests per second"), "{said}");
        }
        Ok(())
    })
}

fn connect(agent: &Agent) -> Result<Connection> {
    let url = format!("redis://127.0.0.1:{}", agent.ports().redis);
    Ok(Client::open(url)?.get_connection()?)
}

/// One half alone, the other in pipelines.
fn add(connection: &mut Connection) -> Result<()> {
    for _ in 0..ADDITIONS / 2 {
        let _: i64 = connection.incr("visits", 1)?;
    }
    for _ in 0..ADDITIONS / 2 / 100 {
        let mut pipeline = Pipeline::new();
        for _ in 0..100 {
            pipeline.incr("visits", 1);
        }
        let sums: Vec<i64> = pipeline.query(connection)?;
        ensure!(sums.is_sorted(), "{sums:?}");
    }
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("cannot run {program}: install redis-tools"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{program} {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
