//! Tokens, signed before anything is measured.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use answerback_proto::id::{DeviceId, UserId};
use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock::unix_ms;

/// A run is shorter than this.
const LIFE_S: u64 = 24 * 3600;

/// The tokens of a run's users, who each have one device, of the same number.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_user: HashMap<u128, String>,
}

#[derive(Serialize)]
struct Claims {
    sub: String,
    device: String,
    iat: u64,
    exp: u64,
    aud: &'static str,
}

impl Tokens {
    /// Signs with the keys of a directory that `answerback dev-keys` has made.
    pub(super) fn sign(keys: &Path, users: impl Iterator<Item = u128>) -> Result<Self> {
        let pem = fs::read(keys.join("dev.pem")).context("cannot read the private key")?;
        let set: serde_json::Value = serde_json::from_slice(&fs::read(keys.join("jwks.json"))?)?;
        let key_id = set.pointer("/keys/0/kid").and_then(serde_json::Value::as_str);
        let header = Header { kid: key_id.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        let key = EncodingKey::from_ed_pem(&pem)?;
        let now_s = unix_ms() / 1000;
        let token = |user| -> Result<String> {
            let claims = Claims {
                sub: UserId(user).to_string(),
                device: DeviceId(user).to_string(),
                iat: now_s,
                exp: now_s + LIFE_S,
                aud: "answerback",
            };
            Ok(encode(&header, &claims, &key)?)
        };
        let by_user = users.map(|user| Ok((user, token(user)?))).collect::<Result<_>>()?;
        Ok(Self { by_user })
    }

    /// A user's, or none.
    pub(super) fn of(&self, user: u128) -> &[u8] {
        self.by_user.get(&user).map_or(&[], String::as_bytes)
    }
}
