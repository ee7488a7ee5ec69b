//! Ends presences whose session or pod has ended, and takes over those that have come here.

use std::collections::HashSet;
use std::sync::Arc;

use baton_replica::{AckLevel, Completion, Key, Listed, MemberPhase, Operation, WriteError};
use tracing::debug;

use crate::engine::{Batch, BatchFailure, Engine, Precondition, Tags, Write, WriteFailure, wall_millis};
use crate::presence::fate::{Fate, Here, fate};
use crate::presence::request::{pod, put};
use crate::presence::{Home, Presence};

/// How often a presence is looked at again that somebody else changes at the same moment.
const ATTEMPTS: usize = 8;

/// Nobody waits for what is done here; a leaver's hold covers it as any other write.
const UNACKNOWLEDGED: Option<AckLevel> = Some(AckLevel::Count(0));

/// Tends them until the process ends. Sleeps while no session begins or ends, and nothing is adopted.
pub(crate) async fn tend(engine: Arc<Engine>) {
    let mut membership = engine.membership();
    let mut present = HashSet::new();
    loop {
        tokio::select! {
            () = engine.sessions().changed() => {}
            changed = membership.changed() => if changed.is_err() { return },
        }
        let before = std::mem::replace(&mut present, members(&engine));
        for due in engine.sessions().take_due(wall_millis()) {
            for key in due.keys {
                if due.is_open {
                    come_back(&engine, &key, &due.name).await;
                } else {
                    end(&engine, &key, |home| is_of(&engine, home, &due.name)).await;
                }
            }
        }
        // Both may end what this agent owns.
        if engine.sessions().take_adoption() || !before.is_subset(&present) {
            look_around(&engine, &present).await;
        }
    }
}

fn is_of(engine: &Engine, home: &Home, session: &str) -> bool {
    home.session.as_deref() == Some(session) && home.agent == engine.replica().to_string()
}

/// Who has not ended, as far as the list says.
fn members(engine: &Engine) -> HashSet<String> {
    let roster = engine.roster();
    roster.rows().iter().filter(|row| row.phase != MemberPhase::Gone).map(|row| row.replica.to_string()).collect()
}

/// Looks at all presences that this agent owns, shard by shard.
async fn look_around(engine: &Engine, present: &HashSet<String>) {
    for index in 0..engine.shard_count() {
        for (row, home) in presences(engine, index) {
            look_at(engine, present, row, home).await;
        }
        tokio::task::yield_now().await;
    }
}

fn presences(engine: &Engine, index: usize) -> Vec<(Listed, Home)> {
    let owned = engine.inspect(index, |shard| match shard.owned_count() {
        0 => Ok(Vec::new()),
        _ => shard.owned(None, usize::MAX, wall_millis()),
    });
    let home = |row: Listed| {
        let home = Presence::of(&row.read.value)?.home?;
        Some((row, home))
    };
    owned.unwrap_or_default().into_iter().filter_map(home).collect()
}

async fn look_at(engine: &Engine, present: &HashSet<String>, row: Listed, home: Home) {
    let Listed { key, read } = row;
    let session = home.session.as_deref();
    let here = Here {
        agent: &engine.replica().to_string(),
        pod: pod(engine),
        is_open: session.is_some_and(|session| engine.sessions().is_open(session)),
        is_member: present.contains(&home.agent),
    };
    let fate = fate(&home, &here);
    if fate == Fate::MovesIn {
        return move_in(engine, &key, |now| *now == home).await;
    }
    // It needs no app to run here: the agent that it lives with tends it, or this one. A leaver may wait for that word.
    let is_awaited = engine.settings().completion == Completion::Confirmed;
    if is_awaited && read.owner.is_some_and(|owner| !owner.confirmed) {
        write(engine, &key, Precondition::default(), Operation::Confirm).await;
    }
    if fate == Fate::Ends {
        end(engine, &key, |now| *now == home).await;
    }
}

/// A session that has ended is open again.
async fn come_back(engine: &Engine, key: &Key, session: &str) {
    move_in(engine, key, |home| home.session.as_deref() == Some(session)).await;
}

/// A presence lives here now, and does not end before its session or this pod.
async fn move_in(engine: &Engine, key: &Key, is_it: impl Fn(&Home) -> bool) {
    for _ in 0..ATTEMPTS {
        let Ok(Some(read)) = engine.get(key) else { return };
        let Some(Presence { meta, home: Some(home) }) = Presence::of(&read.value) else { return };
        let me = engine.replica();
        let is_settled = read.expires_at().is_none() && read.owner.is_some_and(|owner| owner.replica == Some(me));
        if !is_it(&home) || (is_settled && home.agent == me.to_string()) {
            return;
        }
        let session = home.session.clone();
        let home = Home { agent: me.to_string(), pod: pod(engine).to_owned(), ..home };
        let value = Presence { meta, home: Some(home) }.to_value();
        let is = Some(Tags::Listed(vec![read.tag]));
        let batch = put(key.clone(), value, None, Precondition { is, ..Precondition::default() });
        match engine.write_together(Batch { acks: UNACKNOWLEDGED, ..batch }).await {
            Err(BatchFailure::Failed { failure, .. }) if has_changed(&failure) => {}
            Ok(_) => {
                if let Some(session) = session {
                    engine.sessions().tie(&session, key.clone());
                }
                return;
            }
            Err(failure) => return debug!(%failure, "A presence is not taken over"),
        }
    }
}

/// What a presence was tied to has ended.
async fn end(engine: &Engine, key: &Key, is_it: impl Fn(&Home) -> bool) {
    for _ in 0..ATTEMPTS {
        let Ok(Some(read)) = engine.get(key) else { return };
        let Some(home) = Presence::of(&read.value).and_then(|presence| presence.home) else { return };
        // One that has a deadline lingers already.
        if !is_it(&home) || read.expires_at().is_some() {
            return;
        }
        let until = (home.linger_millis > 0).then(|| wall_millis() + home.linger_millis);
        let operation = match until {
            Some(until) => Operation::Touch { expires_at: Some(until) },
            None => Operation::Delete,
        };
        let is = Some(Tags::Listed(vec![read.tag]));
        if !write(engine, key, Precondition { is, ..Precondition::default() }, operation).await {
            continue;
        }
        if let (Some(session), Some(until)) = (&home.session, until) {
            engine.sessions().linger(session, key.clone(), until);
        }
        return;
    }
}

/// Says whether that is done with; if not, the key has changed meanwhile.
async fn write(engine: &Engine, key: &Key, precondition: Precondition, operation: Operation) -> bool {
    let write = Write { key: key.clone(), precondition, operation, acks: UNACKNOWLEDGED };
    match engine.write(write).await {
        Err(failure) if has_changed(&failure) => false,
        Ok(_) => true,
        Err(failure) => {
            debug!(%failure, "A presence is left to others");
            true
        }
    }
}

fn has_changed(failure: &WriteFailure) -> bool {
    matches!(failure, WriteFailure::Unmet(_) | WriteFailure::Refused(WriteError::Condition { .. }))
}
