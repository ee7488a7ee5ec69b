//! The operator ends, and another comes, while all agents are connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::churn::Churn;
use super::process::Operator;
use super::{PATIENCE, Scene};
use crate::apiserver::Request;
use crate::figure::Figure;
use crate::row::Stage;

/// How long the new operator has been up when its requests are counted.
const SETTLED: Duration = Duration::from_secs(20);

pub(super) async fn measure(
    stage: &Stage,
    scene: &Scene,
    operator: &mut Operator,
    churn: &Arc<Churn>,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let ways = [("stopped", Signal::TERM), ("killed", Signal::KILL)];
    for (how, signal) in ways.into_iter().take(usize::try_from(stage.rounds(2))?) {
        let former = scene.world.holder();
        scene.surroundings.era.fetch_add(1, Ordering::Relaxed);
        let begun = operator.restart(signal)?;
        let served = scene.crowd.served(begun, PATIENCE).await?;
        // A pod is replaced to the end: lists are written again.
        churn.clone().replace().await?;
        let writes = begun.elapsed();
        ensure!(scene.world.holder() != former, "a change was written by an operator that has ended");
        tokio::time::sleep(stage.time(SETTLED).saturating_sub(begun.elapsed())).await;
        let requests = scene.server.store.requests(begun);
        let name = |what: &str| format!("{how} and started: {what}");
        let full = Figure::new(name("a pod replaced"), writes.as_secs_f64(), "s");
        // What was killed holds its lease for fifteen seconds, as Kubernetes' own components do.
        let full = if signal == Signal::TERM { full.at_most(10.0) } else { full };
        let (what, most) = commonest(&requests);
        figures.extend([
            Figure::new(name("every agent has its list"), served.as_secs_f64(), "s").at_most(10.0),
            full,
            Figure::new(name("requests to the API server until then"), requests.len() as f64, ""),
            Figure::new(name("the most of them in one second"), busiest(begun, requests.iter().map(|one| one.at)), ""),
            Figure::new(name(&format!("the most of one kind, {what}")), most, ""),
        ]);
    }
    Ok(figures)
}

fn busiest(since: Instant, times: impl Iterator<Item = Instant>) -> f64 {
    let mut seconds = BTreeMap::<u64, u32>::new();
    times.for_each(|at| *seconds.entry((at - since).as_secs()).or_default() += 1);
    seconds.values().copied().max().unwrap_or_default().into()
}

/// What was asked most, and how often.
fn commonest(requests: &[Request]) -> (String, f64) {
    let mut kinds = BTreeMap::<&str, u32>::new();
    requests.iter().for_each(|request| *kinds.entry(request.what.as_str()).or_default() += 1);
    let most = kinds.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(what, count)| (what.to_owned(), count.into())).unwrap_or_default()
}
