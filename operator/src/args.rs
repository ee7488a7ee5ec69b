//! What the operator is told on its command line. Every flag has an environment variable.

use std::net::{IpAddr, SocketAddr};

use baton_identity::TrustDomain;
use baton_telemetry::{LogFormat, collector, log_filter};
use clap::{Parser, Subcommand};

/// Watches HandoffGroups and pods, tells agents who is a member, and injects agents into pods.
#[derive(Clone, Debug, Parser)]
#[command(name = "baton-operator", version)]
pub struct Args {
    /// What to do instead of operating.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where agents reach the directory (gRPC).
    #[arg(long, env = "BATON_DIRECTORY", default_value = "0.0.0.0:7080")]
    pub directory: SocketAddr,

    /// Where the API server reaches the webhook (HTTPS).
    #[arg(long, env = "BATON_WEBHOOK", default_value = "0.0.0.0:9443")]
    pub webhook: SocketAddr,

    /// Where probes and scrapes come.
    #[arg(long, env = "BATON_ADMIN", default_value = "0.0.0.0:7073")]
    pub admin: SocketAddr,

    /// The namespace that the operator runs in.
    #[arg(long, env = "BATON_NAMESPACE", default_value = "baton-system")]
    pub namespace: String,

    /// The operator's own pod, named in events.
    #[arg(long, env = "BATON_POD_NAME")]
    pub pod_name: Option<String>,

    /// The operator's own address, by which others of its kind reach its directory.
    #[arg(long, env = "BATON_POD_IP")]
    pub pod_ip: Option<IpAddr>,

    /// The Lease that the operator holds that writes.
    #[arg(long, env = "BATON_LEASE", default_value = "baton-operator")]
    pub lease: String,

    /// The Service in front of the operator.
    #[arg(long, env = "BATON_SERVICE", default_value = "baton-operator")]
    pub service: String,

    /// The URL that injected agents use for the directory; by default the Service's.
    #[arg(long, env = "BATON_OPERATOR")]
    pub operator_url: Option<String>,

    /// The agent's image for groups that name none.
    #[arg(long, env = "BATON_AGENT_IMAGE", default_value = "baton.local/agent:dev")]
    pub agent_image: String,

    /// The Secret that holds the webhook's certificate.
    #[arg(long, env = "BATON_WEBHOOK_SECRET", default_value = "baton-operator-webhook")]
    pub webhook_secret: String,

    /// The MutatingWebhookConfiguration whose caBundle the operator keeps.
    #[arg(long, env = "BATON_WEBHOOK_CONFIGURATION", default_value = "baton-injector")]
    pub webhook_configuration: String,

    /// The Secret that holds the CAs of agents.
    #[arg(long, env = "BATON_IDENTITY_SECRET", default_value = "baton-operator-identity")]
    pub identity_secret: String,

    /// The first part of every identity, fixed for the life of the installation.
    #[arg(long, env = "BATON_TRUST_DOMAIN", default_value = "cluster.local", value_parser = trust_domain)]
    pub trust_domain: TrustDomain,

    /// A kubeconfig file; by default the one in KUBECONFIG, or the pod's service account.
    #[arg(long)]
    pub kubeconfig: Option<std::path::PathBuf>,

    /// Where spans of handoffs go, those of agents too, such as `http://otel-collector.observability:4317` (OTLP by gRPC);
    /// nowhere by default.
    #[arg(long, env = "BATON_TRACES", value_parser = collector)]
    pub traces: Option<String>,

    /// What is logged, such as info or info,baton_operator=debug.
    #[arg(long, env = "BATON_LOG", default_value = "info", value_parser = log_filter)]
    pub log: String,

    /// How logs look: json or text.
    #[arg(long, env = "BATON_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// What can be done instead of operating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Look at an installation from inside the cluster, and say what does not work
    Check,
}

// === impl Args ===

impl Args {
    /// Where other operators reach the directory.
    pub fn own_directory(&self) -> Option<String> {
        self.pod_ip.map(|address| SocketAddr::new(address, self.directory.port()).to_string())
    }

    /// Where injected agents reach the directory.
    pub fn directory_url(&self) -> String {
        let url = || format!("https://{}.{}.svc:{}", self.service, self.namespace, self.directory.port());
        self.operator_url.clone().unwrap_or_else(url)
    }
}

fn trust_domain(text: &str) -> Result<TrustDomain, String> {
    text.parse().map_err(|_| "a trust domain has 1 to 255 of a-z, 0-9, '.', '-' and '_'".to_owned())
}
