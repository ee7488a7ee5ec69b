//! A Deployment's stand-in: some pods, replaced one by one, the new one first.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::members::{Members, replace};
use super::pod::{Handoff, Plan, Pod};
use super::port;

/// The programs that pods run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) agent: PathBuf,
    pub(crate) arena: PathBuf,
}

/// Pods on loopback, and the file in which their clients look them up.
pub(crate) struct Fleet {
    folder: PathBuf,
    programs: Programs,
    members: Option<Members>,
    pods: Vec<Pod>,
    started: usize,
}

// === impl Fleet ===

impl Fleet {
    /// Starts `size` pods with agents, or without.
    pub(crate) fn start(folder: &Path, programs: &Programs, size: usize, baton: bool) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut fleet = Self {
            folder: folder.to_owned(),
            programs: programs.clone(),
            members: baton.then(|| Members::new(folder, "arena-1")),
            pods: Vec::new(),
            started: 0,
        };
        for _ in 0..size {
            fleet.start_pod()?;
        }
        Ok(fleet)
    }

    /// The file with one URL per line: what a Service's endpoints are.
    pub(crate) fn targets_file(&self) -> PathBuf {
        self.folder.join("targets")
    }

    /// Where each pod serves.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.pods.iter().map(Pod::url).collect()
    }

    /// Replaces every pod, and says how each handoff went.
    pub(crate) fn restart(&mut self, mut replaced: impl FnMut(&str)) -> Result<Vec<Handoff>> {
        let mut handoffs = Vec::new();
        for _ in 0..self.pods.len() {
            self.start_pod()?;
            let old = self.pods.remove(0);
            let name = old.name().to_owned();
            handoffs.extend(self.stop_pod(old)?);
            replaced(&name);
        }
        Ok(handoffs)
    }

    /// Lets all processes go on when this value is dropped.
    pub(crate) fn keep(&mut self) {
        self.pods.iter_mut().for_each(Pod::keep);
    }

    fn start_pod(&mut self) -> Result<()> {
        self.started += 1;
        let name = format!("arena-{}", self.started);
        let agent = match &mut self.members {
            None => None,
            Some(members) => {
                let peer = port::free()?;
                members.add(&name, peer)?;
                Some((members.file().to_owned(), peer))
            }
        };
        let plan = Plan { name, agent };
        self.pods.push(Pod::start(&plan, &self.programs, &self.folder)?);
        self.publish()
    }

    /// A pod that is told to end is no target any more, and its peers hear that it is leaving.
    fn stop_pod(&mut self, pod: Pod) -> Result<Option<Handoff>> {
        let name = pod.name().to_owned();
        self.publish()?;
        if let Some(members) = &mut self.members {
            members.mark_leaving(&name)?;
        }
        let handoff = pod.stop()?;
        if let Some(members) = &mut self.members {
            members.remove(&name)?;
        }
        Ok(handoff)
    }

    fn publish(&self) -> Result<()> {
        replace(&self.targets_file(), self.urls().join("\n").as_bytes())
    }
}
