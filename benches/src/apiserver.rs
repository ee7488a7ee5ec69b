//! A simulated API server: objects, list and watch with resource versions, patches and conflicts, over real HTTP.
//!
//! It is what the operator talks to when ten thousand pods would be too many to run. It admits everything, checks no
//! schema and knows no user; what it does, it does as Kubernetes does it.

mod answer;
mod store;
mod target;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

pub(crate) use store::{Place, Request, Store};

/// A server that answers until the process ends.
pub(crate) struct ApiServer {
    /// What it holds.
    pub(crate) store: Arc<Store>,
    address: SocketAddr,
}

// === impl ApiServer ===

impl ApiServer {
    /// Listens on a port of its own, in a thread of its own: what the agents do must not delay it.
    pub(crate) fn start() -> Result<Self> {
        let store = Arc::new(Store::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let served = store.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(serve(listener, served)));
        Ok(Self { store, address })
    }

    /// A kubeconfig for it.
    pub(crate) fn kubeconfig(&self) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "bench", "user": {}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        })
    }
}

async fn serve(listener: std::net::TcpListener, store: Arc<Store>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let store = store.clone();
        // A client that goes away ends its connection.
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer::answer(store.clone(), request));
            let mut http = http1::Builder::new();
            let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
