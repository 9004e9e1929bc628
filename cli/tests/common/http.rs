//! HTTP by hand, and an exposition of metrics taken apart.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A test that waits longer for one answer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends bytes as they are, and reads until the other side closes.
pub(crate) fn exchange_bytes(address: &str, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // A side that has closed already has said what it had to.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn request(address: &str, method: &str, path: &str) -> Response {
    let line = format!("{method} {path} HTTP/1.1\r\nHost: box\r\n\r\n");
    let text = exchange_bytes(address, line.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.to_lowercase(), body: body.to_owned() }
}

pub(crate) fn get(address: &str, path: &str) -> Response {
    request(address, "GET", path)
}

/// Asks until the metrics are as expected: they are those of the last second.
pub(crate) fn metrics_when(address: &str, is_as_expected: impl Fn(&Metrics) -> bool) -> Metrics {
    let mut last = Metrics::default();
    for _ in 0..40 {
        last = Metrics::of(address);
        if is_as_expected(&last) {
            return last;
        }
        std::thread::park_timeout(Duration::from_millis(250));
    }
    panic!("it never came to it: {last:#?}");
}

/// What an exposition says.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Value by name and labels, as they are written.
    pub(crate) samples: BTreeMap<String, f64>,
    /// Kind by the family's name.
    pub(crate) kinds: BTreeMap<String, String>,
}

impl Metrics {
    pub(crate) fn of(address: &str) -> Self {
        let response = get(address, "/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        assert!(response.head.contains("content-type: application/openmetrics-text"));
        Self::parse(&response.body)
    }

    /// Strict: each line is a comment of a kind that there is, or a sample of the family that
    /// stands before it; the end is marked.
    pub(crate) fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        let mut family = String::new();
        let body = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {text:?}"));
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(help.split_once(' ').is_some_and(|(_, words)| !words.is_empty()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                name.clone_into(&mut family);
                let before = metrics.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} comes twice");
            } else {
                metrics.add_sample(&family, line);
            }
        }
        metrics
    }

    fn add_sample(&mut self, family: &str, line: &str) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let bare = name.split('{').next().unwrap();
        let suffix = bare.strip_prefix(family).unwrap_or_else(|| panic!("{bare} in {family}"));
        let suffixes: &[&str] = match self.kinds.get(family).map_or("", String::as_str) {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{family} is a {other}"),
        };
        assert!(suffixes.contains(&suffix), "{line}");
        assert_eq!(self.samples.insert(name.to_owned(), value), None, "{name} comes twice");
    }

    pub(crate) fn value(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}
