//! What the suites share: programs as child processes, writers that remember what was acknowledged, and the check of it.
//!
//! `process/` runs agents on loopback with a members file. `e2e/` runs scenarios on a Kubernetes. A scenario is one
//! file whose first lines say which promise it proves.

pub mod agent;
pub mod api;
pub mod app;
pub mod arena;
pub mod baton;
pub mod browser;
pub mod bulk;
pub mod cluster;
pub mod crowd;
pub mod evidence;
pub mod group;
pub mod http;
pub mod ledger;
pub mod link;
pub mod members;
pub mod place;
pub mod pod;
pub mod pods;
pub mod port;
pub mod process;
pub mod redis;
pub mod scenario;
pub mod scene;
pub mod server;
pub mod stage;
pub mod tunnel;
pub mod wait;
pub mod watch;
