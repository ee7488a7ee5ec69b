//! One pod answers as a Redis does: both get the same commands, and what is honoured has the same replies and errors.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::group::Group;
use baton_tests::process::Process;
use baton_tests::redis::{Redis, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::{port, wait};

/// How many commands are made up.
const ROUNDS: usize = 8_000;

/// What commands are made of: K a key, F a field or member, V a value, N an integer, Q quarters, B a bound of scores, L one
/// of names, I a place. Names are a range only where all scores are equal, as those of `lex` are.
const FORMS: &[&str] = &[
    "set K V",
    "get K",
    "del K",
    "del K K",
    "exists K K",
    "type K",
    "incrby K N",
    "expire K 1000",
    "persist K",
    "hset K F V",
    "hset K F V F V",
    "hset K F",
    "hset K F V F",
    "hsetnx K F V",
    "hmset K F V F V",
    "hget K F",
    "hmget K F F F",
    "hgetall K",
    "hdel K F",
    "hdel K F F F",
    "hexists K F",
    "hkeys K",
    "hvals K",
    "hlen K",
    "hstrlen K F",
    "hincrby K F N",
    "hincrby K F x",
    "hincrbyfloat K F Q",
    "hincrbyfloat K F x",
    "hscan K 0 count 1000",
    "hscan K 0 match f[12] count 1000",
    "hrandfield K 100",
    "hrandfield K 100 withvalues",
    "hrandfield K x",
    "sadd K F",
    "sadd K F F F",
    "srem K F F",
    "smembers K",
    "sismember K F",
    "smismember K F F",
    "scard K",
    "smove K K F",
    "spop K 100",
    "spop K -1",
    "srandmember K 100",
    "srandmember K 0",
    "sscan K 0 count 1000",
    "sunion K K K",
    "sinter K K",
    "sdiff K K",
    "sinter K",
    "zadd K N F",
    "zadd K N F N F",
    "zadd K nx N F",
    "zadd K xx N F",
    "zadd K gt ch N F N F",
    "zadd K lt N F",
    "zadd K ch N F N F",
    "zadd K incr N F",
    "zadd K xx incr N F",
    "zadd K nx xx N F",
    "zadd K gt lt N F",
    "zadd K x F",
    "zadd K N F N",
    "zadd K incr N F N F",
    "zincrby K N F",
    "zincrby K x F",
    "zrem K F F",
    "zscore K F",
    "zmscore K F F",
    "zcard K",
    "zcount K B B",
    "zcount K x B",
    "zlexcount lex L L",
    "zrank K F",
    "zrevrank K F",
    "zrange K I I",
    "zrange K I I withscores",
    "zrange K I I rev withscores",
    "zrange K B B byscore",
    "zrange K B B byscore rev limit 1 2",
    "zrange K B B byscore withscores limit 0 -1",
    "zrange lex L L bylex",
    "zrange K I I limit 0 1",
    "zrange lex L L bylex withscores",
    "zrange K x I",
    "zrevrange K I I withscores",
    "zrangebyscore K B B",
    "zrangebyscore K B B withscores limit 1 2",
    "zrevrangebyscore K B B",
    "zrangebylex lex L L limit 0 2",
    "zrevrangebylex lex L L",
    "zrangebylex lex x L",
    "zremrangebyrank K I I",
    "zremrangebyscore K B B",
    "zremrangebylex lex L L",
    "zpopmin K",
    "zpopmax K 2",
    "zpopmin K -1",
    "zscan K 0 count 1000",
    "multi",
    "exec",
    "discard",
    "watch K",
    "unwatch",
    "zadd lex 0 F 0 F",
    "zrem lex F",
];

/// Replies to these are in no order, or in one of which nothing is said; so many items belong together.
const UNORDERED: &[(&str, usize)] = &[
    ("hgetall", 2),
    ("hkeys", 1),
    ("hvals", 1),
    ("hrandfield", 1),
    ("smembers", 1),
    ("spop", 1),
    ("srandmember", 1),
    ("sunion", 1),
    ("sinter", 1),
    ("sdiff", 1),
    ("hscan", 2),
    ("sscan", 1),
    ("zscan", 2),
];

#[test]
fn one_pod_answers_as_redis_does() -> Result<(), Failure> {
    scene::run(|folder| {
        let redis = port::free()?;
        let _server = serve(folder, redis)?;
        let group = Group::new(folder).with_pods(1)?;
        let baton = group.pods[0].agent.ports().redis;
        for (version, seed) in [("2", 1), ("3", 2)] {
            let mut both = Both { redis: Redis::connect(redis)?, baton: Redis::connect(baton)?, queued: None };
            both.redis.ask("flushdb")?;
            both.baton.ask("flushdb")?;
            both.redis.ask(&format!("hello {version}"))?;
            both.baton.ask(&format!("hello {version}"))?;
            both.compare_made_up(seed)?;
        }
        Ok(())
    })
}

/// A Redis that keeps nothing.
fn serve(folder: &Path, port: u16) -> Result<Process> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
    let server = Process::start("redis", &mut command, folder)?;
    wait::until(Duration::from_secs(10), "Redis answers", || Redis::connect(port)?.ask("ping").map(drop))?;
    Ok(server)
}

