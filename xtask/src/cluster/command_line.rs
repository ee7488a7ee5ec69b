//! The command line of `cargo xtask cluster`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Subcommand;

use super::binary::{self, Helm};
use super::part::Part;
use super::{Target, layout, lock, process, status, up};

/// Arguments of `cargo xtask cluster`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start the cluster, or find it healthy
    Up {
        /// How many nodes
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=layout::MAX_NODES))]
        nodes: u8,
    },
    /// End the cluster and remove all that it left on the machine
    Down,
    /// Print what runs; fails unless everything does
    Status,
    /// Import docker-archive tars on every node
    Load {
        /// The tars
        #[arg(required = true, value_name = "IMAGE.tar")]
        images: Vec<PathBuf>,
    },
    /// Print the path of the kubeconfig
    Kubeconfig,
    /// Run kubectl against the cluster
    Kubectl {
        /// Its arguments, after `--`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run Helm against the cluster
    Helm {
        /// The major version
        #[arg(long, value_enum, default_value_t = Helm::V4)]
        version: Helm,
        /// Its arguments, after `--`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Kill one part: etcd, apiserver, controller-manager, scheduler, coredns,
    /// or containerd, kubelet, kube-proxy of a node, as in kubelet:node-1
    Stop {
        /// The part
        part: Part,
    },
    /// Start one part that was stopped
    Start {
        /// The part
        part: Part,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<()> {
    let target = args.target;
    match args.action {
        Action::Up { nodes } => {
            let access = target.up(nodes)?;
            println!("export KUBECONFIG={}", access.kubeconfig.display());
            Ok(())
        }
        Action::Down => target.down(),
        Action::Status => match &target.context {
            Some(_) => {
                let access = target.access()?;
                exec(&access.kubectl, &access.kubeconfig, &["get".into(), "nodes".into(), "-o=wide".into()])
            }
            None => status::print(&target.layout()?),
        },
        Action::Load { images } => target.load(&images),
        Action::Kubeconfig => {
            println!("{}", target.access()?.kubeconfig.display());
            Ok(())
        }
        Action::Kubectl { args } => {
            let access = target.access()?;
            exec(&access.kubectl, &access.kubeconfig, &args)
        }
        Action::Helm { version, args } => {
            let access = target.access()?;
            let helm = match version {
                Helm::V4 => access.helm,
                Helm::V3 => binary::helm(version)?,
            };
            exec(&helm, &access.kubeconfig, &args)
        }
        Action::Stop { part } => {
            let layout = target.layout()?;
            let _lock = lock::take()?;
            layout.ensure_has(part)?;
            process::stop(&layout, part)?;
            status::record_again(&layout)
        }
        Action::Start { part } => {
            let layout = target.layout()?;
            let _lock = lock::take()?;
            layout.ensure_has(part)?;
            up::restart(&layout, part)?;
            status::record_again(&layout)
        }
    }
}

/// Becomes the program.
fn exec(program: &Path, kubeconfig: &Path, args: &[OsString]) -> Result<()> {
    let failed = Command::new(program).args(args).env("KUBECONFIG", kubeconfig).exec();
    Err(failed).with_context(|| format!("cannot run {}", program.display()))
}
