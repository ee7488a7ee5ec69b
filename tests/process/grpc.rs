//! What an app writes by gRPC is what others read by HTTP, and the other way round; a stream of writes keeps its order and
//! its acknowledgements; garbage on the port costs nothing.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use baton_api as api;
use baton_api::event::What;
use baton_api::state_client::StateClient;
use baton_api::write_request::Operation;
use baton_tests::agent::Agent;
use baton_tests::group::{Group, Pod};
use baton_tests::http::Http;
use baton_tests::port;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::transport::Channel;

const WRITES: usize = 2_000;

#[test]
fn grpc_and_http_are_the_same_operations_on_the_same_data() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder);
        let mut ports = Vec::new();
        for _ in 0..2 {
            let (mut options, port) = (group.announce()?, port::free()?);
            options.flags.extend(["--grpc".to_owned(), format!("127.0.0.1:{port}")]);
            group.pods.push(Pod { agent: Agent::start(&options, folder)?, app: None });
            ports.push(port);
        }
        for port in &ports {
            TcpStream::connect(("127.0.0.1", *port))?.write_all(&[0xff; 4096])?;
        }
        Runtime::new()?.block_on(async {
            let (mut here, mut there) = (connect(ports[0]).await?, connect(ports[1]).await?);
            let mut watch =
                there.watch(api::WatchRequest { map: "log".into(), ..Default::default() }).await?.into_inner();
            let results = write_all(&mut here).await?;
            ensure!(results.iter().all(|result| result.written && result.acks == 1), "not all are acknowledged");
            // Several additions may arrive as one change.
            let mut seen = None;
            while seen != Some(WRITES as i64) {
                let event = timeout(PATIENCE, watch.message()).await??.context("the watch has ended")?;
                let Some(What::Change(change)) = event.what else { continue };
                let now = change.after.and_then(|entry| entry.count);
                ensure!(now > seen, "{now:?} after {seen:?}");
                seen = now;
            }
            let entry = read(&mut there, "last").await?;
            ensure!(entry.count == Some(WRITES as i64), "{entry:?}");
            anyhow::Ok(())
        })?;
        let http = Http::new(PATIENCE);
        let url = |at: usize, key: &str| format!("{}/v1/maps/log/entries/{key}", group.pods[at].agent.url());
        let got = http.get(&url(1, "last"))?;
        ensure!(got.body == WRITES.to_string().as_bytes(), "{got}");
        ensure!(http.send("PUT", &url(1, "by-http"), &[], b"v")?.status == 201, "it was not put");
        let entry = Runtime::new()?.block_on(async { read(&mut connect(ports[0]).await?, "by-http").await })?;
        ensure!(entry.value.is_some_and(|value| value.body == "v"), "another value");
        Ok(())
    })
}

async fn connect(port: u16) -> Result<StateClient<Channel>> {
    Ok(StateClient::connect(format!("http://127.0.0.1:{port}")).await?)
}

/// Adds to one counter again and again; the results must come in order.
async fn write_all(client: &mut StateClient<Channel>) -> Result<Vec<api::WriteResult>> {
    let add = api::WriteRequest {
        key: key("last"),
        operation: Some(Operation::Increment(api::Increment { by: 1 })),
        ..api::WriteRequest::default()
    };
    let mut answers = client.writes(futures_util::stream::iter(vec![add; WRITES])).await?.into_inner();
    let mut results = Vec::new();
    while let Some(result) = timeout(PATIENCE, answers.message()).await?? {
        ensure!(result.count == Some(results.len() as i64 + 1), "{result:?}");
        results.push(result);
    }
    Ok(results)
}

async fn read(client: &mut StateClient<Channel>, name: &str) -> Result<api::Entry> {
    Ok(client.get(api::GetRequest { key: key(name) }).await?.into_inner())
}

fn key(name: &str) -> Option<api::Key> {
    Some(api::Key { map: "log".into(), key: name.to_owned().into(), field: None })
}
