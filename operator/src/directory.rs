//! The conversation with agents: who attends, what they report, and the stream of memberships to each.

mod attendance;
mod attendee;
mod convert;
mod hello;
mod service;
mod session;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

pub use attendance::{Attendance, Seat};
pub use attendee::{Attendee, Known, Settled};
pub use service::DirectoryService;
