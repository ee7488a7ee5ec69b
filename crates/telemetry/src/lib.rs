//! What every binary of the project tells its operators: logs, metrics, probes, spans of handoffs.

mod admin;
mod log;
mod metric;
mod process;
mod repeat;
mod server;
mod trace;

pub use admin::{Health, Verdict, admin_router};
pub use log::{LogError, LogFormat, init_logs, log_filter};
pub use metric::{METRICS_CONTENT_TYPE, encode_metrics, new_registry};
pub use repeat::Repeat;
pub use server::{Listener, ServerLimits, Socket, serve_http};
pub use trace::{Span, TraceError, Tracer, collector};
