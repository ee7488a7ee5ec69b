//! Which of several operators writes: the one that holds a Lease of Kubernetes.
//!
//! All operators serve agents, certificates and the webhook; what is written, the holder writes. [`Sighting`] has the rule,
//! after client-go's: the clocks of others are never read, a lease has lapsed when *this* process has seen nothing new of
//! it for its duration. [`Candidate`] owns the IO, [`Office`] tells who holds the lease, and a [`Fence`] stops the writes
//! of a process that may have lost it without knowing.

mod candidate;
mod decide;
mod fence;
mod office;
mod record;

#[cfg(test)]
mod tests;

pub use candidate::Candidate;
pub use decide::{Sighting, Step};
pub use fence::{Fence, Pass};
pub use office::{Holder, Office, Term};
pub use record::Record;

use std::time::Duration;

/// How long a lease is good after its last renewal: the times are those that Kubernetes' own components have.
pub const DURATION: Duration = Duration::from_secs(15);

/// How long after its last renewal a holder begins no write any more.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How often a holder renews its lease.
pub const RENEWAL: Duration = Duration::from_secs(2);

/// How often others look at it: one that is given back is taken within this time.
pub const LOOK: Duration = Duration::from_secs(1);
