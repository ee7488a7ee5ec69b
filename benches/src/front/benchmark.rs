//! `redis-benchmark`, unchanged: the same requests to both.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::front::contender::Contender;
use crate::front::{Comparison, KEYS, TURNS, VALUE_BYTES, median};
use crate::row::Stage;

const COMMANDS: [&str; 5] = ["SET", "GET", "INCR", "HSET", "SADD"];
const CONNECTIONS: usize = 50;
/// Some seconds of each.
const REQUESTS: u64 = 200_000;

/// What one turn of one side gave.
struct Turn {
    per_second: f64,
    cpu_us: f64,
}

pub(super) fn compare(stage: &Stage, pipeline: usize) -> Result<Vec<Comparison>> {
    // Redis answers before its replica has a write; so does Baton here.
    let mut baton = Contender::baton(&stage.folder(&format!("baton-{pipeline}"))?, 0)?;
    let mut redis = Contender::redis(&stage.folder(&format!("redis-{pipeline}"))?)?;
    let requests = stage.amount(REQUESTS) * if pipeline > 1 { 5 } else { 1 };
    COMMANDS
        .iter()
        .map(|command| {
            let turns: Vec<(Turn, Turn)> = (0..stage.rounds(TURNS))
                .map(|turn| {
                    let take = |side: &mut Contender| run(side, command, pipeline, requests);
                    Ok(if turn % 2 == 0 {
                        let first = take(&mut baton)?;
                        (first, take(&mut redis)?)
                    } else {
                        let first = take(&mut redis)?;
                        (take(&mut baton)?, first)
                    })
                })
                .collect::<Result<_>>()?;
            Ok(line(command, pipeline, &turns))
        })
        .collect()
}

fn run(side: &mut Contender, command: &str, pipeline: usize, requests: u64) -> Result<Turn> {
    let before = side.processor_seconds()?;
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args(["-h", "127.0.0.1", "-p", &side.port()?.to_string(), "--csv", "-t", &command.to_lowercase()]);
    benchmark.args(["-c", &CONNECTIONS.to_string(), "-P", &pipeline.to_string(), "-n", &requests.to_string()]);
    benchmark.args(["-d", &VALUE_BYTES.to_string(), "-r", &KEYS.to_string()]);
    let output = benchmark.output().context("is redis-tools installed?")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "redis-benchmark: {text} {}", String::from_utf8_lossy(&output.stderr));
    let spent = side.processor_seconds()? - before;
    let row = text.lines().find(|line| line.starts_with(&format!("\"{command}\""))).context("no such row")?;
    let per_second = row.split(',').nth(1).map(|text| text.trim_matches('"').parse()).context("no figure")??;
    Ok(Turn { per_second, cpu_us: spent * 1e6 / requests as f64 })
}

fn line(command: &str, pipeline: usize, turns: &[(Turn, Turn)]) -> Comparison {
    let of = |figure: &dyn Fn(&(Turn, Turn)) -> f64| median(turns.iter().map(figure).collect());
    let (throughput, spread) = of(&|(baton, redis)| baton.per_second / redis.per_second);
    let (processor, _) = of(&|(baton, redis)| baton.cpu_us / redis.cpu_us);
    let (target, met) = match pipeline {
        1 => (">= 1.0x, processor <= 1.0x", throughput >= 1.0 && processor <= 1.0),
        _ => (">= 1.0x", throughput >= 1.0),
    };
    Comparison {
        pipeline,
        redis: Some(of(&|(_, redis)| redis.per_second).0),
        throughput_ratio: Some(throughput),
        cpu_ratio: Some(processor),
        spread: Some(spread),
        baton_cpu_us: Some(of(&|(baton, _)| baton.cpu_us).0),
        redis_cpu_us: Some(of(&|(_, redis)| redis.cpu_us).0),
        ..Comparison::alone(command, CONNECTIONS, of(&|(baton, _)| baton.per_second).0, "1/s")
    }
    .must(target, met)
}
