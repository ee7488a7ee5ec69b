//! What happens in the group, from the agent's watch.
//!
//! The watch comes first and the lists then, so that nothing is missed; what the lists show may come once more. A watch that
//! breaks goes on from its last event, and is told to begin anew where that is not kept any more.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::events::{Event, Events};
use super::{Baton, PAGE, nonsense, refusal};
use crate::store::{Entry, Everything, Member, News, Owner, StoreError};

const EVENTS: &str = "change,adopted,released,members";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The pause before a watch that has ended is begun again.
const PAUSE: Duration = Duration::from_millis(500);

/// One page of a list: of a map, or of what this pod owns.
#[derive(Deserialize)]
struct Page {
    #[serde(alias = "owned")]
    entries: Vec<Row>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    map: Option<String>,
    key: String,
    #[serde(flatten)]
    shown: Shown,
}

/// What an event says of a key.
#[derive(Deserialize)]
struct Happened {
    map: String,
    key: String,
    new: Option<Shown>,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    json: Value,
    owner: Option<Owned>,
}

#[derive(Deserialize)]
struct Owned {
    replica: String,
    token: String,
    confirmed: bool,
    mine: bool,
}

#[derive(Deserialize)]
struct Members {
    me: Listed,
    members: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    replica: String,
    pod: String,
    phase: String,
}

// === impl Baton ===

impl Baton {
    pub(crate) async fn follow(&self, maps: &[&str], tell: mpsc::Sender<News>) {
        let mut seen = None;
        while !tell.is_closed() {
            if let Err(error) = self.watch(maps, &tell, &mut seen).await {
                tracing::debug!(%error, "The watch has ended");
            }
            sleep(PAUSE).await;
        }
    }

    /// One watch, from the last event that was `seen` to its end.
    async fn watch(
        &self,
        maps: &[&str],
        tell: &mpsc::Sender<News>,
        seen: &mut Option<HeaderValue>,
    ) -> Result<(), StoreError> {
        let url = format!("{}/v1/watch?events={EVENTS}", self.url);
        let headers: Vec<_> = seen.iter().map(|id| (LAST_EVENT_ID, id.clone())).collect();
        let opened = self.http.open(&url, &headers).await;
        let response = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if response.status() != StatusCode::OK {
            return Err(StoreError::Unavailable(response.status().to_string()));
        }
        let mut events = Events::new(response.into_body());
        while let Some(event) = events.next().await {
            let Some(news) = self.understand(maps, &event).await? else { continue };
            if tell.send(news).await.is_err() {
                return Ok(());
            }
            *seen = HeaderValue::from_str(&event.id).ok();
        }
        Ok(())
    }

    async fn understand(&self, maps: &[&str], event: &Event) -> Result<Option<News>, StoreError> {
        let of_map = |wrap: fn(Entry) -> News| {
            let happened: Happened = serde_json::from_str(&event.data).map_err(nonsense)?;
            let ours = maps.contains(&happened.map.as_str());
            Ok(ours.then(|| wrap(happened.into())))
        };
        match event.kind.as_str() {
            "start" | "resync" => Ok(Some(News::Everything(self.everything(maps).await?))),
            "change" => of_map(News::Changed),
            "adopted" => of_map(News::Adopted),
            "released" => of_map(News::Released),
            // The event lists the others, not this pod.
            "members" => Ok(Some(News::Members(self.members().await?))),
            _ => Ok(None),
        }
    }

    async fn everything(&self, maps: &[&str]) -> Result<Everything, StoreError> {
        let members = self.members().await?;
        let mut entries = Vec::new();
        for map in maps {
            entries.extend(self.rows(&format!("/v1/maps/{map}/entries"), map).await?);
        }
        let mut owned = self.rows("/v1/owned", "").await?;
        owned.retain(|entry| maps.contains(&entry.map.as_str()));
        Ok(Everything { members, entries, owned })
    }

    /// All pages of a list.
    async fn rows(&self, path: &str, map: &str) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut from = String::new();
        loop {
            let page: Page = self.ask(&format!("{path}?values=plain&limit={PAGE}{from}")).await?;
            entries.extend(page.entries.into_iter().map(|row| row.entry(map)));
            let Some(cursor) = page.cursor else { return Ok(entries) };
            from = format!("&cursor={cursor}");
        }
    }

    async fn members(&self) -> Result<Vec<Member>, StoreError> {
        let Members { me, members } = self.ask("/v1/members").await?;
        let others = members.into_iter().filter(|member| member.phase != "Gone").map(|member| member.member(false));
        Ok([me.member(true)].into_iter().chain(others).collect())
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, StoreError> {
        let reply = self.send(Method::GET, &format!("{}{path}", self.url), &[], Bytes::new()).await?;
        if reply.status != StatusCode::OK {
            return Err(refusal(&reply));
        }
        serde_json::from_slice(&reply.body).map_err(nonsense)
    }
}

// === impl Row ===

impl Row {
    /// A list of one map does not say which.
    fn entry(self, map: &str) -> Entry {
        let map = self.map.unwrap_or_else(|| map.to_owned());
        Happened { map, key: self.key, new: Some(self.shown) }.into()
    }
}

// === impl Entry ===

impl From<Happened> for Entry {
    fn from(Happened { map, key, new }: Happened) -> Self {
        let (value, owner) = new.map_or((None, None), |shown| (Some(shown.json), shown.owner));
        Self { map, key, value, owner: owner.map(Owner::from) }
    }
}

// === impl Owner ===

impl From<Owned> for Owner {
    fn from(Owned { replica, token, confirmed, mine }: Owned) -> Self {
        Self { id: replica, token, confirmed, mine }
    }
}

// === impl Listed ===

impl Listed {
    fn member(self, me: bool) -> Member {
        // A pod that ends goes through several phases.
        let leaving = !matches!(self.phase.as_str(), "Joining" | "Active");
        Member { id: self.replica, pod: self.pod, leaving, me }
    }
}
