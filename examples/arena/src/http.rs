//! A small JSON-over-HTTP client: what the store says to the agent, and what players say to the game.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, header::HeaderName, header::HeaderValue};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// The longest answer that is read. A page of a thousand players is a hundredth of it.
const MAX_REPLY: usize = 64 << 20;

/// A connection pool with one time limit for all its requests.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

/// What came back: any status is a reply.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// No reply came. Whether the server acted is not known.
#[derive(Debug)]
pub(crate) struct NoReply(String);

// === impl Http ===

impl Http {
    pub(crate) fn new(timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), timeout }
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Reply, NoReply> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|error| NoReply(format!("{url}: {error}")))?;
        request.headers_mut().extend(headers.iter().cloned());
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => Err(NoReply(format!("{url}: no answer within {:?}", self.timeout))),
        }
    }

    /// Sends a GET and waits for the head of the answer; its body may take for ever.
    pub(crate) async fn open(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Response<Incoming>, NoReply> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = url.parse().map_err(|error| NoReply(format!("{url}: {error}")))?;
        request.headers_mut().extend(headers.iter().cloned());
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Ok(response) => response.map_err(NoReply::from_error),
            Err(_) => Err(NoReply(format!("{url}: no answer within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        let response = self.client.request(request).await.map_err(NoReply::from_error)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_REPLY).collect().await.map_err(|error| NoReply(error.to_string()))?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

// === impl NoReply ===

impl NoReply {
    /// The cause is in the source of hyper's error, not in its text.
    fn from_error(error: hyper_util::client::legacy::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self(text)
    }
}

impl std::fmt::Display for NoReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoReply {}
