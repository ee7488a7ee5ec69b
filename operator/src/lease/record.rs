//! What a Lease object says, as far as the election goes.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::DURATION;

/// The annotation that says where other operators reach the holder.
pub(super) const ADDRESS: &str = "baton.dev/address";

/// The longest duration that is believed: an object that somebody spoilt must not keep everybody out for ever.
const LONGEST: Duration = Duration::from_secs(300);

/// One state of the Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What a write over it must name.
    pub resource_version: String,
    /// Who holds it; nobody if it was given back.
    pub holder: Option<String>,
    /// Where other operators reach the holder.
    pub address: Option<String>,
    /// How long it is good after a renewal.
    pub duration: Duration,
    /// When it was last renewed, by the holder's clock: news of it counts, its value does not.
    pub renewed: Option<Timestamp>,
    /// When the holder took it, by its clock.
    pub acquired: Option<Timestamp>,
    /// How often it has changed hands.
    pub transitions: i32,
}

// === impl Record ===

impl Record {
    /// What an object says.
    pub fn of(lease: Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.filter(|seconds| *seconds > 0).map_or(DURATION, Duration::from_secs);
        Self {
            resource_version: lease.metadata.resource_version.unwrap_or_default(),
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            address: lease.metadata.annotations.and_then(|mut all| all.remove(ADDRESS)),
            duration: duration.min(LONGEST),
            renewed: spec.renew_time.map(|time| time.0),
            acquired: spec.acquire_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or_default(),
        }
    }

    /// Whether another state shows that its holder is alive, or is another.
    pub fn is_news_after(&self, before: &Self) -> bool {
        let life = |one: &Self| (one.holder.clone(), one.renewed, one.transitions);
        life(self) != life(before)
    }

    /// The state after this one if `holder` takes or renews the lease. `before` is none if there is no object.
    pub(super) fn held(before: Option<&Self>, holder: &str, address: Option<&str>, now: Timestamp) -> Self {
        let kept = before.filter(|before| before.holder.as_deref() == Some(holder));
        Self {
            resource_version: before.map(|before| before.resource_version.clone()).unwrap_or_default(),
            holder: Some(holder.to_owned()),
            address: address.map(str::to_owned),
            duration: DURATION,
            renewed: Some(now),
            acquired: kept.and_then(|kept| kept.acquired).or(Some(now)),
            transitions: before.map_or(0, |before| before.transitions.saturating_add(i32::from(kept.is_none()))),
        }
    }

    /// The state after this one if its holder gives the lease back.
    pub(super) fn given_back(&self, now: Timestamp) -> Self {
        Self { holder: None, address: None, renewed: Some(now), ..self.clone() }
    }

    /// As a patch over the state that it was derived from.
    pub(super) fn patch(&self) -> Value {
        json!({
            "metadata": { "resourceVersion": self.resource_version, "annotations": { ADDRESS: self.address } },
            "spec": {
                "holderIdentity": self.holder.as_deref().unwrap_or_default(),
                "leaseDurationSeconds": self.duration.as_secs(),
                "acquireTime": self.acquired.map(MicroTime),
                "renewTime": self.renewed.map(MicroTime),
                "leaseTransitions": self.transitions,
            },
        })
    }
}