/// A Redis and a pod.
struct Both {
    redis: Redis,
    baton: Redis,
    /// Since MULTI, how the replies of EXEC are to be sorted.
    queued: Option<Vec<Option<usize>>>,
}

// === impl Both ===

impl Both {
    fn compare_made_up(&mut self, seed: u64) -> Result<()> {
        let mut chance = Chance(seed);
        let mut last = Vec::new();
        for _ in 0..ROUNDS {
            let form = chance.one(FORMS);
            let command = form.split(' ').map(|word| chance.word(word)).collect::<Vec<_>>().join(" ");
            last.push(command.clone());
            let done = self.compare(&command);
            done.with_context(|| format!("the last commands were {:#?}", &last[last.len().saturating_sub(12)..]))?;
        }
        Ok(())
    }

    fn compare(&mut self, command: &str) -> Result<()> {
        let (redis, baton) = (self.redis.ask(command)?, self.baton.ask(command)?);
        let name = command.split(' ').next().unwrap_or_default();
        let sort = self.sort_of(name, &redis);
        let (redis, baton) = (sort(redis), sort(baton));
        ensure!(redis == baton, "{command}\nRedis: {redis:?}\nBaton: {baton:?}");
        Ok(())
    }

    /// What makes two replies to a command comparable.
    fn sort_of(&mut self, name: &str, reply: &Reply) -> impl Fn(Reply) -> Reply + use<> {
        let together = UNORDERED.iter().find(|(unordered, _)| *unordered == name).map(|(_, together)| *together);
        let mut each = None;
        match (name, &mut self.queued) {
            ("multi", queued @ None) => *queued = Some(Vec::new()),
            ("exec" | "discard", queued) => each = queued.take(),
            (_, Some(queued)) if *reply == Reply::Simple("QUEUED".to_owned()) => queued.push(together),
            _ => {}
        }
        move |reply| match (&each, reply) {
            (Some(each), Reply::Array(replies)) if replies.len() == each.len() => {
                let sorted = replies.into_iter().zip(each).map(|(reply, together)| sorted(reply, *together));
                Reply::Array(sorted.collect())
            }
            (_, reply) => sorted(reply, together),
        }
    }
}

fn sorted(reply: Reply, together: Option<usize>) -> Reply {
    let Some(together) = together else { return reply };
    match reply {
        // A page of a scan.
        Reply::Array(items) if matches!(items.as_slice(), [Reply::Bulk(_), Reply::Array(_)]) => {
            Reply::Array(items.into_iter().map(|item| item.sorted(together)).collect())
        }
        // Pairs, one after the other, where values are asked for too.
        reply => reply.sorted(together),
    }
}

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

// === impl Chance ===

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next() as usize % all.len()]
    }

    fn word(&mut self, form: &str) -> String {
        let text = match form {
            "K" => self.one(&["k1", "k2", "k3"]),
            "F" => self.one(&["f1", "f2", "f3", "f4", "f5"]),
            "V" => self.one(&["a", "bc", "7", "-3", "2.5", "x-y"]),
            "B" => self.one(&["-inf", "+inf", "0", "(0", "2", "(-1", "3"]),
            "L" => self.one(&["-", "+", "[f2", "(f2", "[f4", "(f9"]),
            "N" => return (self.next() as i64 % 9 - 4).to_string(),
            "I" => return (self.next() as i64 % 11 - 5).to_string(),
            "Q" => return format!("{}", (self.next() as i64 % 17 - 8) as f64 / 4.0),
            word => word,
        };
        text.to_owned()
    }
}
