//! Many puts: some connections to each agent, each with a window of requests on their way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::pipe::Pipe;
use crate::sample;

/// Connections to each agent: with two, one is served while the other is read.
const CONNECTIONS: usize = 2;
/// How soon all agents must have what was accepted.
const SPREAD: Duration = Duration::from_secs(60);
/// The last writes of each connection, which are looked for everywhere: enough to be in every shard.
const LAST: usize = 256;

/// What is put, and how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The number of the first key.
    pub(crate) first: u64,
    /// So many keys from there; each belongs to one connection, which puts them in no order.
    pub(crate) keys: u64,
    pub(crate) value_bytes: usize,
    /// Puts of all connections together.
    pub(crate) puts: u64,
    /// Requests that a connection has on their way.
    pub(crate) window: usize,
    /// Puts per second, of all together; as fast as they are accepted if there is none.
    pub(crate) rate: Option<f64>,
    /// Each key once, in order.
    pub(crate) fill: bool,
    /// Tells the values of one load from those of another.
    pub(crate) round: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) puts: u64,
    /// Until the last answer.
    pub(crate) accepted: Duration,
    /// Until every agent had all of it.
    pub(crate) everywhere: Duration,
    /// The longest that a connection waited for answers to a window.
    pub(crate) longest: Duration,
}

/// What one connection does.
struct Lane {
    load: Load,
    number: u64,
    of: u64,
    port: u16,
}

/// What one connection has done.
struct Laid {
    puts: u64,
    longest: Duration,
    last: Vec<(u64, Vec<u8>)>,
}

// === impl Load ===

impl Load {
    /// Fills agents with keys: each once.
    pub(crate) fn fill(keys: u64, value_bytes: usize) -> Self {
        Self { first: 0, keys, value_bytes, puts: keys, window: 64, rate: None, fill: true, round: 0 }
    }

    /// Spreads the load over these ports of the API, and waits until all `ports` have it.
    pub(crate) fn run(self, ports: &[u16]) -> Result<Outcome> {
        self.run_until(ports, &AtomicBool::new(false))
    }

    /// The same, and puts nothing more when it is told to end.
    pub(crate) fn run_until(self, ports: &[u16], ended: &AtomicBool) -> Result<Outcome> {
        let of = (ports.len() * CONNECTIONS) as u64;
        let begun = Instant::now();
        let laid =
            lanes(of, |number| Lane { load: self, number, of, port: ports[number as usize % ports.len()] }.run(ended))?;
        let accepted = begun.elapsed();
        for port in ports {
            let mut pipe = Pipe::connect(*port)?;
            for (number, value) in laid.iter().flat_map(Laid::last) {
                wait_for(&mut pipe, number, value, begun + accepted + SPREAD)?;
            }
        }
        Ok(Outcome {
            puts: laid.iter().map(|lane| lane.puts).sum(),
            accepted,
            everywhere: begun.elapsed(),
            longest: laid.iter().map(|lane| lane.longest).max().unwrap_or_default(),
        })
    }
}

// === impl Lane ===

impl Lane {
    fn run(self, ended: &AtomicBool) -> Result<Laid> {
        let Load { value_bytes, window, round, .. } = self.load;
        let mut pipe = Pipe::connect(self.port)?;
        let mut laid = Laid { puts: 0, longest: Duration::ZERO, last: Vec::new() };
        let mut numbers = self.numbers();
        let begun = Instant::now() + self.offset();
        std::thread::sleep(begun.saturating_duration_since(Instant::now()));
        loop {
            let batch: Vec<u64> = numbers.by_ref().take(window).collect();
            if batch.is_empty() || ended.load(Ordering::Relaxed) {
                return Ok(laid);
            }
            let values = batch.iter().map(|number| sample::value(*number, round + laid.puts, value_bytes));
            let batch: Vec<(u64, Vec<u8>)> = batch.iter().copied().zip(values).collect();
            let sent = Instant::now();
            for (number, value) in &batch {
                pipe.put(&sample::name(*number), "?acks=0", value);
            }
            pipe.send()?;
            for _ in &batch {
                pipe.answer()?.ensure_ok()?;
            }
            laid.longest = laid.longest.max(sent.elapsed());
            laid.puts += batch.len() as u64;
            laid.remember(batch);
            if let Some(rate) = self.load.rate {
                let due = Duration::from_secs_f64(laid.puts as f64 * self.of as f64 / rate);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
        }
    }

    /// When it begins: at a rate, connections take turns, as independent clients do, instead of sending all at once.
    fn offset(&self) -> Duration {
        let turn = |rate| Duration::from_secs_f64(self.load.window as f64 * self.number as f64 / rate);
        self.load.rate.map_or(Duration::ZERO, turn)
    }

    /// The keys of this connection: those that leave its number when divided by how many connections there are.
    fn numbers(&self) -> Box<dyn Iterator<Item = u64>> {
        let (of, number, first) = (self.of, self.number, self.load.first);
        let own = self.load.keys / of + u64::from(self.load.keys % of > number);
        if self.load.fill {
            return Box::new((0..own).map(move |step| first + step * of + number));
        }
        let puts = (self.load.puts / of) as usize;
        Box::new(sample::numbers(own).take(puts).map(move |step| first + step * of + number))
    }
}

// === impl Laid ===

impl Laid {
    fn remember(&mut self, batch: Vec<(u64, Vec<u8>)>) {
        self.last.extend(batch);
        let surplus = self.last.len().saturating_sub(LAST);
        self.last.drain(..surplus);
    }

    /// The last value of each key that was put lately.
    fn last(&self) -> BTreeMap<u64, &[u8]> {
        self.last.iter().map(|(number, value)| (*number, value.as_slice())).collect()
    }
}

fn wait_for(pipe: &mut Pipe, number: u64, value: &[u8], deadline: Instant) -> Result<()> {
    loop {
        if pipe.get_now(&sample::name(number))?.as_deref() == Some(value) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "a put that was accepted has not come to an agent");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs so many lanes at once, each on a thread of its own, and gives what each has done.
pub(crate) fn lanes<T: Send>(count: u64, lane: impl Fn(u64) -> Result<T> + Sync) -> Result<Vec<T>> {
    let lane = &lane;
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..count).map(|number| scope.spawn(move || lane(number))).collect();
        lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane panicked"))?).collect()
    })
}

/// Puts a second, of an outcome that took so long.
pub(crate) fn rate(puts: u64, time: Duration) -> f64 {
    puts as f64 / time.as_secs_f64()
}

/// Fills the agents and returns when all of them have everything.
pub(crate) fn fill(ports: &[u16], keys: u64, value_bytes: usize) -> Result<()> {
    Load::fill(keys, value_bytes).run(ports).context("filling the agents").map(drop)
}
