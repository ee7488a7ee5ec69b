//! The command line: every flag, its environment variable and its default.
//!
//! What clap can check alone is checked while it parses; what needs more than one flag is checked by
//! [`RunArgs::into_config`]. Both say what to do and exit with code 2.

mod check;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use baton_telemetry::LogFormat;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::credential::CredentialFiles;
use crate::engine::{DefaultLimits, MAX_VALUE_BYTES};

/// The greatest `--shards`: each shard has a clock and a log of its own on every replica.
const MAX_SHARDS: i64 = 1024;

/// The longest `--grace`, a week: no pod's termination is planned for longer.
const MAX_GRACE_SECONDS: i64 = 7 * 24 * 3600;

/// Where the agent's control socket is, if nothing else is said.
const RUN_DIR: &str = "/run/baton";

/// Keeps the in-memory state of an app alive while its pods are replaced.
#[derive(Debug, Parser)]
#[command(name = "baton-agent", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the agent.
    Run(Box<RunArgs>),
    /// Hand off everything that the running agent holds, and wait for it: the preStop hook.
    ///
    /// Exits with 0 when everything known at the start is covered by survivors, or there is nothing to hand off; with 1
    /// when it is not, or the agent does not answer.
    Drain(DrainArgs),
    /// End a departure that is stuck: the preStop hook that waits, or the last wait before the end.
    ///
    /// It counts as failed, whatever survivors acknowledge afterwards. Exits with 3 when nothing is held.
    Release(ReleaseArgs),
    /// Print what the running agent says of itself.
    Status(StatusArgs),
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// Namespace of the pod.
    #[arg(long, env = "BATON_NAMESPACE", default_value = "default", value_parser = check::dns_label)]
    namespace: String,

    /// Name of the HandoffGroup. Agents link to agents of the same namespace and group only.
    #[arg(long, env = "BATON_GROUP", value_parser = check::dns_name)]
    group: String,

    /// Name of the pod; with --members, the name of this agent's row in the file.
    #[arg(long, env = "BATON_POD_NAME", value_parser = check::dns_name)]
    pod_name: String,

    /// UID of the pod; needed with --operator.
    #[arg(long, env = "BATON_POD_UID")]
    pod_uid: Option<String>,

    /// Name of the node.
    #[arg(long, env = "BATON_NODE", default_value = "")]
    node: String,

    /// With --operator: no app uses this agent. It keeps the group's state, and takes over nothing that others own.
    #[arg(long, env = "BATON_KEEPER", conflicts_with = "members")]
    keeper: bool,

    /// IP address where peers reach this pod; needed with --operator.
    #[arg(long, env = "BATON_POD_IP", value_name = "IP")]
    pod_ip: Option<IpAddr>,

    /// The pod's terminationGracePeriodSeconds, from which the handoff's deadlines follow.
    #[arg(
        long,
        env = "BATON_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=MAX_GRACE_SECONDS as u64)
    )]
    grace: u64,

    /// Address of the app's HTTP API; loopback only, since the API asks nobody who they are.
    #[arg(long, env = "BATON_HTTP", value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    http: SocketAddr,

    /// Unix socket of the same API, for every user who reaches the file; none if not given.
    #[arg(long, env = "BATON_HTTP_SOCKET", value_name = "FILE")]
    http_socket: Option<PathBuf>,

    /// Address of the app's gRPC API, on loopback too; none if not given.
    #[arg(long, env = "BATON_GRPC", value_name = "ADDRESS")]
    grpc: Option<SocketAddr>,

    /// Address where the app reaches the agent as a Redis, on loopback too; none if not given.
    #[arg(long, env = "BATON_REDIS", value_name = "ADDRESS")]
    redis: Option<SocketAddr>,

    /// Unix socket of the same, for every user who reaches the file; none if not given.
    #[arg(long, env = "BATON_REDIS_SOCKET", value_name = "FILE")]
    redis_socket: Option<PathBuf>,

    /// Address for the links of other agents; they are told the pod's IP with this port.
    #[arg(long, env = "BATON_PEER", value_name = "ADDRESS", default_value = "0.0.0.0:7072")]
    peer: SocketAddr,

    /// Address of probes and metrics.
    #[arg(long, env = "BATON_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:7073")]
    admin: SocketAddr,

    /// With --operator: directory with the pod's token for the operator (token) and the CAs to trust (roots.pem).
    #[arg(long, env = "BATON_IDENTITY", value_name = "DIR", default_value = "/var/run/secrets/baton.dev")]
    identity: PathBuf,

    #[command(flatten)]
    tls: TlsArgs,

    #[command(flatten)]
    run_dir: RunDir,

    /// File that gets the receipt of the handoff.
    #[arg(long, env = "BATON_TERMINATION_LOG", value_name = "FILE", default_value = "/dev/termination-log")]
    termination_log: PathBuf,

    /// Number of shards, the same for the whole group and fixed for its life.
    #[arg(
        long,
        env = "BATON_SHARDS",
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=MAX_SHARDS)
    )]
    shards: u16,

    /// Greatest size of one value.
    #[arg(
        long,
        env = "BATON_MAX_VALUE_BYTES",
        value_name = "BYTES",
        default_value_t = 1024 * 1024,
        value_parser = clap::value_parser!(u64).range(1..=MAX_VALUE_BYTES)
    )]
    max_value_bytes: u64,

    /// Greatest size of one map, keys and values together.
    #[arg(
        long,
        env = "BATON_MAX_BYTES",
        value_name = "BYTES",
        default_value_t = 256 * 1024 * 1024,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    max_bytes: u64,

    /// Greatest number of keys in one map.
    #[arg(
        long,
        env = "BATON_MAX_ENTRIES",
        value_name = "N",
        default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    max_entries: u64,

    /// With --members: how long a listed member that may hold state can be silent before the group starts empty.
    #[arg(
        long,
        env = "BATON_START_EMPTY_AFTER_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=MAX_GRACE_SECONDS as u64)
    )]
    start_empty_after: u64,

    /// What to log, as in `info,baton_agent=debug`.
    #[arg(long, env = "BATON_LOG", value_name = "FILTER", default_value = "info", value_parser = baton_telemetry::log_filter)]
    log: String,

    /// Where spans of handoffs go, as in `http://otel-collector.observability:4317` (OTLP by gRPC); nowhere by default.
    #[arg(long, env = "BATON_TRACES", value_name = "URL", value_parser = baton_telemetry::collector)]
    traces: Option<String>,

    /// Format of logs.
    #[arg(long, env = "BATON_LOG_FORMAT", value_name = "json|text", default_value = "json")]
    log_format: LogFormat,
}

