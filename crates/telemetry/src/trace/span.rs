//! One span of a handoff.

use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The first half of the id of every handoff's trace; the second is the id of the replica that leaves.
const HANDOFF: u64 = u64::from_be_bytes(*b"handoff.");

/// What happened between two moments of a handoff.
#[derive(Clone, Debug)]
pub struct Span {
    replica: u64,
    id: u64,
    name: &'static str,
    begun: SystemTime,
    ended: SystemTime,
    attributes: Vec<KeyValue>,
    failure: Option<String>,
}

// === impl Span ===

impl Span {
    /// The whole handoff of a replica that leaves. Its own agent alone says this.
    pub fn handoff(replica: u64, begun: SystemTime, ended: SystemTime) -> Self {
        Self { id: replica, ..Self::part(replica, "handoff", begun, ended) }
    }

    /// A part of the handoff of a replica that leaves.
    pub fn part(replica: u64, name: &'static str, begun: SystemTime, ended: SystemTime) -> Self {
        // Zero is no id.
        let id = rand::random::<u64>().max(1);
        Self { replica, id, name, begun, ended, attributes: Vec::new(), failure: None }
    }

    /// Says more of it.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(name, value));
        self
    }

    /// Says that it went wrong, and how, if so.
    pub fn failed(self, failure: Option<String>) -> Self {
        Self { failure, ..self }
    }

    pub(super) fn into_data(self) -> SpanData {
        let trace = (u128::from(HANDOFF) << u64::BITS) | u128::from(self.replica);
        let (root, id) = (SpanId::from(self.replica), SpanId::from(self.id));
        let (trace, flags) = (TraceId::from(trace), TraceFlags::SAMPLED);
        SpanData {
            span_context: SpanContext::new(trace, id, flags, false, TraceState::default()),
            parent_span_id: if id == root { SpanId::INVALID } else { root },
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: self.name.into(),
            start_time: self.begun,
            end_time: self.ended.max(self.begun),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.failure.map_or(Status::Unset, Status::error),
            instrumentation_scope: InstrumentationScope::builder("baton").build(),
        }
    }
}
