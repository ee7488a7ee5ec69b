//! The process: binds everything, starts every task, and ends with the departure.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use baton_identity::{Member, Wallet};
use baton_replica::{Budget, ReplicaId, Settings};
use baton_telemetry::Tracer;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::{error, info};

use crate::config::{Config, RunArgs, SourceConfig};
use crate::control::{Control, ControlServer, DepartureOutcome, DepartureReport};
use crate::departure::{Departure, DepartureHandle};
use crate::engine::{self, Engine, Identity};
use crate::http::StatusReport;
use crate::metric::Metrics;
use crate::open_file;
use crate::redis::Front;
use crate::refusal::Refusals;
use crate::transport::Transport;
use crate::{admin, grpc, http, link, membership, presence, redis, socket, witness};

/// Wrong usage or configuration.
const USAGE: u8 = 2;

/// How soon peers that did not send it hear what was applied here.
const SETTLE: Duration = Duration::from_millis(100);

/// How long nothing comes from peers before memory is given back: the allocator keeps for a second what may be needed again.
const REST: Duration = Duration::from_secs(2);

/// What the kubelet leaves a container that it stops without a hook.
const STOP_WITHOUT_HOOK: Duration = Duration::from_secs(2);

/// The command `run`.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    let config = match args.into_config() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("baton-agent: {error}");
            return ExitCode::from(USAGE);
        }
    };
    if let Err(error) = baton_telemetry::init_logs(&config.log, config.log_format) {
        eprintln!("baton-agent: {error}");
        return ExitCode::from(USAGE);
    }
    let outcome = Builder::new_multi_thread().enable_all().build().context("cannot start the runtime").and_then(|rt| {
        let outcome = rt.block_on(serve(config));
        rt.shutdown_background();
        outcome
    });
    match outcome {
        Ok(receipt) if receipt.outcome.is_safe() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            error!(error = format!("{error:#}"), "Cannot start");
            ExitCode::from(USAGE)
        }
    }
}

