//! The terminal chat: a messenger in a terminal, on the SDK's client.
//!
//! ```text
//!  keys, size, focus ─► shell ─► model ─► view ─► terminal
//!  client's events   ─►   ▲        │ actions
//!                         └────────┘──► client
//! ```
//! `model` is pure: what is shown, and what keys do; `conversation` is its open chat, `layout`
//! and `bubble` make rows of it. `view` draws, `history` translates what the client keeps,
//! `shell` waits and does. What others wrote passes `text::inert` before anything else.

mod bubble;
mod command;
mod connection;
mod conversation;
mod geometry;
mod group;
mod history;
mod input;
mod layout;
mod message;
mod model;
mod moment;
mod palette;
mod screen;
mod shell;
#[cfg(test)]
mod stage;
mod text;
mod view;

pub(crate) use screen::check as check_terminal;
pub(crate) use shell::run;
