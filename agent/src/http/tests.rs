//! The API over real connections.
