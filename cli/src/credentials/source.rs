//! Where the key set comes from.

use std::fmt;
use std::path::PathBuf;

use crate::web::Url;

/// A file or a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file.
    File(PathBuf),
    /// `https://`, or `http://` of this machine.
    Url(String),
}

impl KeySource {
    /// The source that a text names; none where it is a URL that could be answered by anybody.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.contains("://") {
            return (!text.is_empty()).then(|| Self::File(text.into()));
        }
        Url::parse(text).map(|url| Self::Url(url.as_str().to_owned()))
    }
}

impl Default for KeySource {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_of_a_server_that_proves_itself_or_of_this_machine() {
        for url in [
            "https://id.example.org/jwks.json",
            "https://10.0.0.1:8443/k?x=1",
            "http://127.0.0.1:80/keys",
            "http://127.8.9.1/",
            "http://[::1]:8080/keys",
            "http://localhost:8080/keys",
        ] {
            assert_eq!(KeySource::parse(url), Some(KeySource::Url(url.to_owned())), "{url}");
        }
        for url in [
            "http://id.example.org/jwks.json",
            "http://localhost.example.org/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/keys",
            "file:///etc/keys",
            "https://",
            "https:///keys",
            "https://user:password@id.example.org/",
            "https://a b/",
            "",
        ] {
            assert_eq!(KeySource::parse(url), None, "{url}");
        }
        assert_eq!(KeySource::parse("keys.json"), Some(KeySource::File("keys.json".into())));
    }
}