/// Runs one of the commands that call a running agent.
pub(crate) fn call(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime: std::io::Result<Runtime> = Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("baton-agent: cannot start the runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The control socket's way to the departure.
struct Controls {
    engine: Arc<Engine>,
    departure: DepartureHandle,
}

// === impl Controls ===

impl Control for Controls {
    async fn drain(&self) -> DepartureReport {
        match self.departure.hook().await {
            Some(report) => report,
            None => ended_already(),
        }
    }

    async fn release(&self) -> bool {
        self.departure.release().await
    }

    fn status(&self) -> StatusReport {
        self.engine.status().into()
    }
}

/// The process ends while a hook is held: it never says that a handoff succeeded which it did not see succeed.
fn ended_already() -> DepartureReport {
    DepartureReport {
        outcome: DepartureOutcome::Failed,
        keys: 0,
        keys_unacknowledged: 0,
        keys_unadopted: 0,
        keys_unconfirmed: 0,
        released: false,
        bytes: 0,
        survivors: Vec::new(),
        hold_millis: 0,
        tail_millis: 0,
        message: "The agent ended before the hook returned; its termination message says how".to_owned(),
    }
}

async fn serve(config: Config) -> anyhow::Result<DepartureReport> {
    let replica = random_id();
    let identity = Identity {
        group: config.qualified_group(),
        pod_name: config.pod.name.clone(),
        pod_uid: config.pod.uid.clone(),
    };
    open_file::raise_limit();
    let engine = Engine::new(replica, identity, config.shards, config.limits);
    let (http_listener, peer_listener, admin_listener) =
        (bind("HTTP", config.http).await?, bind("peer", config.peer).await?, bind("admin", config.admin).await?);
    let socket = config.run_dir.control_socket();
    let control = ControlServer::bind(&socket)
        .with_context(|| format!("cannot bind the control socket {}; set --run-dir", socket.display()))?;
    let grpc_listener = match config.grpc {
        Some(address) => Some(bind("gRPC", address).await?),
        None => None,
    };
    let redis_listener = match config.redis {
        Some(address) => Some(bind("Redis", address).await?),
        None => None,
    };
    let http_socket = config.http_socket.as_deref().map(app_socket).transpose()?;
    let redis_socket = config.redis_socket.as_deref().map(app_socket).transpose()?;
    let refusals = Refusals::default();
    let metrics = Metrics::new(engine.clone(), &refusals);
    let transport = transport(&config, refusals)?;
    let tracer = Tracer::new(config.traces.as_deref(), "baton-agent", &config.pod.name)?;
    let (departure_handle, departure) = Departure::new(
        engine.clone(),
        metrics.clone(),
        tracer.clone(),
        budget(&config),
        config.termination_log.clone(),
    );
    info!(%replica, group = engine.identity().group, pod = config.pod.name, "Starting");

    tokio::spawn(serve_peers(engine.clone(), peer_listener, transport.clone()));
    tokio::spawn(link::dial(engine.clone(), transport.clone()));
    tokio::spawn(http::serve(engine.clone(), http_listener, metrics.clone()));
    if let Some(listener) = http_socket {
        tokio::spawn(http::serve(engine.clone(), listener, metrics.clone()));
    }
    if let Some(listener) = grpc_listener {
        tokio::spawn(serve_grpc(engine.clone(), listener));
    }
    let redis = Front::new(engine.clone(), &metrics);
    tokio::spawn(redis::notify(redis.clone()));
    if let Some(listener) = redis_listener {
        tokio::spawn(redis::serve(redis.clone(), listener));
    }
    if let Some(listener) = redis_socket {
        tokio::spawn(redis::serve(redis, listener));
    }
    tokio::spawn(admin::serve(engine.clone(), admin_listener, metrics));
    tokio::spawn(control.serve(Arc::new(Controls { engine: engine.clone(), departure: departure_handle.clone() })));
    tokio::spawn(membership::run(engine.clone(), transport, config.clone()));
    tokio::spawn(engine::expire(engine.clone()));
    tokio::spawn(engine::adopt(engine.clone()));
    tokio::spawn(engine::tell_watchers(engine.clone()));
    tokio::spawn(presence::tend(engine.clone()));
    tokio::spawn(engine::reissue(engine.clone()));
    tokio::spawn(witness::witness(engine.clone(), tracer));
    tokio::spawn(settle(engine));
    tokio::spawn(stop_on_signal(departure_handle)?);
    Ok(departure.run().await)
}

/// A Unix socket for the app.
fn app_socket(path: &Path) -> anyhow::Result<UnixListener> {
    // Whoever sees the file may open it, as any process of the pod may use the loopback address.
    socket::bind(path, 0o666).with_context(|| format!("cannot bind the app's socket {}", path.display()))
}

/// How peers and the operator are talked to.
fn transport(config: &Config, refusals: Refusals) -> anyhow::Result<Transport> {
    match &config.source {
        SourceConfig::File { credential: Some(files), .. } => {
            let wallet = Arc::new(Wallet::default());
            let texts = files.load(&wallet)?;
            let own = wallet.identity().and_then(|identity| identity.member().cloned());
            let wanted = Member::new(&config.namespace, &config.group, &config.pod.name)?;
            anyhow::ensure!(own.as_ref() == Some(&wanted), "the certificate is not that of {wanted:?}, but of {own:?}");
            tokio::spawn(files.clone().follow(wallet.clone(), texts));
            Ok(Transport::mutual(wallet, refusals))
        }
        SourceConfig::File { credential: None, .. } => Ok(Transport::plain(refusals)),
        // The operator fills the wallet.
        SourceConfig::Operator { .. } => Ok(Transport::mutual(Arc::default(), refusals)),
    }
}

async fn serve_peers(engine: Arc<Engine>, listener: TcpListener, transport: Transport) {
    if let Err(error) = link::serve(engine, listener, transport).await {
        error!(error = format!("{error:#}"), "Peer links are not accepted any more");
    }
}

async fn serve_grpc(engine: Arc<Engine>, listener: TcpListener) {
    if let Err(error) = grpc::serve(engine, listener).await {
        error!(error = format!("{error:#}"), "The app's gRPC API is not served any more");
    }
}

/// An id that no process has had.
pub(crate) fn random_id() -> ReplicaId {
    loop {
        if let Some(id) = ReplicaId::new(rand::random()) {
            return id;
        }
    }
}

async fn bind(what: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for {what}; is the port taken?"))
}

fn budget(config: &Config) -> Budget {
    // Outside Kubernetes nothing calls a hook, and SIGTERM starts the whole grace period.
    let stop_without_hook = match config.source {
        SourceConfig::File { .. } => config.grace,
        SourceConfig::Operator { .. } => STOP_WITHOUT_HOOK,
    };
    Budget { grace: config.grace, handoff_timeout: Settings::default().handoff_timeout, stop_without_hook }
}

/// An idle process is not woken at all.
async fn settle(engine: Arc<Engine>) {
    loop {
        engine.unsettled().await;
        sleep(SETTLE).await;
        engine.settle();
        while timeout(REST, engine.unsettled()).await.is_ok() {
            sleep(SETTLE).await;
            engine.settle();
        }
        give_memory_back();
    }
}

/// The allocator returns free memory to the system when it is asked for more, and when a thread ends. A process that has
/// been busy and now rests would keep all that it had needed: ten megabytes after a million writes.
fn give_memory_back() {
    // Where no thread can be started, it is given back later.
    drop(std::thread::Builder::new().name("rest".to_owned()).spawn(|| drop(std::hint::black_box(Box::new(0_u8)))));
}

fn stop_on_signal(departure: DepartureHandle) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            departure.stop().await;
        }
    })
}
