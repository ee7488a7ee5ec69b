//! Sets the operator up and runs it until a signal.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use baton_identity::{Expected, incoming};
use baton_telemetry::{Repeat, ServerLimits, Tracer, admin_router, new_registry, serve_http};
use baton_wire::directory::directory_server::DirectoryServer;
use baton_wire::identity::identity_server::IdentityServer;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::api::ApiServer;
use crate::args::{Args, Command};
use crate::certificate::{Custodian, Resolver};
use crate::check;
use crate::client;
use crate::directory::{Attendance, Caller, DirectoryService};
use crate::event::Announcer;
use crate::feed::{Feed, Listed};
use crate::groups::Groups;
use crate::health::InService;
use crate::identity::{self, Herald, IdentityService, Issuer};
use crate::index::SharedIndex;
use crate::injector::{self, Defaults, Injector};
use crate::lease::{Candidate, Fence};
use crate::metrics::Metrics;
use crate::tls;
use crate::vital::Vital;

/// HTTP/2 keepalive towards agents: a half-open stream is noticed within 15 s.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Bounds of the admin server: a kubelet, a scraper, and a few people.
const ADMIN: ServerLimits =
    ServerLimits { connections: 64, idle: Duration::from_secs(60), stall: Duration::from_secs(30) };

/// How long open streams and requests may take to end after a signal.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long pods are still admitted after a signal: until the API server has heard that this operator leaves its Service.
const LINGER: Duration = Duration::from_secs(5);

/// How often gauges that nobody pushes are read.
const GAUGES: Duration = Duration::from_secs(5);

/// Runs the operator until SIGTERM or SIGINT, or what else was asked for.
pub async fn run(args: Args) -> anyhow::Result<()> {
    // Clients that are not told which one use the process's.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if args.command == Some(Command::Check) {
        return check::run(&args, connect(&args).await?).await;
    }
    let stop = CancellationToken::new();
    let fence = Fence::default();
    let api = ApiServer::new(connect(&args).await?).behind(fence.clone());
    let index = SharedIndex::default();
    let attendance = Arc::new(Attendance::default());
    let metrics = Metrics::default();
    let resolver = Arc::new(Resolver::default());
    let issuer = Issuer::new(args.trust_domain.clone());

    let candidate = Candidate::new(
        api.clone(),
        &args.namespace,
        &args.lease,
        name(&args),
        args.own_directory(),
        fence,
        metrics.clone(),
    );
    let office = candidate.office();
    let caller = Caller::new(office.clone(), issuer.wallet().clone());
    let line = caller.line();

    let feed = Feed::new(index.clone(), api.clone());
    let listed = feed.listed();
    let mut registry = new_registry();
    metrics.register(&mut registry);
    let health = Arc::new(InService {
        listed: listed.clone(),
        resolver: resolver.clone(),
        issuer: issuer.clone(),
        line: line.clone(),
    });
    let admin = listen(args.admin).await?;
    let mut vital = Vital::default();
    vital.spawn("the server of probes and metrics", serve_http(admin, admin_router(health, Arc::new(registry)), ADMIN));
    vital.spawn("a watch", feed.run());
    vital.spawn("the line to the holder of the lease", caller.run());
    let resigned = CancellationToken::new();
    let mut candidacy = tokio::spawn(stand(candidate, listed.clone(), resigned.clone()));

    let injector = Injector {
        index: index.clone(),
        api: api.clone(),
        metrics: metrics.clone(),
        defaults: Arc::new(Defaults {
            image: args.agent_image.clone(),
            operator: args.directory_url(),
            traces: args.traces.clone(),
        }),
        garbage: Arc::default(),
    };
    let acceptor = TlsAcceptor::from(Arc::new(resolver.server_config().context("set up TLS")?));
    let admitted = CancellationToken::new();
    let webhook =
        tls::serve(listen(args.webhook).await?, acceptor, injector::router(injector.clone()), admitted.clone());
    let mut webhook = tokio::spawn(webhook);
    let custodian = Custodian::new(
        api.clone(),
        &args.namespace,
        &args.service,
        &args.webhook_secret,
        &args.webhook_configuration,
        resolver,
        office.clone(),
    );
    vital.spawn("the keeper of the webhook's certificate", custodian.run());
    let custodian =
        identity::Custodian::new(api.clone(), &args.namespace, &args.identity_secret, issuer.clone(), office.clone());
    vital.spawn("the keeper of the agents' CA", custodian.run());
    let herald = Herald::new(api.clone(), &args.namespace, &index, &issuer, office.clone());
    vital.spawn("what tells agents whom to trust", herald.run());
    vital.spawn("the gauges", gauges(metrics.clone(), api.clone(), attendance.clone()));

    let directory = listen(args.directory).await?;
    let announcer = Announcer::new(api.clone(), args.pod_name.clone());
    let groups = Groups {
        index: index.clone(),
        attendance: attendance.clone(),
        api: api.clone(),
        announcer,
        metrics: metrics.clone(),
        office: office.clone(),
        defaults: injector.defaults.clone(),
        tracer: Tracer::new(args.traces.as_deref(), "baton-operator", &name(&args))?,
    };
    let certificates = IdentityService::new(index.clone(), api.clone(), issuer, metrics.clone());
    let refusals = Arc::default();
    let service = DirectoryService { index, attendance, api, metrics, refusals, office, line, stop: stop.clone() };
    let mut served = tokio::spawn(serve_directory(directory, service, certificates, groups, listed, stop.clone()));

    tokio::select! {
        signalled = signalled() => signalled?,
        error = vital.ended() => return Err(error),
        _ = &mut candidacy => bail!("the election ended"),
        _ = &mut webhook => bail!("the webhook ended"),
        _ = &mut served => bail!("the directory ended"),
    }
    tracing::info!("The operator stops; running agents keep their lists");
    // Another takes over while this one still serves; what agents said last is written by that one.
    resigned.cancel();
    let _ = tokio::time::timeout(GOODBYE, candidacy).await;
    stop.cancel();
    let lingering = async {
        tokio::time::sleep(LINGER).await;
        admitted.cancel();
        tokio::time::timeout(GOODBYE, webhook).await
    };
    let _ = tokio::join!(tokio::time::timeout(GOODBYE, served), lingering);
    Ok(())
}

