//! Spans as a collector gets them.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{Span, Tracer, collector};

/// Hands on what it gets.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).map_err(|_| Status::internal("nobody listens"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn all_who_take_part_in_a_handoff_name_one_trace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, mut received) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let ended = begun + Duration::from_millis(20);
    let replica = 0x00ab_cdef_0123_4567;
    let leaver = Tracer::new(Some(&url), "baton-agent", "web-1").expect("a tracer");
    leaver.send(Span::handoff(replica, begun, ended).with("baton.keys", 7_i64));
    leaver.flush().await;
    let operator = Tracer::new(Some(&url), "baton-operator", "operator-1").expect("a tracer");
    operator.send(Span::part(replica, "conclude", begun, ended).failed(Some("nobody has it".to_owned())));
    operator.flush().await;

    let mut spans = Vec::new();
    for service in ["baton-agent", "baton-operator"] {
        let request = received.recv().await.expect("a request");
        let said = format!("{:?}", request.resource_spans[0].resource);
        assert!(said.contains(service) && said.contains("service.instance.id"), "{said}");
        spans.extend(request.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans));
    }
    let [handoff, part] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((handoff.name.as_str(), part.name.as_str()), ("handoff", "conclude"));
    assert_eq!(handoff.trace_id, part.trace_id);
    assert!(
        handoff.parent_span_id.is_empty() && part.parent_span_id == handoff.span_id && part.span_id != handoff.span_id
    );
    assert_eq!((handoff.start_time_unix_nano, handoff.end_time_unix_nano), (5_000_000_000, 5_020_000_000));
    assert_eq!(handoff.attributes[0].key, "baton.keys");
    let failed = part.status.as_ref().expect("a status");
    assert_eq!((failed.code, failed.message.as_str()), (StatusCode::Error.into(), "nobody has it"));
}

#[tokio::test]
async fn without_a_collector_nothing_is_sent_and_nothing_waits() {
    let tracer = Tracer::new(None, "baton-agent", "web-1").expect("a tracer");
    assert!(!tracer.is_on());
    tracer.send(Span::handoff(1, SystemTime::now(), SystemTime::now()));
    tracer.flush().await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_the_spans_alone() {
    let tracer = Tracer::new(Some("http://127.0.0.1:1"), "baton-agent", "web-1").expect("a tracer");
    for _ in 0..5_000 {
        tracer.send(Span::handoff(1, SystemTime::now(), SystemTime::now()));
    }
    tokio::time::timeout(Duration::from_secs(30), tracer.flush()).await.expect("it gives up");
}

#[test]
fn a_collector_is_named_by_a_plain_url() {
    assert_eq!(collector("http://otel:4317").as_deref(), Ok("http://otel:4317"));
    for wrong in ["", "otel:4317", "https://otel:4317", "http://", "http://otel:4318/v1/traces"] {
        assert!(collector(wrong).is_err_and(|error| error.contains("write it like")), "{wrong}");
    }
}
