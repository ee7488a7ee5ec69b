//! The operator with ten thousand agents: how fast they are told, and what that takes.
//!
//! The operator is the release build, as a process, with real watches and one stream by mutual TLS for each agent. The API
//! server is simulated, the agents hold no state.

mod churn;
mod process;
mod restart;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use baton_tests::port;

use crate::apiserver::ApiServer;
use crate::crowd::{Crowd, Sight, Sights, Stage as Event, Surroundings};
use crate::figure::Figure;
use crate::row::Stage;
use crate::sample::{millis, percentile};
use crate::world::{Size, World};
use churn::Churn;
use process::{Operator, Watched};

/// What the targets speak of: all groups in few namespaces, which is the hardest for an index.
const FULL: Size = Size { namespaces: 5, groups: 500, pods: 20 };
/// Changes of pods a second, and for how long.
const CHANGES: u64 = 100;
const TIME: Duration = Duration::from_secs(300);
/// In the second half, one group of so many has an agent that reads nothing.
const SILENT: usize = 10;
/// How long anything may take before the row is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// All that the parts of the row share.
pub(super) struct Scene {
    server: ApiServer,
    world: Arc<World>,
    crowd: Arc<Crowd>,
    surroundings: Arc<Surroundings>,
}

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(run(stage));
    runtime.shutdown_background();
    figures
}

async fn run(stage: &Stage) -> Result<Vec<Figure>> {
    let server = ApiServer::start()?;
    let share = stage.amount(1_000);
    let groups = (FULL.groups * share / 1_000).max(5);
    let world = Arc::new(World::new(server.store.clone(), Size { groups, ..FULL })?);
    let agents = world.fill()?;
    let surroundings = Arc::new(Surroundings {
        directory: format!("127.0.0.1:{}", port::free()?),
        roots: world.roots.clone(),
        sights: Sights::default(),
        era: AtomicU64::new(1),
    });
    let crowd = Arc::new(Crowd::new(surroundings.clone()));
    let scene = Scene { server, world, crowd, surroundings };
    let count = agents.len();
    let begun = Instant::now();
    let mut operator = Operator::start(&stage.folder("operator")?, &scene)?;
    let members = agents.into_iter().map(|agent| scene.crowd.add(agent)).collect();
    let first = scene.crowd.served(begun, PATIENCE).await?;

    let time = stage.time(TIME);
    let rate = (CHANGES * share / 1_000).max(10);
    let churn = Arc::new(Churn::new(&scene, members));
    operator.ensure_running()?;
    let watched = operator.watch();
    let half = Instant::now();
    churn.clone().run(rate, time / 2).await?;
    churn.silence(SILENT);
    churn.clone().run(rate, time / 2).await?;
    let (made, lasted) = (churn.made(), half.elapsed());
    let Watched { resident, cores, lag } = watched.end().await?;
    churn.converged(PATIENCE).await?;
    operator.ensure_running()?;

    let sights = scene.surroundings.sights.take();
    let mut figures = vec![
        Figure::new("agents by mutual TLS", count as f64, ""),
        Figure::new("all of them served, from the operator's start", first.as_secs_f64(), "s"),
        Figure::new("changes of pods", made as f64 / lasted.as_secs_f64(), "/s").at_least(0.95 * rate as f64),
    ];
    figures.extend(pushes("", &sights, false)?);
    figures.extend(pushes(", beside an agent that reads nothing", &sights, true)?);
    figures.extend([
        Figure::new("operator: resident memory, at most", resident as f64 / 1e6, "MB").at_most(256.0),
        Figure::new("operator: processor", cores, "cores").at_most(1.0),
        Figure::new("the bench's own delay, p99", millis(lag), "ms"),
    ]);
    churn.silence(0);
    figures.extend(restart::measure(stage, &scene, &mut operator, &churn).await?);
    Ok(figures)
}

/// From the event of a pod until the last of its peers was told.
fn pushes(title: &str, sights: &[(Event, Sight)], beside_silent: bool) -> Result<Vec<Figure>> {
    let of = |events: &[Event]| -> Vec<Duration> {
        let wanted = sights.iter().filter(|(event, one)| events.contains(event) && one.beside_silent == beside_silent);
        wanted.filter_map(|(_, one)| one.took()).collect()
    };
    let mut told = of(&[Event::Leaving, Event::Gone]);
    ensure!(!told.is_empty(), "no change was seen by anybody{title}");
    let [half, most, all] = [50, 99, 100].map(|percent| millis(percentile(&mut told, percent)));
    let mut joined = of(&[Event::Joined]);
    Ok(vec![
        Figure::new(format!("pod event to all agents of its group{title}: p50"), half, "ms"),
        Figure::new(format!("the same{title}: p99"), most, "ms").at_most(1_000.0),
        Figure::new(format!("the same{title}: the longest of {}", told.len()), all, "ms"),
        Figure::new(format!("hello to all agents of its group{title}: p99"), millis(percentile(&mut joined, 99)), "ms"),
    ])
}
