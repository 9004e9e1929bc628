//! Redis Streams: a stream a user, `XADD` to send, a blocking `XREADGROUP` to receive, `XACK`
//! to acknowledge; each receiver has a consumer group of its own. What a stream keeps is
//! bounded by its length: an acknowledgement removes nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};

use super::{Event, Population, Protocol, Role};
use crate::stamp::{Body, Stamp};

/// Entries of a stream that Redis keeps at least.
const KEPT_MAX: &str = "1000";
/// What one read of a receiver takes at most.
const READ_COUNT: &str = "100";
/// Commands sent at once while groups are made.
const PREPARED_AT_ONCE: usize = 500;

/// The protocol.
#[derive(Debug, Default)]
pub(crate) struct Redis;

/// Whether the login was answered.
#[derive(Debug, Default)]
pub(crate) struct State {
    is_ready: bool,
}

impl Protocol for Redis {
    type State = State;

    fn prepare(&mut self, address: SocketAddr, population: Population) -> Result<()> {
        let users = (0..population.pairs).map(Role::Receiver);
        let roles: Vec<Role> = users.chain((0..population.idle).map(Role::Idle)).collect();
        let mut socket = TcpStream::connect(address)?;
        let mut lines = BufReader::new(socket.try_clone()?).lines();
        let mut expect_ok = move || -> Result<()> {
            let line = lines.next().context("Redis closed the connection")??;
            ensure!(line == "+OK", "Redis says {line}");
            Ok(())
        };
        let mut out = Vec::new();
        append_command(&["AUTH", "bench"], &mut out);
        socket.write_all(&out)?;
        expect_ok()?;
        for batch in roles.chunks(PREPARED_AT_ONCE) {
            out.clear();
            for role in batch {
                append_command(&["XGROUP", "CREATE", &key(*role), "r", "0", "MKSTREAM"], &mut out);
            }
            socket.write_all(&out)?;
            batch.iter().try_for_each(|_| expect_ok())?;
        }
        Ok(())
    }

    fn hello(&self, _role: Role, state: &mut State, out: &mut Vec<u8>) -> Result<()> {
        state.is_ready = false;
        append_command(&["AUTH", "bench"], out);
        Ok(())
    }

