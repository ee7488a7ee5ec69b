//! The restart of three agents.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use super::writer::{Crew, Door, Session};
use super::{CALM, MEMBERS, Restart, VALUE_BYTES, observe};
use crate::fleet::Fleet;
use crate::load;
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::sample;

/// What a Service is: the ports of those who serve, each in a place of its own.
struct Ports(Mutex<Vec<u16>>);

pub(super) fn restart(stage: &Stage, keys: u64) -> Result<Restart> {
    let mut fleet = Fleet::start(stage, "baton", MEMBERS)?;
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    let ports = Arc::new(Ports(Mutex::new(fleet.ports())));
    let crew = Crew::start(&ports, keys, VALUE_BYTES);
    let mut restart = observe(&crew, stage.time(CALM), || {
        fleet.add()?;
        let new = fleet.agents.last().context("no agent")?.ports().http;
        let oldest = fleet.agents.remove(0);
        let old = oldest.ports().http;
        // As a client that gets an error moves on: until the hook has returned, the leaver takes its writes.
        Ok(Some(fleet.leave(oldest, || ports.replace(old, new))?.stop))
    })?;
    crew.pass(stage.time(CALM));
    let acknowledged = crew.finish()?;
    for port in fleet.ports() {
        let mut pipe = Pipe::connect(port)?;
        for (number, value) in &acknowledged {
            restart.lost += u64::from(pipe.get_now(&sample::name(*number))?.as_ref() != Some(value));
        }
    }
    Ok(restart)
}

// === impl Ports ===

impl Ports {
    /// The new one gets the place of the old one, and all others keep theirs.
    fn replace(&self, old: u16, new: u16) {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter_mut().filter(|port| **port == old).for_each(|port| *port = new);
    }
}

impl Door for Ports {
    type Session = Pipe;

    /// Writers move only when their own member has left.
    fn place(&self, writer: u64) -> u16 {
        let ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports[writer as usize % ports.len()]
    }

    fn open(&self, place: u16) -> Result<Pipe> {
        Pipe::connect(place)
    }
}

impl Session for Pipe {
    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        self.put_now(name, "?acks=1", value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_moves_the_writers_of_the_leaver_alone() {
        let ports = Ports(Mutex::new(vec![1, 2, 3]));
        let places = || [0, 1, 2, 3].map(|writer| ports.place(writer));
        assert_eq!(places(), [1, 2, 3, 1]);
        ports.replace(1, 4);
        assert_eq!(places(), [4, 2, 3, 4]);
        ports.replace(2, 5);
        assert_eq!(places(), [4, 5, 3, 4]);
    }
}
