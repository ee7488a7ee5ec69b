//! `watch`: the changes of a map, as one agent sees them.
//!
//! The agent's API has no stream of changes, so its list is asked for again and again, and compared by the versions of
//! its entries: a key that is written twice between two looks is one change.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::{Duration, sleep};

use crate::agent::Agent;
use crate::args::WatchArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::keys::{self, Entry};
use crate::output::{self, Output};

/// More keys than this would keep an agent busy with being looked at.
const MAX_KEYS: usize = 10_000;

/// The least pause between two looks.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// How often another agent is looked for when one has gone.
const RECONNECTS: usize = 10;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// It was there at the first look.
    Present,
    /// It is new.
    Added,
    /// It has another version.
    Changed,
    /// It is gone.
    Deleted,
}

/// One change.
#[derive(Debug, PartialEq, Serialize)]
struct Change<'a> {
    change: Kind,
    #[serde(flatten)]
    entry: &'a Entry,
}

type View = BTreeMap<String, Entry>;

/// Runs the command until it is interrupted, or has seen enough.
pub(crate) async fn run(cluster: &Cluster, args: &WatchArgs) -> Result<Outcome, Failure> {
    let mut agent = Agent::of(cluster, &args.source).await?;
    let mut before: Option<View> = None;
    let mut left = args.count.unwrap_or(usize::MAX);
    loop {
        let view = match look(&mut agent, args).await {
            Ok(view) => view,
            // A named pod may be asked for to see its end.
            Err(error) if args.source.pod.is_some() => return Err(error),
            Err(_) => {
                agent = again(cluster, args).await?;
                output::note(&format!("The agent of pod {} is asked from now on.", agent.pod));
                look(&mut agent, args).await?
            }
        };
        for change in changes(before.as_ref(), &view) {
            if left == 0 {
                return Ok(Outcome::Well);
            }
            tell(args.output, &change)?;
            left = left.saturating_sub(usize::from(change.change != Kind::Present));
        }
        if left == 0 {
            return Ok(Outcome::Well);
        }
        before = Some(view);
        sleep(args.interval.get().max(MIN_INTERVAL)).await;
    }
}

async fn look(agent: &mut Agent, args: &WatchArgs) -> Result<View, Failure> {
    let listed = keys::list(agent, &args.map, &args.prefix, MAX_KEYS).await?;
    if listed.more {
        return Err(Failure::new(format!("more than {MAX_KEYS} keys of map {} would be watched", args.map))
            .hint("say which with --prefix"));
    }
    Ok(listed.entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect())
}

async fn again(cluster: &Cluster, args: &WatchArgs) -> Result<Agent, Failure> {
    let mut last = Failure::new("no agent was tried");
    for _ in 0..RECONNECTS {
        match Agent::of(cluster, &args.source).await {
            Ok(agent) => return Ok(agent),
            Err(error) => last = error,
        }
        sleep(Duration::from_secs(1)).await;
    }
    Err(last)
}

/// What differs between two looks; at the first, all that there is.
fn changes<'a>(before: Option<&'a View>, now: &'a View) -> Vec<Change<'a>> {
    let kind = |entry: &Entry| match before.map(|view| view.get(&entry.key)) {
        None => Some(Kind::Present),
        Some(None) => Some(Kind::Added),
        Some(Some(old)) => (old.etag != entry.etag).then_some(Kind::Changed),
    };
    let there = now.values().filter_map(|entry| Some(Change { change: kind(entry)?, entry }));
    let gone = before.into_iter().flat_map(BTreeMap::values).filter(|entry| !now.contains_key(&entry.key));
    there.chain(gone.map(|entry| Change { change: Kind::Deleted, entry })).collect()
}

fn tell(output: Output, change: &Change<'_>) -> Result<(), Failure> {
    match output.table() {
        Some(_) => output::text(&line(change)),
        None => output.line(change),
    }
}

fn line(change: &Change<'_>) -> String {
    let Change { change, entry } = change;
    let word = format!("{change:?}").to_lowercase();
    let key = keys::shown(&entry.key);
    match change {
        Kind::Deleted => format!("{word:<10}{key}\n"),
        Kind::Present | Kind::Added | Kind::Changed => {
            format!("{word:<10}{key}  ({} bytes, {})\n", entry.size, entry.etag)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(entries: &[(&str, &str)]) -> View {
        let entry = |(key, etag): &(&str, &str)| {
            let entry = Entry { key: (*key).into(), etag: (*etag).into(), content_type: String::new(), size: 1 };
            (entry.key.clone(), entry)
        };
        entries.iter().map(entry).collect()
    }

    fn said(before: Option<&View>, now: &View) -> String {
        changes(before, now).iter().map(line).collect()
    }

    #[test]
    fn the_first_look_shows_what_is_there_and_later_ones_what_has_changed() {
        let first = view(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(said(None, &first).lines().filter(|line| line.starts_with("present")).count(), 3);
        let later = view(&[("a", "1"), ("b", "9"), ("d", "4")]);
        assert_eq!(said(Some(&first), &later), "changed   b  (1 bytes, 9)\nadded     d  (1 bytes, 4)\ndeleted   c\n");
        assert_eq!(said(Some(&later), &later), "");
    }

    #[test]
    fn a_change_is_one_line_of_json() {
        let now = view(&[("a%2Fb", "1")]);
        let json = serde_json::to_value(&changes(Some(&view(&[])), &now)[0]).expect("json");
        assert_eq!((json["change"].as_str(), json["key"].as_str()), (Some("added"), Some("a%2Fb")));
    }
}
