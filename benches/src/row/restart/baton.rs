//! The restart of three agents.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::writer::{Crew, Door, Session};
use super::{CALM, Restart, VALUE_BYTES, observe};
use crate::fleet::Fleet;
use crate::load;
use crate::pipe::Pipe;
use crate::row::Stage;
use crate::sample;

const MEMBERS: usize = 3;

/// Until the others have noticed that an agent has ended; a pod takes longer to come than this.
const NOTICE: std::time::Duration = std::time::Duration::from_secs(3);

/// What a Service is: the ports of those who serve.
struct Ports(Mutex<Vec<u16>>);

pub(super) fn restart(stage: &Stage, keys: u64) -> Result<Restart> {
    let mut fleet = Fleet::start(&stage.folder("baton")?, MEMBERS)?;
    load::fill(&fleet.ports(), keys, VALUE_BYTES)?;
    let ports = Arc::new(Ports(Mutex::new(fleet.ports())));
    let crew = Crew::start(&ports, keys, VALUE_BYTES);
    let mut restart = observe(&crew, stage.time(CALM), || {
        (0..MEMBERS)
            .map(|_| {
                fleet.add()?;
                let oldest = fleet.agents.remove(0);
                ports.set(fleet.ports());
                let stop = fleet.leave(oldest)?.stop;
                std::thread::sleep(NOTICE);
                Ok(stop)
            })
            .collect()
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
    fn set(&self, ports: Vec<u16>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }
}

impl Door for Ports {
    type Session = Pipe;

    /// The newest is the last: a writer moves only when its own member leaves, or to the place of one that did.
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
