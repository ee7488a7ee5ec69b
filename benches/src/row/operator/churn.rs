//! Pods that are replaced, one group after the other: each replacement is five changes of pods.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use baton_wire::directory::Phase;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Scene;
use crate::crowd::{Crowd, Member, Stage, Surroundings};
use crate::world::World;

/// The changes of one replacement: made, ready, marked, ended, gone.
const CHANGES: u64 = 5;
/// From a pod's object to its agent's hello, and from the end of its containers to that of its object.
const START: Duration = Duration::from_millis(100);
const END: Duration = Duration::from_millis(100);
/// How long one step of a replacement may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether all lists are the newest.
const LOOK: Duration = Duration::from_millis(100);

/// The groups, and what is done to them.
pub(super) struct Churn {
    world: Arc<World>,
    crowd: Arc<Crowd>,
    surroundings: Arc<Surroundings>,
    groups: Vec<Group>,
    made: AtomicU64,
    turn: AtomicU64,
}

/// One group.
struct Group {
    /// The oldest first, but for one that stays and may fall silent.
    members: Mutex<VecDeque<Member>>,
    stays: Member,
    silent: AtomicBool,
}

// === impl Churn ===

impl Churn {
    /// These members stand in the order of their groups.
    pub(super) fn new(scene: &Scene, members: Vec<Member>) -> Self {
        let size = scene.world.size.pods as usize;
        let groups = members.chunks(size).filter_map(|members| {
            let (stays, others) = members.split_first()?;
            let members = Mutex::new(others.iter().cloned().collect());
            Some(Group { members, stays: stays.clone(), silent: AtomicBool::new(false) })
        });
        Self {
            world: scene.world.clone(),
            crowd: scene.crowd.clone(),
            surroundings: scene.surroundings.clone(),
            groups: groups.collect(),
            made: AtomicU64::new(0),
            turn: AtomicU64::new(0),
        }
    }

    /// How many changes have been made so far.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// An agent of every so many groups reads nothing from now on; with none, all read again.
    pub(super) fn silence(&self, every: usize) {
        for (at, group) in self.groups.iter().enumerate() {
            let silent = every > 0 && at % every == 0;
            group.silent.store(silent, Ordering::Relaxed);
            group.stays.be_silent(silent);
        }
    }

    /// Makes so many changes a second for so long, and waits for the last of them.
    pub(super) async fn run(self: Arc<Self>, rate: u64, time: Duration) -> Result<()> {
        let mut replacements = JoinSet::new();
        let begun = tokio::time::Instant::now();
        let pause = Duration::from_secs(CHANGES) / u32::try_from(rate)?;
        let count = u32::try_from(time.as_nanos() / pause.as_nanos())?.max(1);
        for at in 0..count {
            tokio::time::sleep_until(begun + pause * at).await;
            replacements.spawn(self.clone().replace());
        }
        while let Some(replaced) = replacements.join_next().await {
            replaced??;
        }
        Ok(())
    }

    /// Waits until every agent that reads has the newest list of its group.
    pub(super) async fn converged(&self, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mut behind = 0;
            for group in &self.groups {
                let newest = self.world.listed(&group.stays.pod)?.number;
                let members = group.members.lock();
                let reading = members.iter().chain([&group.stays].into_iter().filter(|_| !group.is_silent()));
                behind += reading.filter(|member| member.step.borrow().number != newest).count();
            }
            if behind == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < limit, "{behind} agents do not have the newest list after {limit:?}");
            sleep(LOOK).await;
        }
    }

    /// Replaces the oldest pod of the next group, the new one first; answers when the old one was marked.
    pub(super) async fn replace(self: Arc<Self>) -> Result<()> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize;
        let group = &self.groups[turn % self.groups.len()];
        let old = group.members.lock().pop_front().context("a group has no pod left")?;
        let agent = self.world.replacement(&old.pod);
        self.change(|world| world.create(&agent.pod));
        sleep(START).await;
        let new = self.crowd.add(agent);
        new.reached(|step| step.listed == Phase::Active, PATIENCE).await?;
        self.change(|world| world.become_ready(&new.pod));
        group.members.lock().push_back(new);
        self.depart(&old, group.is_silent()).await
    }

    /// A pod is deleted, from the mark to its end.
    async fn depart(&self, old: &Member, beside_silent: bool) -> Result<()> {
        let sights = &self.surroundings.sights;
        sights.begin(old.replica, Stage::Leaving, beside_silent);
        self.change(|world| world.mark(&old.pod));
        old.reached(|step| step.has_left, PATIENCE).await?;
        self.crowd.remove(&old.pod.uid);
        self.change(|world| world.finish(old));
        sleep(END).await;
        sights.begin(old.replica, Stage::Gone, beside_silent);
        self.change(|world| world.remove(&old.pod));
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&World)) {
        change(&self.world);
        self.made.fetch_add(1, Ordering::Relaxed);
    }
}

// === impl Group ===

impl Group {
    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }
}
