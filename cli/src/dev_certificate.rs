//! The development's certificate, so that TLS can be tried on one machine.
//!
//! ```text
//! tls.crt     for localhost, 127.0.0.1 and ::1, signed by its own key; what clients are to trust
//! tls.key     that key, PKCS#8, only its owner may read it
//! ```
//! In production a certificate authority signs, or apps pin the key.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

use crate::clock::unix_s;
use crate::exit::Failure;
use crate::secrets;

/// Whom it is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long it is good at least.
const YEARS: i32 = 10;

/// Makes the pair where it is missing; whether it was.
pub(crate) fn make(directory: &Path) -> Result<bool, Failure> {
    let (certificate, key) = (directory.join("tls.crt"), directory.join("tls.key"));
    if certificate.exists() && key.exists() {
        return Ok(false);
    }
    let pair = KeyPair::generate()?;
    let signed = params()?.self_signed(&pair)?;
    let cannot = |error: io::Error| {
        Failure::new(format_args!("cannot write a certificate in {}: {error}", directory.display()))
    };
    fs::create_dir_all(directory).map_err(cannot)?;
    secrets::replace(&key, pair.serialize_pem().as_bytes()).map_err(cannot)?;
    fs::write(&certificate, signed.pem()).map_err(cannot)?;
    Ok(true)
}

fn params() -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "answerback for development");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let year = this_year();
    params.not_before = date_time_ymd(year, 1, 1);
    params.not_after = date_time_ymd(year + 1 + YEARS, 1, 1);
    Ok(params)
}

/// A day too early or too late is of no matter here.
fn this_year() -> i32 {
    const YEAR_S: u64 = 31_556_952;
    1970 + (unix_s() / YEAR_S) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{TlsFiles, expires_at_s};

    #[test]
    fn a_pair_is_made_once_and_can_be_served() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("keys");
        assert!(make(&place).unwrap());
        let files =
            TlsFiles { certificate: Some(place.join("tls.crt")), key: Some(place.join("tls.key")) };
        let pair = files.read("gateway").unwrap().unwrap();
        let left_s = expires_at_s(&pair.chain).unwrap() - unix_s();
        assert!((9 * 365 * 86_400..12 * 365 * 86_400).contains(&left_s), "{left_s}");
        assert!(!make(&place).unwrap());
        assert_eq!(files.read("gateway").unwrap().unwrap().chain, pair.chain);
        fs::remove_file(place.join("tls.crt")).unwrap();
        assert!(make(&place).unwrap(), "one without the other is of no use");
    }
}
