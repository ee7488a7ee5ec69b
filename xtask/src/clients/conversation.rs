//! A client's program, and what it asks for while it runs: another agent, and the end of the oldest.
//!
//! ```text
//! add     starts an agent; answered with where it is: BATON_URL=... BATON_REDIS=...
//! hold    tells the oldest to end, and lets its preStop hook run; answered when that lets go
//! end     ends the oldest, whose app has ended; answered when that is done
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::agents::Agents;

/// How long the checks of one client may take: seconds, half a minute of work for one, and more on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs a program to its end, and returns what it said; and why it broke off, if it did.
pub(super) fn run(program: &mut Command, agents: &mut Agents) -> Result<(String, Option<String>)> {
    program.envs(agents.environment()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.spawn().with_context(|| format!("cannot run {}", program.get_program().display()))?;
    let (mut text, lines) = (String::new(), lines_of(&mut child));
    let outcome = follow(&mut child, &lines, agents, &mut text);
    // It has ended, or has to.
    let _ = child.kill();
    let status = child.wait()?;
    let broken = match outcome {
        Err(error) => Some(format!("{error:#}")),
        Ok(()) if status.success() => None,
        Ok(()) => Some(status.to_string()),
    };
    Ok((text, broken))
}

fn follow(child: &mut Child, lines: &Receiver<String>, agents: &mut Agents, text: &mut String) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut input = child.stdin.take().context("it has no input")?;
    loop {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => {
                child.wait()?;
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => anyhow::bail!("it does not end"),
        };
        let answer = match line.as_str() {
            "add" => agents.add()?.iter().map(|(name, value)| format!("{name}={value} ")).collect(),
            "hold" => agents.hold_oldest().map(|()| String::new())?,
            "end" => agents.end_oldest().map(|()| String::new())?,
            said => {
                text.push_str(said);
                text.push('\n');
                continue;
            }
        };
        writeln!(input, "{}", answer.trim())?;
    }
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
        lines.map_while(|line| sender.send(line).ok()).for_each(drop);
    });
    receiver
}
