//! `completion`: a script for a shell.

use clap::CommandFactory;

use crate::args::{Cli, CompletionArgs};
use crate::failure::{Failure, Outcome};
use crate::output;

/// The program's own name: shells complete programs, and kubectl's words are kubectl's.
const PROGRAM: &str = "kubectl-baton";

/// Runs the command.
pub(crate) fn run(args: &CompletionArgs) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command().bin_name(PROGRAM), PROGRAM, &mut script);
    output::bytes(&script)?;
    Ok(Outcome::Well)
}
