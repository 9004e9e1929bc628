//! Bytes in and out of a socket; what went wrong is a value, never an error to pass on.

pub(crate) mod plain;
