//! Counts requests by what came of them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::metric::Metrics;

/// Passes the request on, and counts the answer.
pub(super) async fn requests(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    metrics.answered(&method, response.status());
    response
}
