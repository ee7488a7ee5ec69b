//! Waiting for what becomes true in its own time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long whatever is waited for may take: longer than it ever takes, on a machine that does much else. A wait that comes
/// to a good end costs nothing.
pub const PATIENCE: Duration = Duration::from_secs(120);

const PERIOD: Duration = Duration::from_millis(50);

/// Asks until the answer is `Ok`. The last error is the reason that is given when the time is over.
pub fn until<T>(limit: Duration, what: &str, ask: impl FnMut() -> Result<T>) -> Result<T> {
    until_every(PERIOD, limit, what, ask)
}

/// The same, for questions that cost more.
pub fn until_every<T>(period: Duration, limit: Duration, what: &str, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if begun.elapsed() >= limit => {
                return Err(error).with_context(|| format!("after {limit:?} it is still not so that {what}"));
            }
            Err(_) => std::thread::sleep(period),
        }
    }
}

/// Fails as soon as `ask` does, for as long as `limit`.
pub fn holds(limit: Duration, what: &str, mut ask: impl FnMut() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Err(error) = ask() {
            bail!("it stopped to be so that {what}: {error:#}");
        }
        std::thread::sleep(PERIOD);
    }
    Ok(())
}
