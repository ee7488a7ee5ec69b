//! The command line.

use std::path::PathBuf;

use baton_crds::Duration;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::output::Output;
use crate::rollout::Workload;

/// What the exit code says; the same text as in docs/cli.md.
const EXIT_CODES: &str = "\
Exit codes:
  0  it is done, and all is well
  1  it could not be done
  2  the command line is wrong
  3  it is done, but something is not well: a handoff failed or nobody knows how it ended, or doctor found an error
  4  the time was over before it was done";

/// Shows and drives groups of pods that share state through Baton.
#[derive(Debug, Parser)]
#[command(name = "kubectl-baton", bin_name = "kubectl baton", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which cluster is asked, as kubectl takes it.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig context
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace; the context's own if not given
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The kubeconfig file; $KUBECONFIG or ~/.kube/config if not given
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show groups at a glance, or one of them in full
    Status(StatusArgs),
    /// List the members of groups
    Members(MembersArgs),
    /// List how pods handed off what they held, the newest first
    Handoffs(HandoffsArgs),
    /// List the keys of a map, as one agent has them
    Keys(KeysArgs),
    /// Print the value of a key, as one agent has it
    Get(GetArgs),
    /// Print the changes of a map, as one agent sees them
    Watch(WatchArgs),
    /// Drive rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// End the hold of a pod that is stuck, as failed
    ///
    /// The pod's preStop hook returns at once, and the pod ends as it would have later. What no survivor has
    /// acknowledged by then is lost with it. The handoff is recorded as failed, with the reason Released.
    Release(ReleaseArgs),
    /// Check the installation and the groups, and say what to do
    Doctor(DoctorArgs),
    /// Print a script that completes the words of `kubectl-baton` in a shell
    Completion(CompletionArgs),
}

/// Rollouts.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Restart the pods of a Deployment, StatefulSet or DaemonSet, and wait until the last old one has handed off and ended
    Restart(RestartArgs),
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The HandoffGroup; all of them if not given
    pub(crate) group: Option<String>,
    /// Look in all namespaces
    #[arg(short = 'A', long, conflicts_with = "group")]
    pub(crate) all_namespaces: bool,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `members`.
#[derive(Debug, Args)]
pub(crate) struct MembersArgs {
    /// The HandoffGroup; all of the namespace if not given
    pub(crate) group: Option<String>,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `handoffs`.
#[derive(Debug, Args)]
pub(crate) struct HandoffsArgs {
    /// The HandoffGroup; all of them if not given
    pub(crate) group: Option<String>,
    /// Show those only that are not known to have gone well
    #[arg(long)]
    pub(crate) failed: bool,
    /// Look in all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Which agent is asked.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The HandoffGroup, if the namespace has several
    #[arg(short, long, value_name = "NAME", conflicts_with = "pod")]
    pub(crate) group: Option<String>,
    /// Ask the agent of this pod; any Active member if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) pod: Option<String>,
}

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// The map
    pub(crate) map: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// List those only that begin so
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// List so many at most; 0 lists all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The map
    pub(crate) map: String,
    /// The key
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The key is percent-encoded, as `keys` prints those that are no plain text
    #[arg(long)]
    pub(crate) encoded: bool,
    /// The format; without it, the value's bytes are written as they are
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The map
    pub(crate) map: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Watch those keys only that begin so
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// How often the agent is asked
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub(crate) interval: Duration,
    /// End after so many changes
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// The format: json and yaml print one document for each change
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `rollout restart`.
#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// deployment/NAME, statefulset/NAME or daemonset/NAME
    #[arg(value_name = "KIND/NAME")]
    pub(crate) workload: Workload,
    /// Wait until every pod is of the new revision and the last old one has handed off and ended
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10m", requires = "wait")]
    pub(crate) timeout: Duration,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The pod
    pub(crate) pod: String,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Say what an uninstallation would lose, what remains after it, and in which order it is done
    #[arg(long, conflicts_with = "all_namespaces")]
    pub(crate) uninstall: bool,
    /// Check the groups of all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const PAGE: &str = include_str!("../../docs/cli.md");

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_exit_code_is_documented() {
        for command in Cli::command().get_subcommands().map(clap::Command::get_name) {
            assert!(PAGE.contains(&format!("| `kubectl baton {command}")), "{command}");
        }
        for line in EXIT_CODES.lines().skip(1) {
            let (code, means) = line.trim().split_once("  ").expect("a code and a text");
            assert!(PAGE.contains(&format!("| {code} | {means} |")), "{line}");
        }
    }

    #[test]
    fn a_timeout_needs_something_to_wait_for() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' ')).map(|_| ());
        parse("kubectl-baton -n shop rollout restart deployment/web --wait --timeout 90s").expect("valid");
        parse("kubectl-baton keys carts -n shop --prefix a --group web -o json").expect("valid");
        for wrong in [
            "kubectl-baton rollout restart deployment/web --timeout 90s",
            "kubectl-baton rollout restart web",
            "kubectl-baton rollout restart deployment/web --wait --timeout soon",
            "kubectl-baton get carts ann --group web --pod web-1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
