//! A pod as the kubelet sees it.

use baton_replica::ReplicaId;

/// One pod: an app and an agent beside it.
#[derive(Debug)]
pub(crate) struct Pod {
    /// The agent's process, while one runs.
    pub(crate) agent: Option<ReplicaId>,
    pub(crate) app: App,
    pub(crate) hook: Hook,
    /// Since when it is being deleted.
    pub(crate) terminating: Option<u64>,
    /// Since when it is told to stop.
    pub(crate) stopped: Option<u64>,
    pub(crate) revision: u64,
    /// Whether it has no app, and never had.
    pub(crate) keeper: bool,
}

/// The app's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    Running,
    Exited,
}

/// The agent's preStop hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    NotCalled,
    Held,
    Returned,
}

// === impl Pod ===

impl Pod {
    pub(crate) const fn new(revision: u64) -> Self {
        let (app, hook) = (App::Running, Hook::NotCalled);
        Self { agent: None, app, hook, terminating: None, stopped: None, revision, keeper: false }
    }

    pub(crate) const fn keeper() -> Self {
        Self { app: App::Exited, keeper: true, ..Self::new(0) }
    }

    /// Whether the kubelet may stop the agent: the app is gone and the hook has returned.
    pub(crate) fn may_stop(&self) -> bool {
        self.terminating.is_some() && self.stopped.is_none() && self.app == App::Exited && self.hook == Hook::Returned
    }
}
