//! What single values do not show: settings that contradict each other, and the machine.

use std::path::Path;
use std::thread;

use answerback_store::FreeSpace;
use rustix::process::{Resource, getrlimit};

use super::field::Plaintext;
use super::keys::{KEYS, find};
use super::layers::Resolved;
use super::mistake::{Mistake, Origin};
use super::{Configuration, Key};
use crate::admin::AdminListen;
use crate::credentials::{KeySource, TicketKeyFile, TlsFiles};
use crate::secrets;

/// What no box can run with.
pub(super) fn contradictions(resolved: &Resolved) -> Vec<Mistake> {
    let configuration = &resolved.configuration;
    let is_missing = |key: &&Key| key.is_required && key.show(configuration).is_empty();
    let mut mistakes: Vec<_> = KEYS.iter().filter(is_missing).map(missing).collect();
    let gateway = &configuration.gateway;
    if gateway.heartbeat_min_s > gateway.heartbeat_max_s {
        mistakes.push(reversed(resolved, "gateway.heartbeat_min_s", "gateway.heartbeat_max_s"));
    }
    mistakes.extend(half_pair(&configuration.tls, "gateway"));
    mistakes.extend(half_pair(&configuration.admin_tls, "admin"));
    mistakes.extend(plain_for_others(resolved));
    mistakes.extend(open_figures(resolved));
    mistakes.extend(unsigned_hooks(configuration));
    mistakes
}

fn half_pair(files: &TlsFiles, section: &str) -> Option<Mistake> {
    let (missing, there) = match (&files.certificate, &files.key) {
        (Some(_), None) => ("tls_key", "tls_certificate"),
        (None, Some(_)) => ("tls_certificate", "tls_key"),
        _ => return None,
    };
    let text = format!("{section}.{missing} is missing: {section}.{there} is of no use without");
    Some(Mistake { origin: None, text })
}

fn plain_for_others(resolved: &Resolved) -> Option<Mistake> {
    let configuration = &resolved.configuration;
    let is_safe = configuration.gateway.listen.ip().is_loopback()
        || configuration.tls.both().is_some()
        || configuration.plaintext == Plaintext::Everywhere;
    let text = "can be reached by other machines, and there is no TLS: set \
                gateway.tls_certificate and gateway.tls_key, or, behind a TLS proxy, \
                gateway.plaintext = \"everywhere\"";
    (!is_safe).then(|| of_address(resolved, "gateway.listen", text))
}

fn open_figures(resolved: &Resolved) -> Option<Mistake> {
    let configuration = &resolved.configuration;
    let AdminListen::At(listen) = configuration.admin_listen else { return None };
    let is_safe = listen.ip().is_loopback()
        || (configuration.admin_tls.both().is_some() && configuration.admin_token.is_some());
    let text = "can be reached by other machines: set admin.tls_certificate, admin.tls_key and \
                admin.token, or listen on a loopback address";
    (!is_safe).then(|| of_address(resolved, "admin.listen", text))
}

fn unsigned_hooks(configuration: &Configuration) -> Option<Mistake> {
    let hooks = &configuration.hooks;
    (hooks.is_any() && hooks.secret_file.is_none()).then(|| Mistake {
        origin: None,
        text: "hooks.secret_file is missing: what is told to hooks is signed".to_owned(),
    })
}

fn of_address(resolved: &Resolved, name: &str, text: &str) -> Mistake {
    let key = find(name);
    let address = key.map(|key| key.show(&resolved.configuration)).unwrap_or_default();
    let origin = key.map(|key| resolved.origin(key).clone());
    Mistake { origin, text: format!("{name} = {address} {text}") }
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
    (!listen.ip().is_loopback() && configuration.tls.both().is_none()).then(|| {
        format!(
            "gateway.listen = {listen} can be reached by other machines, and there is no TLS: \
             whoever is not behind your TLS proxy has tokens and messages read on the way"
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

/// Files that are of no use. A box that is started tells the same as its failure.
pub(crate) fn unusable_files(configuration: &Configuration) -> Vec<String> {
    let keys = match &configuration.jwks {
        KeySource::File(jwks) => {
            let error = std::fs::File::open(jwks).err();
            error.map(|error| format!("box.jwks: {} cannot be read: {error}", jwks.display()))
        }
        KeySource::Url(_) => None,
    };
    let pairs = [(&configuration.tls, "gateway"), (&configuration.admin_tls, "admin")];
    let pairs = pairs.into_iter().filter_map(|(files, section)| files.read(section).err());
    let token = configuration.admin_token.as_deref();
    let token =
        token.and_then(|path| secrets::read(path).err()).map(|error| error.of("admin.token"));
    let tickets = match &configuration.ticket_keys {
        TicketKeyFile::At(_) => configuration.ticket_keys.read(&configuration.data).err(),
        TicketKeyFile::InData => None,
    };
    let hooks = configuration.hooks.check_secret().err();
    let lines =
        pairs.chain(token).chain(tickets).chain(hooks).map(|failure| failure.line().to_owned());
    keys.into_iter().chain(lines).collect()
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