/// Flags of `drain`.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
}

/// Flags of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,

    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Where the running agent is reached on this machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunDir {
    /// Directory of the control socket.
    #[arg(long = "run-dir", env = "BATON_RUN_DIR", value_name = "DIR", default_value = RUN_DIR)]
    path: PathBuf,
}

/// Format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

/// Where the member list comes from: exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SourceArgs {
    /// Take the member list from this file, and watch it.
    #[arg(long, env = "BATON_MEMBERS", value_name = "FILE")]
    members: Option<PathBuf>,

    /// Take the member list from the operator at this URL.
    #[arg(long, env = "BATON_OPERATOR", value_name = "URL", value_parser = check::operator_url)]
    operator: Option<String>,
}

/// With --members: the certificate by which peers know this agent. All of them or none.
#[derive(Debug, Args)]
struct TlsArgs {
    /// With --members: certificate of this agent, PEM, with the one URI
    /// spiffe://DOMAIN/ns/NAMESPACE/group/GROUP/pod/POD-NAME; without it, peer links are plain text.
    #[arg(long, env = "BATON_TLS_CERTIFICATE", value_name = "FILE", requires_all = ["tls_key", "tls_roots"])]
    tls_certificate: Option<PathBuf>,

    /// Key of --tls-certificate, PEM.
    #[arg(long, env = "BATON_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// CAs whose certificates are trusted, PEM; all three files are read again when they change.
    #[arg(long, env = "BATON_TLS_ROOTS", value_name = "FILE", requires = "tls_certificate")]
    tls_roots: Option<PathBuf>,
}

/// Everything that `run` was told, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the member list comes from.
    pub(crate) source: SourceConfig,
    /// The pod's namespace.
    pub(crate) namespace: String,
    /// The HandoffGroup's name.
    pub(crate) group: String,
    /// The pod.
    pub(crate) pod: PodConfig,
    /// The pod's termination grace period.
    pub(crate) grace: Duration,
    /// Where the app's API listens.
    pub(crate) http: SocketAddr,
    /// The same as a Unix socket, if there is to be one.
    pub(crate) http_socket: Option<PathBuf>,
    /// Where the app's gRPC API listens, if anywhere.
    pub(crate) grpc: Option<SocketAddr>,
    /// Where the app reaches the agent as a Redis, if anywhere.
    pub(crate) redis: Option<SocketAddr>,
    /// The same as a Unix socket, if there is to be one.
    pub(crate) redis_socket: Option<PathBuf>,
    /// Where peer links are accepted.
    pub(crate) peer: SocketAddr,
    /// Where probes and metrics are served.
    pub(crate) admin: SocketAddr,
    /// Where the control socket is.
    pub(crate) run_dir: RunDir,
    /// Where the receipt goes.
    pub(crate) termination_log: PathBuf,
    /// How many shards.
    pub(crate) shards: usize,
    /// Bounds of maps that have none of their own.
    pub(crate) limits: DefaultLimits,
    /// Where spans of handoffs go.
    pub(crate) traces: Option<String>,
    /// What to log.
    pub(crate) log: String,
    /// How to log.
    pub(crate) log_format: LogFormat,
}

/// Where the member list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceConfig {
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// How long a silent member can keep the group from starting empty.
        start_empty_after: Duration,
        /// The certificate by which peers know this agent; without one, links are plain text.
        credential: Option<CredentialFiles>,
    },
    /// The operator.
    Operator {
        /// The directory's URL.
        url: String,
        /// `host:port` where peers reach this agent.
        advertised: SocketAddr,
        /// Where the token and the roots are.
        identity: PathBuf,
    },
}

/// The pod that the agent runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodConfig {
    /// Its name.
    pub(crate) name: String,
    /// Its UID; empty if it has none.
    pub(crate) uid: String,
    /// Its node; may be empty.
    pub(crate) node: String,
    /// Whether no app is in it.
    pub(crate) keeper: bool,
}

// === impl RunDir ===

impl RunDir {
    /// The socket through which the other commands reach a running agent.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }
}

// === impl Config ===

impl Config {
    /// The group's name as peers compare it.
    pub(crate) fn qualified_group(&self) -> String {
        format!("{}/{}", self.namespace, self.group)
    }
}
