//! Gauges that are looked up when somebody scrapes.

use std::fmt;
use std::sync::Arc;

use baton_replica::{MemberPhase, Phase};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::engine::{Engine, Status};

/// The engine, as metrics see it.
pub(super) struct Snapshot {
    engine: Arc<Engine>,
}

// === impl Snapshot ===

impl Snapshot {
    pub(super) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let status = self.engine.status();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("keys", "Live keys of all maps.", status.keys)?;
        gauge("bytes", "Bytes of keys and values of all maps.", status.bytes)?;
        gauge(
            "remembered_keys",
            "Keys held, deleted ones that are still remembered included.",
            status.remembered_keys,
        )?;
        gauge("log_slots", "Writes that some member has not acknowledged yet.", status.log_slots)?;
        gauge(
            "inherited_keys",
            "Keys held when the group removed this agent, of which those that the group lacks are not issued again yet.",
            status.inherited_keys,
        )?;
        gauge("membership_number", "Number of the newest member list, 0 before the first.", status.membership)?;
        gauge("links", "Open links to members.", linked(&status))?;
        gauge("watchers", "Watches of apps that are open.", self.engine.watchers() as u64)?;
        gauge(
            "subscriptions",
            "Channels and patterns that apps listen to.",
            self.engine.channels().subscriptions() as u64,
        )?;
        gauge("in_sync", "Whether this agent has applied what its peers had a moment ago.", status.in_sync.into())?;
        gauge("ready", "Whether traffic should come to this pod.", status.ready.into())?;
        let mut counter = |name: &str, help: &str, value: u64| {
            ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
        };
        let help = "Messages of channels that were not sent to a peer, which was too slow.";
        counter("dropped_messages", help, self.engine.channels().dropped())?;
        let help = "Subscribers that were cut off, since they did not read.";
        counter("cut_off_subscribers", help, self.engine.channels().cut_off())?;
        let help = "Shards of peers that had seen the same and held something else: a bug or a corruption, each time.";
        counter("digest_mismatches", help, status.digest_mismatches)?;
        phases(&mut encoder, &status)?;
        members(&mut encoder, &status)
    }
}

/// One of them is 1.
fn phases(encoder: &mut DescriptorEncoder, status: &Status) -> Result<(), fmt::Error> {
    const PHASES: [(Phase, &str); 5] = [
        (Phase::Joining, "Joining"),
        (Phase::Active, "Active"),
        (Phase::Draining, "Draining"),
        (Phase::Tail, "Tail"),
        (Phase::Sealed, "Sealed"),
    ];
    let help = "1 for the phase that this agent is in.";
    let mut family = encoder.encode_descriptor("phase", help, None, MetricType::Gauge)?;
    for (phase, name) in PHASES {
        let value = i64::from(status.phase == phase);
        ConstGauge::new(value).encode(family.encode_family(&[("phase", name)])?)?;
    }
    Ok(())
}

/// The other members by phase; those that are Gone are none.
fn members(encoder: &mut DescriptorEncoder, status: &Status) -> Result<(), fmt::Error> {
    const PHASES: [(MemberPhase, &str); 3] =
        [(MemberPhase::Joining, "Joining"), (MemberPhase::Active, "Active"), (MemberPhase::Leaving, "Leaving")];
    let help = "Other members by phase.";
    let mut family = encoder.encode_descriptor("members", help, None, MetricType::Gauge)?;
    for (phase, name) in PHASES {
        let count = status.members.iter().filter(|member| member.phase == phase).count() as i64;
        ConstGauge::new(count).encode(family.encode_family(&[("phase", name)])?)?;
    }
    Ok(())
}

fn linked(status: &Status) -> u64 {
    status.members.iter().filter(|member| member.linked).count() as u64
}
