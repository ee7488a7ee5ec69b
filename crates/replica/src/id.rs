//! Names of replicas and of their writes.

use std::fmt;
use std::str::FromStr;

/// One run of one agent process: 64 random bits, never reused, never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(u64);

/// One write: the replica that made it and that replica's counter in the shard, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who made the write.
    pub replica: ReplicaId,
    /// Which of its writes in this shard it is.
    pub counter: u64,
}

/// The text is not a replica id; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a replica id is 16 hexadecimal digits, not all zero")]
pub struct ParseReplicaIdError;

// === impl ReplicaId ===

impl ReplicaId {
    /// Takes 64 bits as an id; zero is none.
    pub const fn new(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// The bits, for the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReplicaId {
    type Err = ParseReplicaIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseReplicaIdError);
        }
        u64::from_str_radix(text, 16).ok().and_then(Self::new).ok_or(ParseReplicaIdError)
    }
}

// === impl Dot ===

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.replica, self.counter)
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
