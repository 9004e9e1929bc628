//! NATS JetStream: one file stream over all users' subjects, a durable push consumer with
//! explicit acknowledgements a receiver; a publish is confirmed by the stream's `PubAck`.
//!
//! The stream keeps up to 1 GiB, acknowledged or not: to drop what was acknowledged costs a
//! look at every consumer for each message.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};

use super::{Event, Population, Protocol, Role};
use crate::stamp::{BODY_BYTES, Body, Stamp};

const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"user\":\"bench\",\
    \"pass\":\"bench\",\"lang\":\"rust\",\"version\":\"1\",\"protocol\":1}\r\n";
const STREAM: &str = r#"{"name":"MSG","subjects":["u.*"],"retention":"limits","storage":"file","num_replicas":1,"discard":"old","max_msgs":-1,"max_bytes":1073741824,"max_age":0,"max_consumers":-1}"#;

/// The protocol.
#[derive(Debug)]
pub(crate) struct Nats {
    /// What a consumer has acknowledged stays in memory: JetStream's default is a file a
    /// consumer, written again several times a second.
    pub(crate) keeps_acks_in_memory: bool,
}

/// Whether the login was answered.
#[derive(Debug, Default)]
pub(crate) struct State {
    is_ready: bool,
}

impl Protocol for Nats {
    type State = State;

    fn prepare(&mut self, address: SocketAddr, population: Population) -> Result<()> {
        if population.pairs == 0 {
            return Ok(());
        }
        let mut admin = Admin::connect(address)?;
        admin.request("$JS.API.STREAM.CREATE.MSG", STREAM)?;
        for index in 0..population.pairs {
            let api = format!("$JS.API.CONSUMER.DURABLE.CREATE.MSG.r{index}");
            admin.request(&api, &self.consumer(index))?;
        }
        Ok(())
    }

    fn hello(&self, role: Role, state: &mut State, out: &mut Vec<u8>) -> Result<()> {
        state.is_ready = false;
        let subject = match role {
            Role::Sender(index) => format!("a.{index}"),
            Role::Receiver(index) => format!("d.{index}"),
            Role::Idle(index) => format!("i.{index}"),
        };
        out.extend_from_slice(CONNECT.as_bytes());
        out.extend_from_slice(format!("SUB {subject} 1\r\nPING\r\n").as_bytes());
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
        while let Some((line, behind)) = cut_line(left) {
            left = if line.starts_with(b"MSG ") {
                let Some(behind) = take_message(role, line, behind, out, events)? else { break };
                behind
            } else {
                match line {
                    b"PING" => out.extend_from_slice(b"PONG\r\n"),
                    b"PONG" if !state.is_ready => {
                        state.is_ready = true;
                        events.push(Event::Ready);
                    }
                    _ => ensure!(!line.starts_with(b"-ERR"), "NATS says {}", lossy(line)),
                }
                behind
            };
        }
        Ok(received.len() - left.len())
    }

    fn publish(&self, sender: u32, _state: &mut State, body: &Body, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("PUB u.{sender} a.{sender} {BODY_BYTES}\r\n").as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    }
}

impl Nats {
    fn consumer(&self, index: u32) -> String {
        let in_memory = self.keeps_acks_in_memory;
        format!(
            r#"{{"stream_name":"MSG","config":{{"durable_name":"r{index}","deliver_subject":"d.{index}","deliver_policy":"all","ack_policy":"explicit","replay_policy":"instant","filter_subject":"u.{index}","max_ack_pending":1000,"mem_storage":{in_memory}}}}}"#
        )
    }
}

/// A line without its end, and what lies behind it.
fn cut_line(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = received.iter().position(|byte| *byte == b'\n')?;
    let (line, behind) = received.split_at_checked(end + 1)?;
    Some((line.trim_ascii_end(), behind))
}

