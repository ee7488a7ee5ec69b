//! Players in the Baton agent beside this server: the whole of what an app needs to speak to it.
//!
//! An entry is one URL. Its version is the ETag, which `If-Match` names in a read-modify-write. A write is answered
//! when another pod has it too (`acks` defaults to 1), so what this server acknowledges outlives this pod.

mod events;
mod stroke;
mod watch;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, StatusCode};
use serde::Deserialize;

use super::{Only, StoreError, Stored, Version};
use crate::http::{Http, Reply};

/// Longer than the agent waits for acks before it answers 504; shorter than a player waits for a move.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Entries per page of a list: some hundred KiB of players.
const PAGE: usize = 1000;
const JSON: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("application/json"));

/// The agent's HTTP API, as far as the game uses it.
pub(crate) struct Baton {
    http: Http,
    url: String,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Row>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    value: Option<String>,
}

/// How the agent words every error.
#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

// === impl Baton ===

impl Baton {
    pub(crate) fn new(url: String) -> Self {
        Self { http: Http::new(TIMEOUT), url: url.trim_end_matches('/').to_owned() }
    }

    pub(crate) async fn get(&self, map: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        let reply = self.send(Method::GET, &self.entry(map, key), &[], Bytes::new()).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => Ok(Some(Stored { version: version(&reply)?, value: reply.body })),
            _ => Err(refusal(&reply)),
        }
    }

    pub(crate) async fn put(&self, map: &str, key: &str, value: Bytes, only: Only) -> Result<(), StoreError> {
        let condition = match only {
            Only::IfAbsent => (IF_NONE_MATCH, HeaderValue::from_static("*")),
            Only::IfUnchanged(Version(etag)) => (IF_MATCH, HeaderValue::from_str(&etag).map_err(nonsense)?),
        };
        let reply = self.send(Method::PUT, &self.entry(map, key), &[JSON, condition], value).await?;
        if reply.status.is_success() { Ok(()) } else { Err(refusal(&reply)) }
    }

    pub(crate) async fn claim(&self, map: &str, key: &str, value: Bytes) -> Result<(), StoreError> {
        let url = format!("{}?claim=true&acks=0", self.entry(map, key));
        let new = (IF_NONE_MATCH, HeaderValue::from_static("*"));
        let reply = self.send(Method::PUT, &url, &[JSON, new], value).await?;
        if reply.status.is_success() { Ok(()) } else { Err(refusal(&reply)) }
    }

    pub(crate) async fn note(&self, map: &str, key: &str, ttl: Duration) -> Result<(), StoreError> {
        let url = format!("{}?ttl={}s", self.entry(map, key), ttl.as_secs());
        let reply = self.send(Method::PUT, &url, &[JSON], Bytes::from_static(b"null")).await?;
        if reply.status.is_success() { Ok(()) } else { Err(refusal(&reply)) }
    }

    pub(crate) async fn delete(&self, map: &str, key: &str) -> Result<(), StoreError> {
        let reply = self.send(Method::DELETE, &self.entry(map, key), &[], Bytes::new()).await?;
        if reply.status.is_success() || reply.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(refusal(&reply))
    }

    pub(crate) async fn list(&self, map: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(map, cursor).await?;
            for row in page.entries {
                let value = STANDARD.decode(row.value.unwrap_or_default()).map_err(nonsense)?;
                rows.push((row.key, value.into()));
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn page(&self, map: &str, cursor: Option<String>) -> Result<Page, StoreError> {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let url = format!("{}/v1/maps/{map}/entries?values=true&limit={PAGE}{from}", self.url);
        let reply = self.send(Method::GET, &url, &[], Bytes::new()).await?;
        if reply.status != StatusCode::OK {
            return Err(refusal(&reply));
        }
        serde_json::from_slice(&reply.body).map_err(nonsense)
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Reply, StoreError> {
        let sent = self.http.send(method, url, headers, body).await;
        sent.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Player ids and map names need no percent-encoding: the game checks the one and chooses the other.
    fn entry(&self, map: &str, key: &str) -> String {
        format!("{}/v1/maps/{map}/entries/{key}", self.url)
    }
}

fn version(reply: &Reply) -> Result<Version, StoreError> {
    let etag = reply.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    etag.map(|etag| Version(etag.to_owned())).ok_or_else(|| nonsense("an entry without an ETag"))
}

/// 412 is ours to solve by reading again; 5xx and 429 pass; anything else will not get better.
fn refusal(reply: &Reply) -> StoreError {
    let text = match serde_json::from_slice::<Problem>(&reply.body) {
        Ok(problem) => format!("{}: {}", problem.code, problem.message),
        Err(_) => reply.status.to_string(),
    };
    match reply.status {
        StatusCode::PRECONDITION_FAILED => StoreError::Conflict,
        StatusCode::TOO_MANY_REQUESTS => StoreError::Unavailable(text),
        StatusCode::INSUFFICIENT_STORAGE => StoreError::Refused(text),
        status if status.is_server_error() => StoreError::Unavailable(text),
        _ => StoreError::Refused(text),
    }
}

fn nonsense(error: impl std::fmt::Display) -> StoreError {
    StoreError::Refused(format!("the agent's answer makes no sense: {error}"))
}
