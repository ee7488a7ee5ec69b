//! Other programs: quiet when they succeed, clear when they do not.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a failed program's output an error shows.
pub(crate) const TAIL: usize = 20;

/// Folders that hold system programs even when PATH lacks them.
const SYSTEM_FOLDERS: [&str; 7] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/go/bin"];

/// A PATH on which system programs are found.
pub(crate) fn system_path() -> String {
    SYSTEM_FOLDERS.join(":")
}

/// Finds a program on PATH, or where the system keeps its own.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Finds a program where the system keeps its own, whatever PATH puts before it.
pub(crate) fn find_system(program: &str) -> Result<PathBuf> {
    let files = SYSTEM_FOLDERS.map(|folder| PathBuf::from(folder).join(program));
    let found = files.into_iter().find(|file| file.is_file());
    found.with_context(|| format!("this machine has no {program}"))
}

/// Runs a program to its end and returns what it printed.
///
/// An error holds the command line and the last [`TAIL`] lines of its output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = display(command);
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{line}`"))?;
    if !done.status.success() {
        let text = [done.stdout, done.stderr].concat();
        let text = tail(String::from_utf8_lossy(&text).lines());
        bail!("`{line}` failed ({}):\n{text}", done.status);
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a program from words, for those that need no more than that.
pub(crate) fn run(words: &[&str]) -> Result<String> {
    let [program, args @ ..] = words else {
        bail!("no command given");
    };
    let program = find(program).unwrap_or_else(|| PathBuf::from(program));
    output(Command::new(program).args(args))
}

/// Runs a program and hands every line of its standard error to `seen`.
pub(crate) fn follow(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<()> {
    let line = display(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{line}`"))?;
    let mut last = VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).lines() {
            let text = text.context("cannot read the output of a program")?;
            seen(&text);
            last.push_back(text);
            if last.len() > TAIL {
                last.pop_front();
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status}):\n{}", tail(last.iter().map(String::as_str)));
    }
    Ok(())
}

/// The last [`TAIL`] lines, indented.
pub(crate) fn tail<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut last = VecDeque::new();
    for line in lines {
        last.push_back(format!("    {line}"));
        if last.len() > TAIL {
            last.pop_front();
        }
    }
    Vec::from(last).join("\n")
}

fn display(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}
