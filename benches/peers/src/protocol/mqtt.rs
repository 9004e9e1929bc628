//! MQTT 3.1.1 with QoS 1. Receivers have persistent sessions (`clean_session` 0): the broker
//! keeps what comes for them while they are away.
//!
//! ```text
//! packet = type and flags (1) │ length of the rest, 7 bits a byte, the lowest first │ rest
//! ```

use anyhow::{Context, Result, bail, ensure};

use super::{Event, Protocol, Role};
use crate::stamp::{BODY_BYTES, Body, Stamp};

const CONNECT: u8 = 0x10;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const DISCONNECT: [u8; 2] = [0xe0, 0];

/// The protocol; it needs no preparation.
#[derive(Debug, Default)]
pub(crate) struct Mqtt;

/// The last number that a sender gave a packet.
#[derive(Debug, Default)]
pub(crate) struct State {
    packet_id: u16,
}

impl Protocol for Mqtt {
    type State = State;

    fn hello(&self, role: Role, _state: &mut State, out: &mut Vec<u8>) -> Result<()> {
        let (letter, index, is_clean) = match role {
            Role::Sender(index) => ('s', index, true),
            Role::Receiver(index) => ('r', index, false),
            Role::Idle(index) => ('i', index, false),
        };
        let mut rest = Vec::new();
        append_text("MQTT", &mut rest);
        let flags = 0xc0 | u8::from(is_clean) << 1; // with user and password
        rest.extend_from_slice(&[4, flags, 0x0e, 0x10]); // version 3.1.1, keep-alive an hour
        append_text(&format!("{letter}{index}"), &mut rest);
        append_text("bench", &mut rest);
        append_text("bench", &mut rest);
        append_packet(CONNECT, &rest, out);
        Ok(())
    }

    fn input(
        &self,
        role: Role,
        _state: &mut State,
        received: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<usize> {
        let mut left = received;
        while let Some((Packet { first, rest }, behind)) = cut_packet(left)? {
            match first >> 4 {
                2 => {
                    ensure!(rest.get(1) == Some(&0), "the broker refuses a login: {rest:?}");
                    match role {
                        Role::Sender(_) => events.push(Event::Ready),
                        Role::Receiver(index) => subscribe(&format!("u/{index}"), out),
                        Role::Idle(index) => subscribe(&format!("i/{index}"), out),
                    }
                }
                3 => events.push(Event::Message(take_message(first, rest, out)?)),
                4 => events.push(Event::Accepted(1)),
                9 => {
                    ensure!(rest.get(2) == Some(&1), "the broker refuses a subscription: {rest:?}");
                    events.push(Event::Ready);
                }
                kind => bail!("an MQTT packet of type {kind}"),
            }
            left = behind;
        }
        Ok(received.len() - left.len())
    }

    fn publish(&self, sender: u32, state: &mut State, body: &Body, out: &mut Vec<u8>) {
        state.packet_id = state.packet_id.checked_add(1).unwrap_or(1);
        let topic = format!("u/{sender}");
        out.push(PUBLISH_QOS_1);
        append_length(2 + topic.len() + 2 + BODY_BYTES, out);
        append_text(&topic, out);
        out.extend_from_slice(&state.packet_id.to_be_bytes());
        out.extend_from_slice(body);
    }

    fn goodbye(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&DISCONNECT);
    }
}

fn subscribe(topic: &str, out: &mut Vec<u8>) {
    let mut rest = vec![0, 1];
    append_text(topic, &mut rest);
    rest.push(1); // QoS
    append_packet(SUBSCRIBE, &rest, out);
}

fn take_message(first: u8, rest: &[u8], out: &mut Vec<u8>) -> Result<Stamp> {
    let cut = "a message that is cut short";
    let (topic_length, rest) = rest.split_first_chunk().context(cut)?;
    let topic_length = usize::from(u16::from_be_bytes(*topic_length));
    let (_, rest) = rest.split_at_checked(topic_length).context(cut)?;
    if first & 0x06 == 0 {
        bail!("a message without QoS: the broker did not keep it");
    }
    let ([high, low], body) = rest.split_first_chunk().context(cut)?;
    out.extend_from_slice(&[PUBACK, 2, *high, *low]);
    Stamp::read(body)
}

