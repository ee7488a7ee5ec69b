//! The agent of the release before, built once from an earlier commit: the process-level suite lets it work beside today's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::build::cargo;
use crate::{cache, command, step, workspace};

/// Names the commit.
const FILE: &str = "tests/process/two_releases.commit";

/// What is built.
const PACKAGE: &str = "baton-agent";

/// What became of it.
pub(super) enum Before {
    /// The program.
    Built(PathBuf),
    /// This copy of the repository does not reach back so far. The sentence says what to do.
    OutOfReach(String),
}

/// Builds it, unless that was done before.
pub(super) fn build() -> Result<Before> {
    let file = workspace::root().join(FILE);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let commit = named(&text).with_context(|| format!("{FILE} names no commit"))?;
    let inputs = [commit, std::env::consts::ARCH, std::env::consts::OS];
    let program = cache::path(PACKAGE, &inputs.map(str::as_bytes))?;
    if program.is_file() {
        return Ok(Before::Built(program));
    }
    if let Some(why) = out_of_reach(commit) {
        return Ok(Before::OutOfReach(why));
    }
    cache::file(PACKAGE, &inputs.map(str::as_bytes), |out| {
        let title = format!("Build the agent of commit {}", &commit[..commit.len().min(8)]);
        step::run(&title, |step| {
            let folder = out.parent().context("the cache has no folder")?;
            let (source, target) = (folder.join("source"), folder.join("target"));
            unpack(commit, &source)?;
            let mut build = cargo();
            build.current_dir(&source).args(["build", "--locked", "--package", PACKAGE, "--target-dir"]).arg(&target);
            // The program is all that is kept: nobody looks into it with a debugger.
            build.env("CARGO_PROFILE_DEV_DEBUG", "false");
            command::follow(&mut build, |line| step.advance(line.trim()))?;
            std::fs::rename(target.join("debug").join(PACKAGE), out).context("the build left no agent")
        })
    })
    .map(Before::Built)
}

/// The commit in the file, between comments.
fn named(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Why the commit cannot be had from here, if that is so: a shallow clone, or a copy without a history. That it is missing
/// in a whole clone is a mistake, which the build tells of.
fn out_of_reach(commit: &str) -> Option<String> {
    let says = |words: &[&str]| command::output(&mut git(words)).ok().map(|text| text.trim().to_owned());
    if says(&["cat-file", "-t", &format!("{commit}^{{commit}}")]).is_some() {
        return None;
    }
    match says(&["rev-parse", "--is-shallow-repository"]).as_deref() {
        Some("false") => None,
        Some(_) => Some(format!("this clone is shallow and lacks commit {commit}: `git fetch --unshallow` brings it")),
        None => Some(format!("this is no clone, so commit {commit} cannot be had")),
    }
}

/// Writes the files of a commit to a folder.
fn unpack(commit: &str, folder: &Path) -> Result<()> {
    let archive = folder.with_extension("tar");
    command::output(git(&["archive", "--format=tar", "--output"]).arg(&archive).arg(commit))?;
    tar::Archive::new(std::fs::File::open(&archive)?).unpack(folder)?;
    ensure!(folder.join("Cargo.toml").is_file(), "commit {commit} has no workspace");
    Ok(())
}

fn git(words: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.current_dir(workspace::root()).args(words);
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_one_whole_commit() {
        let text = std::fs::read_to_string(workspace::root().join(FILE)).expect("a file");
        let commit = named(&text).expect("a commit");
        assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
    }

    #[test]
    fn comments_name_no_commit() {
        assert_eq!(named("# of a comment\n\n  abc \n"), Some("abc"));
        assert_eq!(named("# abc\n"), None);
    }
}