    fn input(
        &self,
        role: Role,
        state: &mut State,
        received: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<usize> {
        let mut left = received;
        let mut texts = Vec::new();
        while let Some(first) = left.first() {
            texts.clear();
            let Some(behind) = cut_reply(left, &mut texts)? else { break };
            match first {
                b'+' if !state.is_ready => {
                    state.is_ready = true;
                    events.push(Event::Ready);
                    if !matches!(role, Role::Sender(_)) {
                        append_read(role, out);
                    }
                }
                b'$' => events.push(Event::Accepted(1)),
                b'*' => {
                    take_entries(&texts, out, events)?;
                    append_read(role, out);
                }
                _ => {}
            }
            left = behind;
        }
        Ok(received.len() - left.len())
    }

    fn publish(&self, sender: u32, _state: &mut State, body: &Body, out: &mut Vec<u8>) {
        append_array(8, out);
        let key = key(Role::Sender(sender));
        for word in ["XADD", &key, "MAXLEN", "~", KEPT_MAX, "*", "d"] {
            append_text(word.as_bytes(), out);
        }
        append_text(body, out);
    }
}

fn key(role: Role) -> String {
    match role {
        Role::Sender(index) | Role::Receiver(index) => format!("u:{index}"),
        Role::Idle(index) => format!("i:{index}"),
    }
}

/// The next read of a receiver: it waits until there is something.
fn append_read(role: Role, out: &mut Vec<u8>) {
    append_command(
        &[
            "XREADGROUP",
            "GROUP",
            "r",
            "c",
            "COUNT",
            READ_COUNT,
            "BLOCK",
            "0",
            "STREAMS",
            &key(role),
            ">",
        ],
        out,
    );
}

/// An answer to a read holds the key, then for each entry its id, the field's name, the body.
fn take_entries(texts: &[&[u8]], out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<()> {
    let (key, entries) = texts.split_first().context("a read without a stream")?;
    let (entries, []) = entries.as_chunks::<3>() else { bail!("an entry of another form") };
    append_array(3 + entries.len(), out);
    append_text(b"XACK", out);
    append_text(key, out);
    append_text(b"r", out);
    for [id, _, body] in entries {
        append_text(id, out);
        events.push(Event::Message(Stamp::read(body)?));
    }
    Ok(())
}

/// Collects the texts of a whole reply, however nested; what lies behind it.
fn cut_reply<'a>(received: &'a [u8], texts: &mut Vec<&'a [u8]>) -> Result<Option<&'a [u8]>> {
    let mut left = received;
    let mut wanted = 1;
    while wanted > 0 {
        let Some(end) = left.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let (line, behind) = left.split_at(end + 1);
        left = behind;
        wanted -= 1;
        let (first, rest) = line.split_first().context("an empty line")?;
        match first {
            b'+' | b':' => {}
            b'$' => {
                let Some((text, behind)) = left.split_at_checked(read_number(rest)? + 2) else {
                    return Ok(None);
                };
                texts.push(text.strip_suffix(b"\r\n").context("a text without an end")?);
                left = behind;
            }
            b'*' => wanted += read_number(rest)?,
            _ => bail!("Redis says {}", String::from_utf8_lossy(line).trim_end()),
        }
    }
    Ok(Some(left))
}

fn read_number(line: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(line.trim_ascii_end()).context("a bad number")?;
    text.parse().with_context(|| format!("a bad number: {text}"))
}

fn append_command(words: &[&str], out: &mut Vec<u8>) {
    append_array(words.len(), out);
    words.iter().for_each(|word| append_text(word.as_bytes(), out));
}

fn append_array(count: usize, out: &mut Vec<u8>) {
    out.push(b'*');
    append_number(count, out);
}

fn append_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'$');
    append_number(text.len(), out);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn append_number(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_added_and_confirmed() {
        let (mut out, mut events, mut state) = (Vec::new(), Vec::new(), State { is_ready: true });
        Redis.publish(12, &mut state, &[b'x'; 128], &mut out);
        let head = b"*8\r\n$4\r\nXADD\r\n$4\r\nu:12\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$4\r\n1000\r\n$1\r\n*\r\n$1\r\nd\r\n$128\r\nxx";
        assert!(out.starts_with(head), "{}", String::from_utf8_lossy(&out));
        let confirmation = b"$3\r\n1-0\r\n$3\r\n1-1\r\n$3\r\n1";
        let used =
            Redis.input(Role::Sender(12), &mut state, confirmation, &mut Vec::new(), &mut events);
        assert_eq!(used.unwrap(), 18);
        assert_eq!(events, [Event::Accepted(1), Event::Accepted(1)]);
    }

    #[test]
    fn entries_are_taken_acknowledged_and_more_is_asked_for() {
        let stamps = [1, 2].map(|number| Stamp { due_ns: 9, sender: 3, number });
        let mut reply = b"*1\r\n*2\r\n$3\r\nu:3\r\n*2\r\n".to_vec();
        for (id, stamp) in ["7-0", "7-1"].iter().zip(stamps) {
            reply.extend_from_slice(
                format!("*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\nd\r\n$128\r\n").as_bytes(),
            );
            reply.extend_from_slice(&stamp.to_body());
            reply.extend_from_slice(b"\r\n");
        }
        let (mut out, mut events, mut state) = (Vec::new(), Vec::new(), State { is_ready: true });
        for length in 0..reply.len() {
            let cut = &reply[..length];
            let used = Redis.input(Role::Receiver(3), &mut state, cut, &mut out, &mut events);
            assert_eq!((used.unwrap(), events.len()), (0, 0), "cut at {length}");
        }
        Redis.input(Role::Receiver(3), &mut state, &reply, &mut out, &mut events).unwrap();
        assert_eq!(events, stamps.map(Event::Message));
        let acknowledgement =
            b"*5\r\n$4\r\nXACK\r\n$3\r\nu:3\r\n$1\r\nr\r\n$3\r\n7-0\r\n$3\r\n7-1\r\n*11\r\n$10\r\nXREADGROUP\r\n";
        assert!(out.starts_with(acknowledgement), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn an_error_is_told() {
        let bytes = b"-ERR no such key\r\n";
        let outcome = Redis.input(
            Role::Sender(1),
            &mut State::default(),
            bytes,
            &mut Vec::new(),
            &mut Vec::new(),
        );
        assert_eq!(outcome.unwrap_err().to_string(), "Redis says -ERR no such key");
    }
}
