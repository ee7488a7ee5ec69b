//! What lost data elsewhere, one test for each.

// The protocol's own tests use the rest of the harness.
#[path = "../protocol"]
mod protocol {
    #[allow(dead_code, unused_imports)]
    pub(crate) mod harness;
}

pub(crate) use protocol::harness;

mod departure;
mod retirement;
mod window;
