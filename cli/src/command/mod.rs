//! What a person types, one module a command.

pub(crate) mod account;
pub(crate) mod backup;
pub(crate) mod chat;
pub(crate) mod chats;
pub(crate) mod check_config;
mod data;
pub(crate) mod dev_keys;
mod device;
mod figures;
pub(crate) mod group;
pub(crate) mod inspect;
mod look;
pub(crate) mod operate;
pub(crate) mod pin;
pub(crate) mod presence;
pub(crate) mod recv;
pub(crate) mod repair;
pub(crate) mod restore;
pub(crate) mod scrub;
mod security;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod trace;
mod waiting;
