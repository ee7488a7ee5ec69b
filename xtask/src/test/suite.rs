//! Test programs: run one after the other, their lines read while they come.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::before::{self, Before};
use super::build::{Executable, Executables, cargo};
use super::failure;
use super::tally::Tally;
use crate::command;
use crate::step::{self, Step};

/// What one test program said.
#[derive(Debug, Default, PartialEq)]
struct Report {
    passed: Vec<String>,
    failed: Vec<String>,
    ignored: u64,
    /// What it printed about failures.
    details: String,
    /// The line `test result:` was there.
    complete: bool,
}

/// One line of a test program.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Passed(&'a str),
    Failed(&'a str),
    Ignored,
    Result,
    Other,
}

/// Unit and property tests, and those in the documentation.
pub(super) fn units(executables: &Executables, filter: Option<&str>, tally: &mut Tally) {
    for executable in executables.units() {
        let title = format!("Test {}", executable.name);
        run(&title, &mut command(executable, filter), tally, |_, _, _, _| {});
    }
    let mut doc = cargo();
    doc.args(["test", "--workspace", "--doc", "--"]).args(filter);
    doc.stderr(Stdio::null());
    run("Test the documentation", &mut doc, tally, |_, _, _, _| {});
    let mut wrong = cargo();
    wrong.args(["test", "-p", "baton-replica", "--features", "mutants", "--test", "protocol", "--test", "regression"]);
    wrong.args(["--", filter.unwrap_or("mutant::")]).stderr(Stdio::null());
    run("Test that wrong protocols are noticed", &mut wrong, tally, |_, _, _, _| {});
}

/// Agents as processes.
pub(super) fn processes(executables: &Executables, filter: Option<&str>, tally: &mut Tally) {
    let executable = match executables.suite("process") {
        Ok(executable) => executable,
        Err(error) => return tally.failed("Process-level suite", &format!("{error:#}")),
    };
    let mut suite = command(executable, filter);
    // Scenarios wait more than they work.
    suite.arg("--test-threads=4");
    match before(executable, filter) {
        Ok(Some(Before::Built(program))) => {
            suite.arg("--include-ignored").env("BATON_AGENT_BEFORE", program);
        }
        Ok(Some(Before::OutOfReach(why))) => eprintln!("left out, two releases in one group: {why}"),
        Ok(None) => {}
        Err(error) => tally.failed("The agent of the release before", &format!("{error:#}")),
    }
    run("Process-level suite", &mut suite, tally, tell);
}

/// The agent of the release before, if a test is wanted that needs it: such tests are ignored otherwise.
fn before(executable: &Executable, filter: Option<&str>) -> Result<Option<Before>> {
    let list = command::output(command(executable, filter).args(["--list", "--ignored", "--format=terse"]))?;
    if list.trim().is_empty() { Ok(None) } else { before::build().map(Some) }
}

/// A test program as cargo would run it.
pub(super) fn command(executable: &Executable, filter: Option<&str>) -> Command {
    let mut command = Command::new(&executable.program);
    command.current_dir(&executable.folder).env("CARGO_MANIFEST_DIR", &executable.folder).args(filter);
    // A failure's sentence says where to look; the stack of a test says nothing.
    command.env("RUST_BACKTRACE", "0");
    command
}

/// Says of each test how it went, and when: seconds since the start of its suite.
pub(super) fn tell(step: &Step, mark: &str, at: Duration, name: &str) {
    step.note(&format!("{mark:>6}  {:>6.1} s    {name}", at.as_secs_f64()));
}

/// Runs a test program and counts what it says.
pub(super) fn run(title: &str, command: &mut Command, tally: &mut Tally, told: impl Fn(&Step, &str, Duration, &str)) {
    let begun = Instant::now();
    let mut report = Report::default();
    let outcome = step::run(title, |step| {
        follow(command, step, &mut report, &told)?;
        if report.failed.is_empty() { Ok(()) } else { bail!("{} failed", report.failed.len()) }
    });
    let Report { passed, failed, ignored, details, .. } = report;
    passed.iter().for_each(|_| tally.passed());
    if !failed.is_empty() {
        eprintln!("{}", details.trim_end());
    }
    let said = failure::sections(&details);
    for name in &failed {
        let why = said.get(name.as_str()).map_or("it says nothing", String::as_str);
        tally.failed_as_shown(&format!("{title}: {name}"), why);
    }
    if ignored > 0 {
        eprintln!("{title}: {ignored} ignored");
    }
    if let (Err(error), true) = (outcome, failed.is_empty()) {
        let seconds = begun.elapsed().as_secs();
        tally.failed(title, &format!("ended after {seconds} s without a result: {error:#}\n{}", details.trim_end()));
    }
}

fn follow(
    command: &mut Command,
    step: &Step,
    report: &mut Report,
    told: impl Fn(&Step, &str, Duration, &str),
) -> Result<()> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let stdout = child.stdout.take().context("no output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read the output of a test")?;
        report.add(&line);
        match read(&line) {
            Line::Passed(name) => {
                step.advance(name);
                told(step, "ok", begun.elapsed(), name);
            }
            Line::Failed(name) => {
                step.advance(name);
                told(step, "FAILED", begun.elapsed(), name);
            }
            Line::Ignored | Line::Result | Line::Other => {}
        }
    }
    let status = child.wait()?;
    if !report.complete || (!status.success() && report.failed.is_empty()) {
        bail!("{status}");
    }
    Ok(())
}

// === impl Report ===

impl Report {
    fn add(&mut self, line: &str) {
        match read(line) {
            Line::Passed(name) => self.passed.push(name.to_owned()),
            Line::Failed(name) => self.failed.push(name.to_owned()),
            Line::Ignored => self.ignored += 1,
            Line::Result => self.complete = true,
            Line::Other => {
                self.details.push_str(line);
                self.details.push('\n');
            }
        }
    }
}

/// `test name ... ok`, as the standard harness and those like it write it.
fn read(line: &str) -> Line<'_> {
    if line.starts_with("test result: ") {
        return Line::Result;
    }
    let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
        return Line::Other;
    };
    let name = name.trim_end();
    match result.split([' ', ',']).next() {
        Some("ok") => Line::Passed(name),
        Some("FAILED") => Line::Failed(name),
        Some("ignored") => Line::Ignored,
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_harnesses_are_understood() {
        let text = "\nrunning 4 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest d        ... ok\n\
                    test e ... ignored, too slow\n\nfailures:\n\nit broke\n\n\
                    test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n";
        let mut report = Report::default();
        text.lines().for_each(|line| report.add(line));
        assert_eq!((report.passed.as_slice(), report.ignored), (&["a::b".to_owned(), "d".to_owned()][..], 1));
        assert_eq!(report.failed, ["a::c"]);
        assert!(report.complete && report.details.contains("it broke"));
    }

    #[test]
    fn a_program_that_dies_leaves_an_incomplete_report() {
        let mut report = Report::default();
        "running 2 tests\ntest a ... ok".lines().for_each(|line| report.add(line));
        assert!(!report.complete);
    }
}
