//! Request bodies: read whole, within a bound for each and a bound for all.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::http::error::{body_timeout, busy};
use crate::problem::Problem;

/// Bytes of all bodies that are being read, in KiB: sixteen of the largest value that an agent can be told to take.
const BUDGET_KIB: usize = 64 * 1024;

/// How long a body may take, and how long it may wait until there is room for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of a body that is too large is still taken and thrown away, so that its sender gets to read the answer.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// How long that may take.
const DISCARD_PATIENCE: Duration = Duration::from_secs(2);

/// Room for bodies that are being read.
pub(super) struct BodyBudget {
    kib: Semaphore,
}

// === impl BodyBudget ===

impl BodyBudget {
    pub(super) fn new() -> Self {
        Self { kib: Semaphore::new(BUDGET_KIB) }
    }

    /// Reads a body of at most `limit` bytes. Room for the whole of it is taken before its first byte is, so that
    /// bodies that arrive together never wait for each other's rest.
    pub(super) async fn read(&self, headers: &HeaderMap, mut body: Body, limit: u64) -> Result<Bytes, Problem> {
        let declared = declared_length(headers);
        if declared.is_some_and(|length| length > limit) {
            if !headers.contains_key(EXPECT) {
                discard(&mut body).await;
            }
            return Err(Problem::value_too_large(limit));
        }
        let room = self.room(declared.unwrap_or(limit)).await?;
        let read = timeout(PATIENCE, collect(&mut body, declared.unwrap_or(0), limit)).await;
        drop(room);
        match read.map_err(|_| body_timeout())? {
            Ok(bytes) => Ok(bytes),
            Err(Torn::TooLarge) => {
                discard(&mut body).await;
                Err(Problem::value_too_large(limit))
            }
            Err(Torn::Broken(error)) => {
                let hint = "send the whole body, as long as Content-Length says or in well-formed chunks";
                Err(Problem::invalid("bad_body", format!("the body broke off: {error}"), hint))
            }
        }
    }

    async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>, Problem> {
        let kib = bytes.div_ceil(1024).clamp(1, BUDGET_KIB as u64) as u32;
        match timeout(PATIENCE, self.kib.acquire_many(kib)).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

/// Why a body was not read to its end.
enum Torn {
    TooLarge,
    Broken(axum::Error),
}

async fn collect(body: &mut Body, capacity: u64, limit: u64) -> Result<Bytes, Torn> {
    let mut bytes = Vec::with_capacity(capacity as usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Torn::Broken)?.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > limit {
            return Err(Torn::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    // A value is kept for long: it must not hold more than its own bytes.
    Ok(Bytes::from(bytes.into_boxed_slice()))
}

async fn discard(body: &mut Body) {
    let read = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Whether all of it came makes no difference.
    let _ = timeout(DISCARD_PATIENCE, read).await;
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
