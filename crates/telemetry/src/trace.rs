//! Spans of handoffs, for an OpenTelemetry collector (OTLP by gRPC). Off unless a collector is named.
//!
//! A handoff is one trace, whose ids follow from the id of the replica that leaves: the agents and the operator that take
//! part name the same trace without telling each other.

mod span;

use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};

pub use span::Span;

use crate::Repeat;

/// Spans that wait for the collector: those of some hundred handoffs. More are dropped.
const WAITING: usize = 1_024;

/// Spans that are sent in one call.
const BATCH: usize = 256;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

/// Where spans go. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<mpsc::Sender<Message>>);

/// What the task that sends is told.
#[derive(Debug)]
enum Message {
    Span(Box<SpanData>),
    /// Everything before it was sent, or could not be.
    Flush(oneshot::Sender<()>),
}

/// There is no way to the collector; nothing is sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot send spans: {0}")]
pub struct TraceError(#[from] ExporterBuildError);

// === impl Tracer ===

impl Tracer {
    /// Sends spans to a collector, as [`collector`] takes it, in the name of a service and one process of it. Must be called
    /// in a runtime. Nothing is sent if there is no collector.
    pub fn new(collector: Option<&str>, service: &'static str, instance: &str) -> Result<Self, TraceError> {
        let Some(collector) = collector else { return Ok(Self::default()) };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).with_timeout(CALL);
        let mut exporter = exporter.build()?;
        let instance = KeyValue::new("service.instance.id", instance.to_owned());
        exporter.set_resource(&Resource::builder_empty().with_service_name(service).with_attribute(instance).build());
        let (sender, messages) = mpsc::channel(WAITING);
        tokio::spawn(deliver(exporter, messages));
        Ok(Self(Some(sender)))
    }

    /// Whether spans go anywhere.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Gives a span on. It is dropped if too many wait: a handoff waits for no collector.
    pub fn send(&self, span: Span) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(Message::Span(Box::new(span.into_data())));
        }
    }

    /// Waits until what was given on has been sent, or could not be.
    pub async fn flush(&self) {
        let Some(sender) = &self.0 else { return };
        let (done, flushed) = oneshot::channel();
        if sender.send(Message::Flush(done)).await.is_ok() {
            // It ends with the runtime only.
            let _ = flushed.await;
        }
    }
}

/// Checks the URL of a collector, such as `http://otel-collector.observability:4317`, and returns it as it is: for command
/// lines. Nothing stands for none.
pub fn collector(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ']) => Ok(text.to_owned()),
        _ => Err("write it like http://otel-collector.observability:4317 (OTLP by gRPC, without TLS)".to_owned()),
    }
}

async fn deliver(exporter: SpanExporter, mut messages: mpsc::Receiver<Message>) {
    let mut failures = Repeat::new();
    let mut received = Vec::new();
    while messages.recv_many(&mut received, BATCH).await > 0 {
        let (mut spans, mut flushed) = (Vec::new(), Vec::new());
        for message in received.drain(..) {
            match message {
                Message::Span(span) => spans.push(*span),
                Message::Flush(done) => flushed.push(done),
            }
        }
        if !spans.is_empty() {
            note(exporter.export(spans).await, &mut failures);
        }
        for done in flushed {
            // Whether somebody still waits makes no difference.
            let _ = done.send(());
        }
    }
}

fn note(sent: opentelemetry_sdk::error::OTelSdkResult, failures: &mut Repeat) {
    let Err(error) = sent else {
        if failures.worked() {
            tracing::info!("Spans are sent again");
        }
        return;
    };
    // The words of the error differ from call to call; the failure is one.
    if let Some(count) = failures.failed("not sent", Instant::now()) {
        tracing::warn!(%error, count, "Spans could not be sent to the collector, and are lost");
    }
}

#[cfg(test)]
mod tests;
