//! What a single flag cannot check alone.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{Config, PodConfig, RunArgs, SourceConfig, TlsArgs};
use crate::credential::CredentialFiles;
use crate::engine::DefaultLimits;

/// Flags that do not go together; nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("--pod-uid is needed with --operator: set BATON_POD_UID from metadata.uid by the downward API")]
    PodUid,
    #[error("--pod-ip is needed with --operator: set BATON_POD_IP from status.podIP by the downward API")]
    PodIp,
    #[error("--peer needs a fixed port with --operator, since other agents are told it: use 0.0.0.0:7072")]
    PeerPort,
    #[error("--tls-certificate goes with --members only: the operator issues the certificates of its agents")]
    OperatorCertificate,
    #[error("{0} {1} is not a loopback address: the API asks nobody who they are, so use 127.0.0.1 or [::1]")]
    NotLoopback(&'static str, SocketAddr),
    #[error("--max-value-bytes {value} is more than --max-bytes {map}: no value of that size would fit into a map")]
    ValueOverMap { value: u64, map: u64 },
}

// === impl RunArgs ===

impl RunArgs {
    /// Checks the flags against each other.
    pub(crate) fn into_config(self) -> Result<Config, ConfigError> {
        let source = self.source()?;
        for (flag, address) in [("--http", Some(self.http)), ("--grpc", self.grpc), ("--redis", self.redis)] {
            if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
                return Err(ConfigError::NotLoopback(flag, address));
            }
        }
        if self.max_value_bytes > self.max_bytes {
            return Err(ConfigError::ValueOverMap { value: self.max_value_bytes, map: self.max_bytes });
        }
        Ok(Config {
            source,
            namespace: self.namespace,
            group: self.group,
            pod: PodConfig {
                name: self.pod_name,
                uid: self.pod_uid.unwrap_or_default(),
                node: self.node,
                keeper: self.keeper,
            },
            grace: Duration::from_secs(self.grace),
            http: self.http,
            http_socket: self.http_socket,
            grpc: self.grpc,
            redis: self.redis,
            redis_socket: self.redis_socket,
            peer: self.peer,
            admin: self.admin,
            run_dir: self.run_dir,
            termination_log: self.termination_log,
            shards: usize::from(self.shards),
            limits: DefaultLimits {
                max_value_bytes: self.max_value_bytes,
                max_bytes: self.max_bytes,
                max_entries: self.max_entries,
            },
            traces: self.traces,
            log: self.log,
            log_format: self.log_format,
        })
    }

    fn source(&self) -> Result<SourceConfig, ConfigError> {
        let Some(url) = self.source.operator.clone() else {
            // Clap has seen to it that one of the two is there.
            let path = self.source.members.clone().unwrap_or_default();
            let start_empty_after = Duration::from_secs(self.start_empty_after);
            return Ok(SourceConfig::File { path, start_empty_after, credential: self.tls.files() });
        };
        if self.tls.tls_certificate.is_some() {
            return Err(ConfigError::OperatorCertificate);
        }
        if self.pod_uid.as_ref().is_none_or(String::is_empty) {
            return Err(ConfigError::PodUid);
        }
        if self.peer.port() == 0 {
            return Err(ConfigError::PeerPort);
        }
        let ip = self.pod_ip.ok_or(ConfigError::PodIp)?;
        let advertised = SocketAddr::new(ip, self.peer.port());
        Ok(SourceConfig::Operator { url, advertised, identity: self.identity.clone() })
    }
}

// === impl TlsArgs ===

impl TlsArgs {
    /// Clap has seen to it that all of them are there or none.
    fn files(&self) -> Option<CredentialFiles> {
        let (certificate, key, roots) = (self.tls_certificate.clone()?, self.tls_key.clone()?, self.tls_roots.clone()?);
        Some(CredentialFiles { certificate, key, roots })
    }
}

/// A DNS label, as namespaces have.
pub(super) fn dns_label(text: &str) -> Result<String, String> {
    if text.len() <= 63 && is_label(text) {
        return Ok(text.to_owned());
    }
    Err("a namespace has 1 to 63 of a-z, 0-9 and '-', and starts and ends with a letter or digit".to_owned())
}

/// A DNS subdomain, as groups and pods have.
pub(super) fn dns_name(text: &str) -> Result<String, String> {
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 253 of a-z, 0-9, '-' and '.', and starts and ends with a letter or digit".to_owned())
}

