//! A command's end.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::socket::connect;
use super::{Answer, LINE_BYTES_MAX, Request};
use crate::exit::Failure;

/// Asks the box that serves a data directory, and waits for its answer; `None` where nobody
/// serves it.
pub(crate) fn ask(data: &Path, request: &Request) -> Result<Option<Value>, Failure> {
    let failed = |error| {
        Failure::new(format_args!("cannot ask the box that serves {}: {error}", data.display()))
    };
    let Some(stream) = connect(data).map_err(failed)? else { return Ok(None) };
    let line = exchange(&stream, request).map_err(failed)?;
    if line.is_empty() {
        return Err(Failure::new("the box ended before it answered; start it and try again"));
    }
    match serde_json::from_slice(&line)? {
        Answer::Done(value) => Ok(Some(value)),
        Answer::Error(error) => Err(Failure::new(error)),
    }
}

fn exchange(mut stream: &UnixStream, request: &Request) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut answer)?;
    Ok(answer)
}
