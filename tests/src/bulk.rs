//! Many bytes under many keys: what a slow link needs time for.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::agent::Agent;
use crate::http::Http;
use crate::wait::PATIENCE;

/// The map that holds it.
const MAP: &str = "bulk";
/// More than any scenario writes.
const PAGE: usize = 1_000;

/// So many keys with values of so many bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    /// How many keys.
    pub keys: usize,
    /// The size of each value.
    pub bytes: usize,
}

// === impl Bulk ===

impl Bulk {
    /// Writes all of it to one agent. `query` is `?acks=0` and the like.
    pub fn write(self, agent: &Agent, query: &str) -> Result<()> {
        let http = Http::new(PATIENCE);
        for number in 0..self.keys {
            let reply = http.send("PUT", &url(agent, number, query), &[], &self.value(number))?;
            ensure!(reply.ok(), "key {number}: {reply}");
        }
        Ok(())
    }

    /// Deletes the first keys.
    pub fn delete(self, agent: &Agent, count: usize) -> Result<()> {
        let http = Http::new(PATIENCE);
        for number in 0..count {
            let reply = http.send("DELETE", &url(agent, number, "?acks=0"), &[], &[])?;
            ensure!(reply.status == 204, "key {number}: {reply}");
        }
        Ok(())
    }

    /// The keys that an agent lacks.
    pub fn missing(self, agent: &Agent) -> Result<usize> {
        let url = format!("{}/v1/maps/{MAP}/entries?limit={PAGE}", agent.url());
        let page: Value = Http::new(PATIENCE).get_json(&url)?;
        ensure!(page["cursor"].is_null(), "there is more than one page");
        let keys = page["entries"].as_array().into_iter().flatten();
        let held: BTreeSet<&str> = keys.filter_map(|entry| entry["key"].as_str()).collect();
        Ok((0..self.keys).filter(|number| !held.contains(name(*number).as_str())).count())
    }

    /// An agent holds all of it but the first `deleted` keys, byte for byte.
    pub fn ensure_on(self, agent: &Agent, deleted: usize) -> Result<()> {
        let http = Http::new(PATIENCE);
        for number in 0..self.keys {
            let reply = http.get(&url(agent, number, ""))?;
            let good = match number < deleted {
                true => reply.status == 404,
                false => reply.status == 200 && reply.body == self.value(number),
            };
            ensure!(good, "key {number} on {}: status {}, {} bytes", agent.name(), reply.status, reply.body.len());
        }
        Ok(())
    }

    /// Not the same for two keys, and nothing that a link could shorten.
    fn value(self, number: usize) -> Vec<u8> {
        let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        noise.take(self.bytes).collect()
    }
}

fn name(number: usize) -> String {
    format!("key-{number}")
}

fn url(agent: &Agent, number: usize, query: &str) -> String {
    format!("{}/v1/maps/{MAP}/entries/{}{query}", agent.url(), name(number))
}
