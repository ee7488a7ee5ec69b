//! `rollout restart`: restarts a workload, and waits until its last old pod has handed off and ended.
//!
//! There is no race in the waiting: the restart answers with the generation that it made, and the operator names a
//! generation as drained only when it is over.

mod tracker;
mod view;
mod workload;

use baton_crds::handoff::Handoff;
use baton_crds::{HandoffGroup, Membership, label};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::args::RestartArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome, sentence};
use crate::human;
use crate::output;
use tracker::{Look, State, Tracker};
use view::View;
use workload::Facts;
pub(crate) use workload::Workload;

/// How often the API server is asked while waiting.
const POLL: Duration = Duration::from_secs(1);

/// How long it may take to answer all that one look asks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &RestartArgs) -> Result<Outcome, Failure> {
    let workload = &args.workload;
    let facts = workload.facts(cluster).await?;
    facts.ensure_restartable(workload, args.wait)?;
    // All that may fail comes before the restart.
    let group = if args.wait { Some(group_of(cluster, workload, &facts).await?) } else { None };
    let before = match &group {
        Some(group) => Some(look(cluster, workload, group).await?),
        None => None,
    };
    let generation = workload.restart(cluster, Timestamp::now()).await?;
    output::text(&format!("{workload} restarted\n"))?;
    let (Some(group), Some(before)) = (group, before) else {
        return Ok(Outcome::Well);
    };
    let tracker = Tracker::new(&workload.key(), generation, &before);
    wait(cluster, args, &group, tracker).await
}

/// Looks again and again until the rollout is over, or the time is.
async fn wait(cluster: &Cluster, args: &RestartArgs, group: &str, mut tracker: Tracker) -> Result<Outcome, Failure> {
    let (workload, started) = (&args.workload, Instant::now());
    let mut view = View::new();
    loop {
        let looked = timeout(PATIENCE, look(cluster, workload, group)).await;
        let looked = looked.unwrap_or_else(|_| Err(Failure::new("the API server does not answer")));
        match looked {
            Ok(look) => {
                let state = tracker.look(&look, started.elapsed());
                view.tell(&tracker.take_news());
                match state {
                    State::Over => break,
                    State::Waiting | State::Settling => view.progress(&tracker.progress(&look)),
                }
            }
            Err(error) if error.is_lasting() => {
                view.clear();
                return Err(error);
            }
            // All of it was answered before the restart: the API server is away, and comes back.
            Err(error) => view.progress(&format!("{error}; trying on")),
        }
        if started.elapsed() >= args.timeout.get() {
            view.clear();
            return Err(late(workload, group, &tracker, args));
        }
        sleep(POLL).await;
    }
    view.clear();
    let (handed_off, unwell) = (tracker.handed_off(), tracker.unwell());
    for line in &unwell {
        output::note(line);
    }
    let took = human::span(started.elapsed().as_secs() as i64);
    let generation = tracker.generation();
    output::text(&format!(
        "{workload} generation {generation} is over after {took}: {} handed off\n",
        human::count(handed_off, "pod")
    ))?;
    Ok(if unwell.is_empty() { Outcome::Well } else { Outcome::Unwell })
}

fn late(workload: &Workload, group: &str, tracker: &Tracker, args: &RestartArgs) -> Failure {
    let seconds = args.timeout.get().as_secs() as i64;
    let mut message =
        format!("{workload} generation {} is not over after {}", tracker.generation(), human::span(seconds));
    for line in tracker.unwell() {
        message.push_str(&format!("; {line}"));
    }
    Failure::new(message)
        .hint(format!(
            "the rollout goes on: `kubectl baton status {group}` and `kubectl rollout status {workload}` say what it waits for; \
             if nothing moves, `kubectl baton doctor`"
        ))
        .ends(Outcome::Late)
}

/// One look at everything that tells how far the rollout is.
async fn look(cluster: &Cluster, workload: &Workload, name: &str) -> Result<Look, Failure> {
    let facts = workload.facts(cluster).await?;
    let group = cluster.group(name).await?;
    let list = cluster.api::<Membership>().get_opt(name).await;
    let list = list.map_err(|error| Failure::new(format!("cannot read Membership {name}: {}", sentence(&error))))?;
    let records = ListParams::default().labels(&format!("{}={name}", label::GROUP));
    let records = cluster.api::<Handoff>().list(&records).await;
    let records = records.map_err(|error| Failure::of(&error, "list handoffs"))?;
    Ok(Look { facts, group, list, records: records.items })
}

/// The group whose operator watches this workload: the oldest one that selects its pods.
async fn group_of(cluster: &Cluster, workload: &Workload, facts: &Facts) -> Result<String, Failure> {
    let groups = cluster.list::<HandoffGroup>("").await?;
    selecting(&groups, facts).ok_or_else(|| {
        Failure::new(format!("no HandoffGroup selects the pods of {workload}: nothing was restarted")).hint(
            "make one whose selector matches the labels of the pod template, or restart without --wait; \
             `kubectl rollout status` waits for pods, but not for handoffs",
        )
    })
}

fn selecting(groups: &[HandoffGroup], facts: &Facts) -> Option<String> {
    let fits = groups.iter().filter(|group| group.spec.selector.matches(&facts.labels));
    fits.min_by_key(|group| (group.creation_timestamp(), group.name_any())).map(ResourceExt::name_any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::group;

    #[test]
    fn the_oldest_group_that_selects_the_pods_is_asked() {
        let (mut old, mut other) = (group(&[]), group(&[]));
        old.metadata.name = Some("older".into());
        old.metadata.creation_timestamp = None;
        other.spec.selector.match_labels.clear();
        let facts = Facts { labels: [("app".to_owned(), "web".to_owned())].into(), ..Facts::default() };
        assert_eq!(selecting(&[group(&[]), old.clone()], &facts).as_deref(), Some("older"));
        assert_eq!(selecting(&[other], &facts), None);
        assert_eq!(selecting(&[old], &Facts::default()), None);
    }
}
