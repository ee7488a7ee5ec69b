//! Loopback ports for processes that cannot choose their own.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// Below the range from which the kernel takes ports for outgoing connections: one of those could take a port between
/// its test and its use.
const FIRST: u16 = 10_000;
const LAST: u16 = 21_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, and that this process has not given out before.
pub fn free() -> Result<u16> {
    let span = LAST - FIRST;
    // Two runs at the same time begin at different places.
    let start = (std::process::id() % u32::from(span)) as u16;
    (0..span)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % span) % span)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no loopback port is free")
}
