//! One change, told to many watchers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fleet::Fleet;
use crate::front::{Comparison, VALUE_BYTES};
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::sample;

const WATCHERS: u64 = 1_000;
const CHANGES: u64 = 2_000;
/// Changes that are on their way at once.
const WINDOW: u64 = 16;
const TARGET: f64 = 200_000.0;
const PATIENCE: Duration = Duration::from_secs(120);
/// Every event of a change has this line, and no value of the bench does.
const MARK: &[u8] = b"event: change\n";

pub(super) fn measure(stage: &Stage) -> Result<Vec<Comparison>> {
    let fleet = Fleet::with_acks(&stage.folder("watchers")?, 1, 0)?;
    let port = fleet.ports()[0];
    let (watchers, changes) = (stage.amount(WATCHERS), stage.amount(CHANGES));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut watches = JoinSet::new();
    for _ in 0..watchers {
        let stream = runtime.block_on(open(port))?;
        watches.spawn_on(count(stream, changes), runtime.handle());
    }
    let begun = Instant::now();
    put(port, changes)?;
    let read = runtime.block_on(async {
        while let Some(watch) = watches.join_next().await {
            watch??;
        }
        Ok::<_, anyhow::Error>(())
    });
    read.context("a watcher")?;
    let rate = (watchers * changes) as f64 / begun.elapsed().as_secs_f64();
    let line = Comparison::alone("events to watchers", watchers as usize, rate, "1/s");
    Ok(vec![line.must(">= 200,000 /s", rate >= TARGET)])
}

fn put(port: u16, changes: u64) -> Result<()> {
    let mut pipe = Pipe::connect(port)?;
    let numbers: Vec<u64> = (0..changes).collect();
    for batch in numbers.chunks(WINDOW as usize) {
        for number in batch {
            pipe.put(&sample::name(*number), "", &sample::value(*number, 0, VALUE_BYTES));
        }
        pipe.send()?;
        for _ in batch {
            pipe.answer()?.ensure_ok()?;
        }
    }
    Ok(())
}

/// A watch whose answer has begun, so that it sees every change from now on.
async fn open(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /v1/watch HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < 4096, "no end of the answer's head");
        head.push(stream.read_u8().await?);
    }
    ensure!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}

/// Reads until so many changes have come.
async fn count(mut stream: TcpStream, changes: u64) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut kept, mut seen) = (0, 0);
    while seen < changes {
        let read = timeout(PATIENCE, stream.read(&mut buffer[kept..])).await.context("too few events")??;
        ensure!(read > 0, "the agent ended the watch after {seen} of {changes} events");
        let text = &buffer[..kept + read];
        let last = memchr::memmem::find_iter(text, MARK).inspect(|_| seen += 1).last();
        // What may be the beginning of a mark is looked at again with what follows.
        let from = text.len().saturating_sub(MARK.len() - 1).max(last.map_or(0, |at| at + MARK.len()));
        let length = text.len() - from;
        buffer.copy_within(from..from + length, 0);
        kept = length;
    }
    Ok(())
}
