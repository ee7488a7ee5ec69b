//! Holds a load's record against what every server says now.
//!
//! Replication is asynchronous, so servers get a short time to agree; what is wrong after it counts.

mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::http::Http;
use crate::load::{self, Record};
use crate::serve::seconds;
use verdict::{Asked, View, judge};

/// What was lost may be found, and what was gone may come back: a clean verdict counts when it holds for so long.
const CALM: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Flags of `arena check`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What `arena load --report` wrote.
    #[arg(long)]
    record: PathBuf,
    /// Base URLs of the servers; a name stands for all of its addresses.
    #[arg(long, value_delimiter = ',', required = true)]
    targets: Vec<String>,
    #[command(flatten)]
    scope: Scope,
}

/// Flags that say how many servers are asked, and how much each must know.
#[derive(clap::Args)]
pub(crate) struct Scope {
    /// It is enough that one of the servers knows a player, as when they share nothing.
    #[arg(long)]
    any: bool,
    /// How many servers must answer. Without it, all that the targets name; with it, the others may be gone: a name
    /// may still stand for addresses of yesterday.
    #[arg(long)]
    servers: Option<usize>,
    /// How many seconds servers may take to agree.
    #[arg(long, default_value = "10", value_parser = seconds)]
    settle: Duration,
}

#[derive(Deserialize)]
struct Listing {
    players: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    step: u64,
}

/// Checks a record that a file holds.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    judge_and_print(&Record::load(&options.record)?, &options.targets, &options.scope).await
}

/// Asks until the verdict is clean or the time is over; prints it; fails if something is lost.
pub(crate) async fn judge_and_print(record: &Record, targets: &[String], scope: &Scope) -> anyhow::Result<()> {
    let asked = if scope.any { Asked::Any } else { Asked::Every };
    let http = Http::new(TIMEOUT);
    let begun = Instant::now();
    let mut clean_since = None;
    let verdict = loop {
        let judged = match views(&http, targets, scope.servers).await {
            Ok(views) => judge(record, &views, asked),
            Err(error) => Err(error),
        };
        let late = begun.elapsed() >= scope.settle;
        match judged {
            Ok(verdict) if verdict.clean() => {
                let since = *clean_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= CALM {
                    break verdict;
                }
            }
            Ok(verdict) if late => break verdict,
            Err(error) if late => return Err(error),
            _ => clean_since = None,
        }
        sleep(POLL).await;
    };
    load::print(&serde_json::json!({ "verdict": verdict }))?;
    anyhow::ensure!(verdict.clean(), "acknowledged writes are missing");
    Ok(())
}

/// What each server knows.
async fn views(http: &Http, targets: &[String], servers: Option<usize>) -> anyhow::Result<Vec<View>> {
    let mut addresses = load::addresses(targets).await?;
    addresses.sort_unstable();
    addresses.dedup();
    let mut views = Vec::new();
    for address in addresses {
        match (view(http, &address.to_string()).await, servers) {
            (Ok(view), _) => views.push(view),
            (Err(error), None) => return Err(error),
            (Err(error), Some(_)) => tracing::debug!(%error, "A server does not answer"),
        }
    }
    let enough = servers.is_none_or(|servers| views.len() >= servers);
    anyhow::ensure!(enough, "only {} servers answer", views.len());
    Ok(views)
}

async fn view(http: &Http, server: &str) -> anyhow::Result<View> {
    let url = format!("http://{server}/players");
    let reply = http.send(Method::GET, &url, &[], Bytes::new()).await?;
    anyhow::ensure!(reply.status == StatusCode::OK, "{url} answers {}", reply.status);
    let listing: Listing = serde_json::from_slice(&reply.body).with_context(|| format!("{url} gives no list"))?;
    let steps = listing.players.into_iter().map(|player| (player.id, player.step)).collect();
    Ok(View { server: server.to_owned(), steps })
}
