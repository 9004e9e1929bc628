//! What a box proves itself by and checks others by: read at its start, renewed while it runs.

use std::path::PathBuf;
use std::time::Duration;

use answerback_gateway::{Certificate, Control, SealingKeys, Verifier};

use crate::admin::Access;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::credentials::{KeySet, Renewal, Renewed, TlsFiles, Watched, expires_at_s};
use crate::exit::Failure;
use crate::hooks::HookThreads;
use crate::watch::WatchView;

/// What was read before the box opens its data.
pub(super) struct FirstRead {
    pub(super) key_set: KeySet,
    pub(super) verifier: Verifier,
    pub(super) certificate: Option<Certificate>,
    pub(super) expires_at_s: Option<u64>,
}

impl FirstRead {
    /// Reads all, and says what is of no use.
    pub(super) fn read(configuration: &Configuration) -> Result<Self, Failure> {
        let (certificate, expires_at_s) = read_certificate(&configuration.tls)?.unzip();
        let (key_set, verifier) = KeySet::open(configuration)?;
        Ok(Self { key_set, verifier, certificate, expires_at_s: expires_at_s.flatten() })
    }
}

fn read_certificate(files: &TlsFiles) -> Result<Option<(Certificate, Option<u64>)>, Failure> {
    let Some(pair) = files.read("gateway")? else { return Ok(None) };
    let certificate = Certificate::from_pem(&pair.chain, &pair.key).map_err(|error| {
        Failure::new(format_args!("gateway.tls_certificate, gateway.tls_key: {error}"))
    })?;
    Ok(Some((certificate, expires_at_s(&pair.chain))))
}

/// Reads what tickets are sealed with; makes it in a data directory that is there.
pub(super) fn read_sealing_keys(configuration: &Configuration) -> Result<SealingKeys, Failure> {
    let secrets = configuration.ticket_keys.read(&configuration.data)?;
    Ok(SealingKeys::from_secrets(&secrets)?)
}

/// Starts to renew what was read first.
pub(super) fn renew(
    configuration: &Configuration,
    clock: Clock,
    (key_set, expires_at_s): (KeySet, Option<u64>),
    (access, control, watch): (Access, Control, WatchView),
    hooks: &HookThreads,
) -> Result<Renewal, Failure> {
    let files = [
        clients_certificate(configuration, expires_at_s, control.clone()),
        admin_access(configuration, access),
        Some(sealing_keys(configuration, control.clone())),
        hooks.watched(&configuration.hooks),
    ];
    let renewed = Renewed {
        key_set,
        period: Duration::from_secs(configuration.jwks_period_s),
        take_keys: Box::new(move |verifier| control.set_verifier(verifier).is_ok()),
        unknown_keys: Box::new(move || unknown_keys(&watch)),
        files: files.into_iter().flatten().collect(),
    };
    Ok(Renewal::start(clock, renewed)?)
}

fn unknown_keys(watch: &WatchView) -> u64 {
    watch.latest().traffic.as_ref().map_or(0, |stats| stats.unknown_keys_total)
}

fn clients_certificate(
    configuration: &Configuration,
    expires_at_s: Option<u64>,
    control: Control,
) -> Option<Watched> {
    let files = configuration.tls.clone();
    let paths = paths(&files)?;
    let take = move || {
        let Some((certificate, expires_at_s)) = read_certificate(&files)? else { return Ok(None) };
        control.set_certificate(&certificate)?;
        Ok(expires_at_s)
    };
    Some(Watched::new("the certificate that clients see", paths, expires_at_s, take))
}

fn admin_access(configuration: &Configuration, access: Access) -> Option<Watched> {
    let files = paths(&configuration.admin_tls).unwrap_or_default();
    let paths: Vec<_> = files.into_iter().chain(configuration.admin_token.clone()).collect();
    let (configuration, expires_at_s) = (configuration.clone(), access.expires_at_s());
    let take = move || access.reload(&configuration);
    (!paths.is_empty())
        .then(|| Watched::new("what the admin listener goes by", paths, expires_at_s, take))
}

fn sealing_keys(configuration: &Configuration, control: Control) -> Watched {
    let path = configuration.ticket_keys.path(&configuration.data);
    let configuration = configuration.clone();
    let take = move || {
        control.set_sealing_keys(&read_sealing_keys(&configuration)?)?;
        Ok(None)
    };
    Watched::new("what tickets are sealed with", vec![path], None, take)
}

fn paths(files: &TlsFiles) -> Option<Vec<PathBuf>> {
    files.both().map(|(certificate, key)| vec![certificate.to_owned(), key.to_owned()])
}
