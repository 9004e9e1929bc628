//! What single values do not show: settings that contradict each other, and the machine.

use std::path::Path;
use std::thread;

use answerback_store::FreeSpace;
use rustix::process::{Resource, getrlimit};

use super::keys::{KEYS, find};
use super::layers::Resolved;
use super::mistake::{Mistake, Origin};
use super::{Configuration, Key};
use crate::admin::AdminListen;

/// What no box can run with.
pub(super) fn contradictions(resolved: &Resolved) -> Vec<Mistake> {
    let configuration = &resolved.configuration;
    let is_missing = |key: &&Key| key.is_required && key.show(configuration).is_empty();
    let mut mistakes: Vec<_> = KEYS.iter().filter(is_missing).map(missing).collect();
    let gateway = &configuration.gateway;
    if gateway.heartbeat_min_s > gateway.heartbeat_max_s {
        mistakes.push(reversed(resolved, "gateway.heartbeat_min_s", "gateway.heartbeat_max_s"));
    }
    mistakes
}

fn missing(key: &Key) -> Mistake {
    let flag = key.flag.map_or(String::new(), |(flag, value)| format!(", or by --{flag} {value}"));
    let (name, environment) = (key.name, key.environment());
    let text = format!("{name} is missing: set it in the file, by {environment}{flag}");
    Mistake { origin: None, text }
}

/// `low` must not be above `high`.
fn reversed(resolved: &Resolved, low: &str, high: &str) -> Mistake {
    let part = |name: &str| match find(name) {
        Some(key) => {
            format!("{name} = {} ({})", key.show(&resolved.configuration), resolved.origin(key))
        }
        None => name.to_owned(),
    };
    Mistake { origin: None, text: format!("{} is greater than {}", part(low), part(high)) }
}

/// What a box runs with, though probably not as it was meant.
pub(super) fn warnings(resolved: &Resolved) -> Vec<String> {
    let configuration = &resolved.configuration;
    [
        open_to_others(configuration),
        open_figures(configuration),
        too_little_space(configuration),
        idle_cores(configuration),
        missing_processor(configuration),
        few_descriptors(resolved),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn open_to_others(configuration: &Configuration) -> Option<String> {
    let listen = configuration.gateway.listen;
    (!listen.ip().is_loopback()).then(|| {
        format!(
            "gateway.listen = {listen} can be reached by other machines, and there is no TLS: \
             tokens and messages can be read on the way; put a TLS proxy or a private network \
             before it"
        )
    })
}

fn open_figures(configuration: &Configuration) -> Option<String> {
    let AdminListen::At(listen) = configuration.admin_listen else { return None };
    (!listen.ip().is_loopback()).then(|| {
        format!(
            "admin.listen = {listen} can be reached by other machines: whoever does reads the \
             box's figures; let only your monitoring through"
        )
    })
}

fn too_little_space(configuration: &Configuration) -> Option<String> {
    let mib = configuration.disk_reserve_mib?;
    let disk = configuration.data.ancestors().map(or_here).find(|path| path.exists())?;
    let free_mib = FreeSpace::of(disk).ok()?.free_bytes >> 20;
    (free_mib < mib).then(|| {
        format!(
            "box.disk_reserve_mib = {mib} is more than the {free_mib} MiB that {} has left: \
             no new message would be taken",
            disk.display()
        )
    })
}

/// The last ancestor of a relative path is empty, and means this directory.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// A box that is started tells the same as its failure.
pub(crate) fn unreadable_keys(configuration: &Configuration) -> Option<String> {
    let jwks = &configuration.jwks;
    let error = std::fs::File::open(jwks).err()?;
    Some(format!("box.jwks: {} cannot be read: {error}", jwks.display()))
}

fn idle_cores(configuration: &Configuration) -> Option<String> {
    let (cores, partitions) = (configuration.cores?, configuration.partitions);
    (cores > partitions).then(|| {
        format!("box.cores = {cores} is more than box.partitions = {partitions}: the rest is idle")
    })
}

fn missing_processor(configuration: &Configuration) -> Option<String> {
    let count = thread::available_parallelism().ok()?.get();
    let missing = configuration.gateway.cpus.iter().find(|&&cpu| cpu >= count)?;
    Some(format!("box.cpus: there is perhaps no processor {missing}, of {count}"))
}

/// The default is a bound of the box and not a wish: there is nothing to warn of.
fn few_descriptors(resolved: &Resolved) -> Option<String> {
    /// Files of the store, and what else is open.
    const OWN: u64 = 1024;
    let key = find("gateway.connections_max")?;
    let connections = resolved.configuration.gateway.connections_max;
    let allowed = getrlimit(Resource::Nofile).maximum?;
    let is_wish = *resolved.origin(key) != Origin::Default;
    (is_wish && allowed < u64::from(connections) + OWN).then(|| {
        format!(
            "gateway.connections_max = {connections} and {OWN} files of its own are more than the \
             {allowed} open files that the system allows: raise that limit (LimitNOFILE) or lower \
             this one"
        )
    })
}
