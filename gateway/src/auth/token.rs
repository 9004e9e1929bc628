//! Tokens: JSON Web Tokens in compact form (RFC 7519), signed with Ed25519.
//!
//! ```text
//! base64url(header) . base64url(claims) . base64url(signature)
//! ```
//! Little of that standard is wanted here, and reading that little takes less than having a
//! library refuse all the rest. The signature is over the first two parts as they stand.

use answerback_directory::shard::Grant;
use answerback_proto::id::TokenId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signature;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::keys::ALGORITHMS;
use super::{Pass, Proof, TokenFault, Verifier};
use crate::limits::{TOKEN_ID_BYTES_MAX, TOKEN_LEEWAY_S};

/// Whom tokens must be for.
const AUDIENCE: &str = "answerback";

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood, and is not.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    device: String,
    aud: Audience,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Verifier {
    /// What a token is good for, if its proof holds.
    ///
    /// # Errors
    /// See [`TokenFault`].
    pub(crate) fn read(&self, token: &[u8], unix_s: u64) -> Result<(Pass, Proof), TokenFault> {
        let (signed, signature) = split(token).ok_or(TokenFault::Invalid)?;
        let (header, claims) = split(signed).ok_or(TokenFault::Invalid)?;
        let header: Header = decode(header)?;
        if !ALGORITHMS.contains(&header.alg.as_str()) || header.crit.is_some() {
            return Err(TokenFault::Invalid);
        }
        let key = self.key(header.kid.as_deref()).ok_or(TokenFault::UnknownKey)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Invalid)?;
        let signature = Signature::from_slice(&signature).map_err(|_| TokenFault::Invalid)?;
        let claims: Claims = decode(claims)?;
        let pass = Pass {
            user: claims.sub.parse().map_err(|_| TokenFault::Invalid)?,
            device: claims.device.parse().map_err(|_| TokenFault::Invalid)?,
            grant: claims.grant()?,
            key: key.mark,
        };
        claims.require_now(unix_s)?;
        Ok((pass, Proof { key: key.key, message: signed.to_vec(), signature }))
    }
}

impl Claims {
    fn grant(&self) -> Result<Grant, TokenFault> {
        let is_name = |jti: &&str| (1..=TOKEN_ID_BYTES_MAX).contains(&jti.len());
        let token = match self.jti.as_deref() {
            None => TokenId(0),
            Some(jti) => TokenId::of(Some(jti).filter(is_name).ok_or(TokenFault::Invalid)?),
        };
        if !self.aud.includes(AUDIENCE) {
            return Err(TokenFault::Invalid);
        }
        Ok(Grant { issued_s: self.iat, expires_s: self.exp, token, ticket: None })
    }

    /// The account service's clock may be a little ahead; what it says of the end is exact.
    fn require_now(&self, unix_s: u64) -> Result<(), TokenFault> {
        let begun_s = unix_s.saturating_add(TOKEN_LEEWAY_S);
        let has_begun = self.iat <= begun_s && self.nbf.is_none_or(|from_s| from_s <= begun_s);
        if has_begun && unix_s < self.exp { Ok(()) } else { Err(TokenFault::Expired) }
    }
}

impl Audience {
    fn includes(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// What lies before and behind the last dot.
fn split(token: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = token.iter().rposition(|&byte| byte == b'.')?;
    let (before, behind) = token.split_at_checked(dot)?;
    Some((before, behind.get(1..)?))
}

fn decode<T: DeserializeOwned>(part: &[u8]) -> Result<T, TokenFault> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Invalid)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::Invalid)
}
