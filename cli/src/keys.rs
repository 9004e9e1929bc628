//! The development's Ed25519 pair: a private key that signs tokens, a key set that checks them.
//!
//! ```text
//! dev.pem     PKCS#8, only its owner may read it
//! jwks.json   what `serve --jwks` takes: {"keys": [{"kty": "OKP", "crv": "Ed25519", …}]}
//! ```
//! In production an account service of the operator's holds the private key instead.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use answerback_proto::id::{DeviceId, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::clock::unix_s;
use crate::exit::Failure;
use crate::{random, secrets};

/// Whom tokens are for.
const AUDIENCE: &str = "answerback";

#[derive(Serialize)]
struct Claims<'a> {
    sub: String,
    device: String,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    aud: &'a str,
    jti: &'a str,
}

/// What a token may say besides whom it is for and how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Its name, by which it can be revoked; none for one that nobody else has.
    pub(crate) jti: Option<String>,
    /// It is not valid before, s since 1970.
    pub(crate) not_before_s: Option<u64>,
}

#[derive(Serialize)]
struct KeySet {
    keys: [PublicKey; 1],
}

#[derive(Serialize)]
struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    kid: String,
    x: String,
}

/// Signs tokens.
pub(crate) struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    /// Reads the private key of a directory that `dev-keys` made.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join("dev.pem");
        if !path.exists() {
            let (path, directory) = (path.display(), directory.display());
            return Err(Failure::new(format_args!(
                "{path} is missing; `answerback dev-keys --dir {directory}` makes it"
            )));
        }
        let (pem, key) = read(&path)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key_id(&key));
        Ok(Self { header, key: EncodingKey::from_ed_pem(&pem)? })
    }

    /// A token for a user's device.
    pub(crate) fn token(
        &self,
        user: UserId,
        device: DeviceId,
        hours: u32,
    ) -> Result<String, Failure> {
        self.token_on(user, device, hours, &Terms::default())
    }

    /// The same, on terms. It is valid for so many hours from now, or from when it begins.
    pub(crate) fn token_on(
        &self,
        user: UserId,
        device: DeviceId,
        hours: u32,
        terms: &Terms,
    ) -> Result<String, Failure> {
        let now_s = unix_s();
        let begins_s = terms.not_before_s.unwrap_or(now_s);
        let jti = match &terms.jti {
            Some(jti) => jti.clone(),
            None => URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
        };
        let claims = Claims {
            sub: user.to_string(),
            device: device.to_string(),
            iat: now_s,
            nbf: terms.not_before_s,
            exp: begins_s.max(now_s).saturating_add(u64::from(hours) * 3600),
            aud: AUDIENCE,
            jti: &jti,
        };
        Ok(jsonwebtoken::encode(&self.header, &claims, &self.key)?)
    }
}

/// Makes the pair where it is missing; whether it was.
pub(crate) fn make(directory: &Path) -> Result<bool, Failure> {
    let (private, public) = (directory.join("dev.pem"), directory.join("jwks.json"));
    fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
    let is_new = !private.exists();
    if is_new {
        let key = SigningKey::from_bytes(&random::bytes()?);
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(Failure::new)?;
        secrets::write_new(&private, pem.as_bytes())
            .map_err(|error| cannot_write(&private, &error))?;
    }
    let (_, key) = read(&private)?;
    let mut set = serde_json::to_string_pretty(&key_set(&key))?;
    set.push('\n');
    fs::write(&public, set).map_err(|error| cannot_write(&public, &error))?;
    Ok(is_new)
}

/// The private key, as it lies there and as it is.
fn read(path: &Path) -> Result<(Vec<u8>, SigningKey), Failure> {
    let is_none = |error: &dyn fmt::Display| {
        Failure::new(format_args!("{} is no Ed25519 key: {error}", path.display()))
    };
    let pem = secrets::read(path).map_err(Failure::new)?;
    let text = str::from_utf8(&pem).map_err(|error| is_none(&error))?;
    let key = SigningKey::from_pkcs8_pem(text).map_err(|error| is_none(&error))?;
    Ok((pem, key))
}

fn key_set(key: &SigningKey) -> KeySet {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    let key =
        PublicKey { kty: "OKP", crv: "Ed25519", alg: "EdDSA", purpose: "sig", kid: key_id(key), x };
    KeySet { keys: [key] }
}

/// Names a key by its beginning, so that tokens of an earlier pair say so.
fn key_id(key: &SigningKey) -> String {
    let public = key.verifying_key().to_bytes();
    let (beginning, _) = public.split_at(8);
    format!("dev-{}", URL_SAFE_NO_PAD.encode(beginning))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format_args!("cannot write {}: {error}", path.display()))
}
