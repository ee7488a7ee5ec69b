//! A blocking HTTP client that hands every status to its caller.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// More than the longest value that any scenario reads.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// The client.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// Its status code.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Vec<u8>,
}

// === impl Http ===

impl Http {
    /// A client whose requests take `timeout` at most, connecting included.
    pub fn new(timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self { agent: config.into() }
    }

    /// Sends a request.
    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match (method, body.is_empty()) {
            ("GET" | "HEAD" | "DELETE", true) => self.agent.run(request.body(())?),
            _ => self.agent.run(request.body(body)?),
        };
        let mut reply = sent.with_context(|| format!("{method} {url}"))?;
        let body = reply.body_mut().with_config().limit(MAX_BODY).read_to_vec();
        let body = body.with_context(|| format!("{method} {url}: the body"))?;
        Ok(Reply { status: reply.status().as_u16(), headers: reply.headers().clone(), body })
    }

    /// Gets a page.
    pub fn get(&self, url: &str) -> Result<Reply> {
        self.send("GET", url, &[], &[])
    }

    /// Gets an object, where nothing but 200 will do.
    pub fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let reply = self.get(url)?;
        ensure!(reply.status == 200, "GET {url} answers {reply}");
        serde_json::from_slice(&reply.body).with_context(|| format!("GET {url} answers no such JSON: {reply}"))
    }
}

// === impl Reply ===

impl Reply {
    /// 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {self}"))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.chars().take(300).collect();
        write!(f, "{} {text}", self.status)
    }
}