/// A whole packet, its length taken away.
struct Packet<'a> {
    first: u8,
    rest: &'a [u8],
}

/// A whole packet from the front, and what lies behind it.
fn cut_packet(received: &[u8]) -> Result<Option<(Packet<'_>, &[u8])>> {
    let Some((first, mut left)) = received.split_first() else { return Ok(None) };
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let Some((digit, behind)) = left.split_first() else { return Ok(None) };
        length |= usize::from(digit & 0x7f) << shift;
        left = behind;
        if digit & 0x80 == 0 {
            let cut = left.split_at_checked(length);
            return Ok(cut.map(|(rest, behind)| (Packet { first: *first, rest }, behind)));
        }
    }
    bail!("an MQTT packet whose length has no end")
}

fn append_packet(first: u8, rest: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    append_length(rest.len(), out);
    out.extend_from_slice(rest);
}

fn append_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 0x7f {
        out.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn append_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_logs_in_and_subscribes() {
        let (mut out, mut events, mut state) = (Vec::new(), Vec::new(), State::default());
        let role = Role::Receiver(7);
        Mqtt.hello(role, &mut state, &mut out).unwrap();
        assert_eq!(out, b"\x10\x1c\0\x04MQTT\x04\xc0\x0e\x10\0\x02r7\0\x05bench\0\x05bench");
        out.clear();
        let connack_and_suback = [0x20, 2, 0, 0, 0x90, 3, 0, 1, 1];
        let used = Mqtt.input(role, &mut state, &connack_and_suback, &mut out, &mut events);
        assert_eq!(used.unwrap(), 9);
        assert_eq!(out, b"\x82\x08\0\x01\0\x03u/7\x01");
        assert_eq!(events, [Event::Ready]);
    }

    #[test]
    fn a_message_is_confirmed_and_acknowledged() {
        let (mut out, mut events, mut state) = (Vec::new(), Vec::new(), State::default());
        let stamp = Stamp { due_ns: 5, sender: 300, number: 6 };
        Mqtt.publish(300, &mut state, &stamp.to_body(), &mut out);
        assert_eq!(&out[..12], b"\x32\x89\x01\0\x05u/300\0\x01");
        let message = std::mem::take(&mut out);
        // Cut anywhere, nothing is taken before the packet is whole.
        for length in 0..message.len() {
            let used = Mqtt.input(
                Role::Receiver(300),
                &mut state,
                &message[..length],
                &mut out,
                &mut events,
            );
            assert_eq!(used.unwrap(), 0);
        }
        Mqtt.input(Role::Receiver(300), &mut state, &message, &mut out, &mut events).unwrap();
        assert_eq!(events, [Event::Message(stamp)]);
        assert_eq!(out, [0x40, 2, 0, 1]);
        events.clear();
        let used = Mqtt.input(Role::Sender(300), &mut state, &out.clone(), &mut out, &mut events);
        assert_eq!(used.unwrap(), 4);
        assert_eq!(events, [Event::Accepted(1)]);
    }

    #[test]
    fn numbers_of_packets_pass_over_zero() {
        let mut state = State { packet_id: u16::MAX };
        let mut out = Vec::new();
        Mqtt.publish(1, &mut state, &Stamp::default().to_body(), &mut out);
        assert_eq!(state.packet_id, 1);
    }

    #[test]
    fn a_refusal_and_an_endless_length_are_told() {
        let refused = [0x20, 2, 0, 5];
        for (bytes, what) in
            [(&refused[..], "refuses a login"), (&[0x30, 255, 255, 255, 255], "end")]
        {
            let outcome = Mqtt.input(
                Role::Sender(1),
                &mut State::default(),
                bytes,
                &mut Vec::new(),
                &mut Vec::new(),
            );
            assert!(outcome.unwrap_err().to_string().contains(what));
        }
    }
}