/// The URL of a directory.
pub(super) fn operator_url(text: &str) -> Result<String, String> {
    let example = "write it like https://baton-operator.baton-system.svc:7080";
    let url: axum::http::Uri = text.parse().map_err(|_| format!("not a URL: {example}"))?;
    match (url.scheme_str(), url.host(), url.port_u16(), url.path()) {
        (Some("https"), Some(host), Some(_), "/") if !host.is_empty() => Ok(text.to_owned()),
        (Some("http"), ..) => Err(format!("an operator is spoken to by TLS only: {example}")),
        _ => Err(format!("not an https URL with a host and a port: {example}")),
    }
}

fn is_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::config::{Cli, Command};

    const FILE: [&str; 6] = ["--members", "/tmp/m.json", "--group", "web", "--pod-name", "web-1"];
    const OPERATOR: [&str; 6] = ["--operator", "https://op.svc:7080", "--group", "web", "--pod-name", "web-1"];

    fn parse(base: &[&str], more: &[&str]) -> Result<Config, String> {
        let words = ["baton-agent", "run"].iter().chain(base).chain(more);
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Run(args) = cli.command else { return Err("not run".to_owned()) };
        args.into_config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_members_file_needs_a_group_and_a_name_only() {
        let config = parse(&FILE, &[]).expect("valid");
        assert!(matches!(config.source, SourceConfig::File { .. }));
        assert_eq!((config.shards, config.limits.max_value_bytes), (16, 1024 * 1024));
        assert_eq!(config.qualified_group(), "default/web");
        assert_eq!(config.run_dir.control_socket().to_str(), Some("/run/baton/control.sock"));
    }

    #[test]
    fn the_operator_is_told_where_peers_reach_the_pod() {
        let config =
            parse(&OPERATOR, &["--pod-uid", "u", "--pod-ip", "fd00::1", "--peer", "[::]:7172"]).expect("valid");
        let SourceConfig::Operator { advertised, .. } = config.source else { panic!("{:?}", config.source) };
        assert_eq!(advertised.to_string(), "[fd00::1]:7172");
    }

    #[test]
    fn wrong_flags_are_refused_with_what_to_do() {
        let refused = |base: &[&str], more: &[&str], says: &str| {
            let error = parse(base, more).expect_err(says);
            assert!(error.contains(says), "{error}");
        };
        refused(&FILE[2..], &[], "--members <FILE>|--operator <URL>");
        refused(&FILE, &["--operator", "https://op.svc:7080"], "cannot be used with");
        refused(&FILE, &["--keeper"], "cannot be used with");
        refused(&FILE[..4], &[], "--pod-name");
        refused(&OPERATOR, &["--pod-ip", "10.0.0.1"], "--pod-uid is needed");
        refused(&OPERATOR, &["--pod-uid", "u"], "--pod-ip is needed");
        refused(&OPERATOR, &["--pod-uid", "u", "--pod-ip", "1.2.3.4", "--peer", "0.0.0.0:0"], "fixed port");
        refused(&["--operator", "http://op.svc:7080", "--group", "web", "--pod-name", "a"], &[], "by TLS only");
        refused(&["--operator", "https://op.svc", "--group", "web", "--pod-name", "a"], &[], "a host and a port");
        refused(&["--operator", "op.svc", "--group", "web", "--pod-name", "a"], &[], "not an https URL");
        refused(&FILE, &["--shards", "0"], "1..=1024");
        refused(&FILE, &["--shards", "1025"], "1..=1024");
        refused(&FILE, &["--max-value-bytes", "4194305"], "1..=4194304");
        refused(&FILE, &["--max-value-bytes", "2000", "--max-bytes", "1000"], "more than --max-bytes");
        refused(&FILE, &["--http", "0.0.0.0:7070"], "loopback");
        refused(&FILE, &["--grpc", "10.0.0.1:7071"], "--grpc 10.0.0.1:7071 is not a loopback");
        refused(&FILE, &["--redis", "0.0.0.0:6379"], "--redis 0.0.0.0:6379 is not a loopback");
        refused(&FILE, &["--tls-certificate", "a.crt"], "--tls-key");
        refused(&FILE, &["--tls-roots", "roots.crt"], "--tls-certificate");
        refused(&FILE, &["--log", "a=b=c"], "--log");
        refused(&FILE, &["--log-format", "xml"], "json");
        refused(&["--members", "m", "--group", "Web_", "--pod-name", "a"], &[], "a name has");
    }
}
