//! The admin endpoints: probes for the kubelet, metrics for a scraper, and no data.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

use crate::metric::{METRICS_CONTENT_TYPE, encode_metrics};

/// The answer to one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 200.
    Yes,
    /// 503, with the reason.
    No(String),
}

/// What a binary's probes ask. Each is called on every probe and must not block.
pub trait Health: Send + Sync + 'static {
    /// Whether the process works at all.
    fn live(&self) -> Verdict {
        Verdict::Yes
    }

    /// Whether it has finished starting.
    fn started(&self) -> Verdict;

    /// Whether traffic should come.
    fn ready(&self) -> Verdict;
}

/// `/livez`, `/startupz`, `/readyz` and `/metrics`.
pub fn admin_router<H: Health>(health: Arc<H>, registry: Arc<Registry>) -> Router {
    let probe = |ask: fn(&H) -> Verdict| {
        let health = health.clone();
        get(move || {
            let health = health.clone();
            async move { ask(&health) }
        })
    };
    Router::new()
        .route("/livez", probe(H::live))
        .route("/startupz", probe(H::started))
        .route("/readyz", probe(H::ready))
        .route("/metrics", get(move || std::future::ready(scrape(&registry))))
}

fn scrape(registry: &Registry) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], encode_metrics(registry))
}

// === impl Verdict ===

impl IntoResponse for Verdict {
    fn into_response(self) -> Response {
        match self {
            Self::Yes => (StatusCode::OK, "ok\n").into_response(),
            Self::No(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    struct Starting;

    impl Health for Starting {
        fn started(&self) -> Verdict {
            Verdict::No("no state yet".to_owned())
        }

        fn ready(&self) -> Verdict {
            Verdict::No("no state yet".to_owned())
        }
    }

    async fn ask(path: &str) -> (u16, String) {
        let router = admin_router(Arc::new(Starting), Arc::new(crate::new_registry()));
        let request = Request::get(path).body(Body::empty()).expect("valid");
        let response = router.oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("in memory").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn probes_say_why_not_and_metrics_are_always_there() {
        assert_eq!(ask("/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(ask("/startupz").await, (503, "no state yet\n".to_owned()));
        assert_eq!(ask("/readyz").await, (503, "no state yet\n".to_owned()));
        assert_eq!(ask("/v1/maps").await.0, 404);
        let (status, text) = ask("/metrics").await;
        assert!(status == 200 && text.ends_with("# EOF\n"), "{text}");
    }
}
