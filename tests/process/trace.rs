//! A handoff is one trace at the collector: the agent that leaves and those that stay tell of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use baton_tests::group::Group;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Keeps what it gets.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources.flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[test]
fn a_handoff_is_one_trace_of_all_who_take_part() -> Result<(), Failure> {
    scene::run(|folder| {
        let (runtime, collector) = (Runtime::new()?, Collector::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = TraceServiceServer::new(collector.clone());
        let incoming = {
            let _inside = runtime.enter();
            TcpIncoming::from(listener)
        };
        runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));

        let mut group = Group::new(folder).with_flags(&["--traces", &url]).with_pods(3)?;
        group.start_apps("");
        group.play(Duration::from_secs(1));
        let mut leaver = group.pods.remove(0);
        group.members.mark_leaving(&[leaver.agent.name()])?;
        let list = format!("Took the members file number={} ", group.members.number());
        wait::until(PATIENCE, "all are told that it leaves", || {
            ensure!(group.pods.iter_mut().all(|pod| pod.agent.process().log().contains(&list)));
            Ok(())
        })?;
        leaver.end(PATIENCE)?.ensure_acknowledged()?;
        group.members.remove(leaver.agent.name())?;
        wait::until(PATIENCE, "all have told of it", || {
            let spans = collector.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
            names.sort_unstable();
            ensure!(names == ["handoff", "hold", "survive", "survive", "tail"], "there are {names:?}");
            let whole = spans.iter().find(|span| span.name == "handoff").context("no handoff")?;
            ensure!(spans.iter().all(|span| span.trace_id == whole.trace_id), "there are several traces: {spans:?}");
            let parts = spans.iter().filter(|span| span.parent_span_id == whole.span_id).count();
            ensure!(parts == names.len() - 1, "{parts} spans are parts of it: {spans:?}");
            Ok(())
        })?;
        group.check()
    })
}
