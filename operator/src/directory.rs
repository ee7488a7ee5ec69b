//! The conversation with agents: who attends, what they report, and the stream of memberships to each.
//!
//! Every operator serves agents from its own index. What they report counts where it is written down: an operator that
//! does not hold the lease forwards it to the one that does.

mod attendance;
mod attendee;
mod convert;
mod forward;
mod hello;
mod line;
mod relay;
mod service;
mod session;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

pub use attendance::{Attendance, Seat};
pub use attendee::{Attendee, Known, Settled};
pub use line::{Caller, Line};
pub use service::DirectoryService;