/// `MSG subject subscription [reply] size`, then the body: a confirmation to a sender, a
/// message to a receiver. What lies behind it, once it is whole.
fn take_message<'a>(
    role: Role,
    line: &[u8],
    received: &'a [u8],
    out: &mut Vec<u8>,
    events: &mut Vec<Event>,
) -> Result<Option<&'a [u8]>> {
    let mut words = line.split(|byte| *byte == b' ').skip(3);
    let first = words.next().context("a bad MSG")?;
    let (reply, size) = words.next().map_or((None, first), |size| (Some(first), size));
    let size: usize = lossy(size).parse().context("a bad size of a MSG")?;
    let Some((body, behind)) = received.split_at_checked(size + 2) else { return Ok(None) };
    let body = body.strip_suffix(b"\r\n").context("a MSG without an end")?;
    if matches!(role, Role::Sender(_)) {
        ensure!(!body.starts_with(br#"{"error"#), "JetStream says {}", lossy(body));
        events.push(Event::Accepted(1));
        return Ok(Some(behind));
    }
    let Some(reply) = reply else { bail!("a message that nothing can acknowledge") };
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(reply);
    out.extend_from_slice(b" 4\r\n+ACK\r\n");
    events.push(Event::Message(Stamp::read(body)?));
    Ok(Some(behind))
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// A connection that asks JetStream's API and waits.
struct Admin {
    read: BufReader<TcpStream>,
    write: TcpStream,
}

impl Admin {
    fn connect(address: SocketAddr) -> Result<Self> {
        let mut write = TcpStream::connect(address)?;
        write.set_nodelay(true)?;
        write.write_all(format!("{CONNECT}SUB admin 1\r\n").as_bytes())?;
        Ok(Self { read: BufReader::new(write.try_clone()?), write })
    }

    fn request(&mut self, api: &str, json: &str) -> Result<()> {
        let request = format!("PUB {api} admin {}\r\n{json}\r\n", json.len());
        self.write.write_all(request.as_bytes())?;
        loop {
            let mut line = String::new();
            ensure!(self.read.read_line(&mut line)? > 0, "NATS closed the connection");
            let line = line.trim_end();
            ensure!(!line.starts_with("-ERR"), "NATS says {line}");
            if line == "PING" {
                self.write.write_all(b"PONG\r\n")?;
            } else if let Some(words) = line.strip_prefix("MSG ") {
                return self.read_answer(words);
            }
        }
    }

    fn read_answer(&mut self, words: &str) -> Result<()> {
        let size: usize = words.rsplit(' ').next().unwrap_or_default().parse()?;
        let mut body = vec![0; size + 2];
        self.read.read_exact(&mut body)?;
        let body = lossy(&body);
        ensure!(!body.contains("\"error\""), "JetStream says {body}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATS: Nats = Nats { keeps_acks_in_memory: true };

    fn input(role: Role, received: &[u8]) -> (Result<usize>, String, Vec<Event>) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let used = NATS.input(role, &mut State::default(), received, &mut out, &mut events);
        (used, lossy(&out), events)
    }

    #[test]
    fn a_login_ends_with_the_first_pong() {
        let mut out = Vec::new();
        NATS.hello(Role::Receiver(4), &mut State::default(), &mut out).unwrap();
        assert!(lossy(&out).ends_with("SUB d.4 1\r\nPING\r\n"));
        let info = b"INFO {\"max_payload\":1048576}\r\nPONG\r\nPING\r\nPONG\r\n";
        let (used, out, events) = input(Role::Receiver(4), info);
        assert_eq!((used.unwrap(), out.as_str()), (info.len(), "PONG\r\n"));
        assert_eq!(events, [Event::Ready]);
    }

    #[test]
    fn a_message_is_acknowledged_where_it_says() {
        let stamp = Stamp { due_ns: 1, sender: 4, number: 2 };
        let mut received = b"MSG u.4 1 $JS.ACK.MSG.r4.1.1.1.99.0 128\r\n".to_vec();
        received.extend_from_slice(&stamp.to_body());
        received.extend_from_slice(b"\r\n");
        for length in 0..received.len() {
            let (used, _, events) = input(Role::Receiver(4), &received[..length]);
            assert_eq!((used.unwrap(), events.len()), (0, 0), "cut at {length}");
        }
        let (used, out, events) = input(Role::Receiver(4), &received);
        assert_eq!(used.unwrap(), received.len());
        assert_eq!(out, "PUB $JS.ACK.MSG.r4.1.1.1.99.0 4\r\n+ACK\r\n");
        assert_eq!(events, [Event::Message(stamp)]);
    }

    #[test]
    fn a_sender_is_confirmed_or_told() {
        let mut out = Vec::new();
        NATS.publish(4, &mut State::default(), &[b'x'; 128], &mut out);
        assert!(out.starts_with(b"PUB u.4 a.4 128\r\nxxx") && out.ends_with(b"x\r\n"));
        let (_, _, events) = input(Role::Sender(4), b"MSG a.4 1 5\r\n{\"a\"}\r\n");
        assert_eq!(events, [Event::Accepted(1)]);
        let (used, _, _) = input(Role::Sender(4), b"MSG a.4 1 12\r\n{\"error\":{}}\r\n");
        assert!(used.unwrap_err().to_string().contains("JetStream says"));
        let (used, _, _) = input(Role::Sender(4), b"-ERR 'Authorization Violation'\r\n");
        assert!(used.unwrap_err().to_string().contains("Authorization"));
    }
}