/// Stands for election once the index is a picture of the cluster.
async fn stand(candidate: Candidate, mut listed: Listed, resigned: CancellationToken) {
    if resigned.run_until_cancelled(listed.complete()).await.is_some() {
        candidate.run(resigned).await;
    }
}

/// A name that no other process has or ever had: a container that starts again in its pod is another candidate.
fn name(args: &Args) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}_{:x}", args.pod_name.as_deref().unwrap_or("operator"), since.as_nanos())
}

/// Serves agents once the index is a picture of the cluster: decisions from half a picture would be wrong.
async fn serve_directory(
    listener: TcpListener,
    service: DirectoryService,
    certificates: IdentityService,
    groups: Groups,
    mut listed: Listed,
    stop: CancellationToken,
) {
    let mut roots = certificates.issuer.roots();
    let ready = async { (listed.complete().await, roots.wait_for(|roots| !roots.is_empty()).await.is_ok()) };
    if stop.run_until_cancelled(ready).await.is_none() {
        return;
    }
    tracing::info!("The operator is in service");
    let groups = tokio::spawn(stop.clone().run_until_cancelled_owned(groups.run()));
    let config = match certificates.issuer.wallet().server_config(Expected::Anybody) {
        Ok(config) => config,
        Err(error) => return tracing::error!(%error, "The directory cannot speak TLS"),
    };
    let (metrics, said) = (service.metrics.clone(), parking_lot::Mutex::new(Repeat::new()));
    let connections = incoming(listener, config, move |from, refusal| {
        metrics.refused_connection(refusal.code());
        // Whoever scans ports must not fill the log, so all reasons are one failure.
        if let Some(count) = said.lock().failed("stranger", Instant::now()) {
            tracing::warn!(%from, %refusal, count, "A connection to the directory was refused");
        }
    });
    let certificates = IdentityServer::new(certificates).max_decoding_message_size(IdentityService::MESSAGE_BYTES);
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .tcp_nodelay(true)
        .add_service(certificates)
        .add_service(DirectoryServer::new(service))
        .serve_with_incoming_shutdown(connections, stop.cancelled());
    let groups = async {
        // What ended it was a panic, or the signal after which open streams are still served.
        let _ = groups.await;
        if stop.is_cancelled() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::error!(%error, "The directory ended");
        },
        () = groups => tracing::error!("The tasks of groups ended"),
    }
}

async fn connect(args: &Args) -> anyhow::Result<Client> {
    let config = match &args.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.context("use the kubeconfig")?
        }
        None => Config::infer().await.context("find out how to reach the API server")?,
    };
    client::client(config).context("make a client of the API server")
}

async fn listen(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

async fn gauges(metrics: Metrics, api: ApiServer, attendance: Arc<Attendance>) {
    loop {
        metrics.api_server(api.is_reached());
        metrics.streams(attendance.len());
        metrics.forwarded(attendance.forwarded());
        tokio::time::sleep(GAUGES).await;
    }
}

async fn signalled() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
