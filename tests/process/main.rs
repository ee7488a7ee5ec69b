//! The process-level suite: real agents on loopback with a members file, and what a machine can do to them.
//!
//! `cargo test --package baton-tests --test process` runs it; `cargo build --package baton-agent --package arena` must have come before.
//! Logs of each scenario are in `target/process/<scenario>/`.

mod arena_owner;
mod arena_page;
mod bad_request;
mod collections;
mod crash;
mod crowd;
mod departure_of_two;
mod entry_options;
mod frozen_peer;
mod garbage;
mod grpc;
mod half_open_peer;
mod hook;
mod hook_again;
mod identity;
mod members_file;
mod no_survivor;
mod ownership;
mod partition;
mod presence;
mod redis;
mod redis_equal;
mod redis_group;
mod release;
mod rolling_restart;
mod second_process;
mod slow_link;
mod trace;
mod two_releases;
mod unix_socket;
mod usage;
mod watch;
