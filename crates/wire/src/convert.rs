//! Conversions between wire messages and the replica's types.
