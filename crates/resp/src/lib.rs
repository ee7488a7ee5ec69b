//! The Redis protocol as a server speaks it: requests in, replies out, in RESP2 and RESP3.
//!
//! This crate is pure: it opens no socket. A [`Decoder`] finds requests at the start of the bytes that have come, of
//! which nothing is copied; an [`Encoder`] appends replies to a buffer. Both are bounded, whatever a client sends or
//! asks for.

mod argument;
mod decoder;
mod encoder;
mod inline;
mod number;

pub use argument::{Arguments, KeptArguments};
pub use decoder::{Decoder, Limits, ProtocolError};
pub use encoder::{Encoder, TooLarge, Version};
pub use number::{format_double, parse_double, parse_integer};
