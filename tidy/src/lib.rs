//! Checks of the workspace's own shape: which crate may know which, that every file is
//! part of something and says what it is, and that nothing was left lying about.
//!
//! Each check takes the [`workspace::Workspace`] as plain data and gives its findings as
//! lines; `tests/workspace.rs` runs them over the real one, and each has tests of its own
//! that plant what it must find.

pub mod edges;
pub mod modules;
pub mod text;
pub mod unsafety;
pub mod workspace;
