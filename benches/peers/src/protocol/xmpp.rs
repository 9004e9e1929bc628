//! XMPP between client and server, without TLS: SASL PLAIN; stream management (XEP-0198) for
//! the server's confirmation; a receipt (XEP-0184) that the receiving client sends back.
//!
//! ```text
//! stream ─► features ─► auth ─► success ─► stream ─► features ─► bind ─► enable ─► enabled
//! ```

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Event, Population, Protocol, Role};
use crate::stamp::{Body, Stamp};

mod registration;
mod unit;

use unit::{attribute, between, contains, cut_unit};

const OPEN: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const PASSWORD: &str = "pw";

/// The protocol.
#[derive(Debug, Default)]
pub(crate) struct Xmpp;

/// A stream.
#[derive(Debug, Default)]
pub(crate) struct State {
    is_authenticated: bool,
    /// Stanzas that came since management was enabled.
    handled: u32,
    /// Stanzas of ours that the server has handled.
    confirmed: u32,
    written: u64,
    request_is_due: bool,
}

impl Protocol for Xmpp {
    type State = State;

    fn prepare(&mut self, address: SocketAddr, population: Population) -> Result<()> {
        let pairs = (0..population.pairs)
            .flat_map(|index| [name(Role::Sender(index)), name(Role::Receiver(index))]);
        let idle = (0..population.idle).map(|index| name(Role::Idle(index)));
        registration::register(address, &pairs.chain(idle).collect::<Vec<_>>())
    }

    fn hello(&self, _role: Role, state: &mut State, out: &mut Vec<u8>) -> Result<()> {
        *state = State { written: state.written, ..State::default() };
        out.extend_from_slice(OPEN.as_bytes());
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
        while let Some((unit, behind)) = cut_unit(left) {
            handle_unit(role, state, unit, out, events)?;
            left = behind;
        }
        Ok(received.len() - left.len())
    }

    fn publish(&self, sender: u32, state: &mut State, body: &Body, out: &mut Vec<u8>) {
        state.written += 1;
        state.request_is_due = true;
        let head =
            format!("<message to='r{sender}@localhost' type='chat' id='{}'><body>", state.written);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"</body><request xmlns='urn:xmpp:receipts'/></message>");
    }

    /// Asks once a write what the server has handled.
    fn flush(&self, state: &mut State, out: &mut Vec<u8>) {
        if std::mem::take(&mut state.request_is_due) {
            out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
        }
    }

    fn goodbye(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</stream:stream>");
    }
}

fn name(role: Role) -> String {
    match role {
        Role::Sender(index) => format!("s{index}"),
        Role::Receiver(index) => format!("r{index}"),
        Role::Idle(index) => format!("i{index}"),
    }
}

fn handle_unit(
    role: Role,
    state: &mut State,
    unit: &[u8],
    out: &mut Vec<u8>,
    events: &mut Vec<Event>,
) -> Result<()> {
    if unit.starts_with(b"<message") {
        handle_message(state, unit, out, events)
    } else if unit.starts_with(b"<r ") {
        write!(out, "<a xmlns='urn:xmpp:sm:3' h='{}'/>", state.handled)?;
        Ok(())
    } else if unit.starts_with(b"<a ") {
        let handled: u32 =
            attribute(unit, "h").and_then(|h| h.parse().ok()).context("a bad <a>")?;
        let more = handled.wrapping_sub(std::mem::replace(&mut state.confirmed, handled));
        if matches!(role, Role::Sender(_)) && more > 0 {
            events.push(Event::Accepted(more.into()));
        }
        Ok(())
    } else if unit.starts_with(b"<presence") {
        state.handled = state.handled.wrapping_add(1);
        Ok(())
    } else if is_frame_of_stream(unit) {
        Ok(())
    } else {
        handle_login(role, state, unit, out, events)
    }
}

/// What opens a stream, and the white space that keeps it alive.
fn is_frame_of_stream(unit: &[u8]) -> bool {
    unit.starts_with(b"<?xml") || unit.starts_with(b"<stream:stream") || !unit.starts_with(b"<")
}

fn handle_message(
    state: &mut State,
    unit: &[u8],
    out: &mut Vec<u8>,
    events: &mut Vec<Event>,
) -> Result<()> {
    state.handled = state.handled.wrapping_add(1);
    if let Some(body) = between(unit, b"<body>", b'<') {
        events.push(Event::Message(Stamp::read(body)?));
        let (from, id) = (attribute(unit, "from"), attribute(unit, "id"));
        let (from, id) = (from.unwrap_or_default(), id.unwrap_or_default());
        write!(
            out,
            "<message to='{from}' id='a{id}'>\
             <received xmlns='urn:xmpp:receipts' id='{id}'/></message>"
        )?;
    } else if contains(unit, b"<received ") {
        events.push(Event::Receipts(1));
    } else if contains(unit, b"<error") {
        bail!("ejabberd says {}", String::from_utf8_lossy(unit));
    }
    Ok(())
}

fn handle_login(
    role: Role,
    state: &mut State,
    unit: &[u8],
    out: &mut Vec<u8>,
    events: &mut Vec<Event>,
) -> Result<()> {
    if unit.starts_with(b"<stream:features") && !state.is_authenticated {
        let plain = STANDARD.encode(format!("\0{}\0{PASSWORD}", name(role)));
        write!(
            out,
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        )?;
    } else if unit.starts_with(b"<stream:features") {
        out.extend_from_slice(
            b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
              <resource>x</resource></bind></iq>",
        );
    } else if unit.starts_with(b"<success") {
        state.is_authenticated = true;
        out.extend_from_slice(OPEN.as_bytes());
    } else if unit.starts_with(b"<iq") {
        ensure!(
            contains(unit, b"type='result'"),
            "ejabberd says {}",
            String::from_utf8_lossy(unit)
        );
        // Presence goes first: it does not count as a managed stanza then.
        out.extend_from_slice(b"<presence/><enable xmlns='urn:xmpp:sm:3'/>");
    } else if unit.starts_with(b"<enabled") {
        state.handled = 0;
        events.push(Event::Ready);
    } else {
        bail!("ejabberd says {}", String::from_utf8_lossy(unit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(role: Role, state: &mut State, received: &str) -> (String, Vec<Event>) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let used = Xmpp.input(role, state, received.as_bytes(), &mut out, &mut events);
        assert_eq!(used.unwrap(), received.len(), "{received}");
        (String::from_utf8(out).unwrap(), events)
    }

    #[test]
    fn a_login_goes_its_way() {
        let mut state = State::default();
        let role = Role::Sender(1);
        let head = "<?xml version='1.0'?><stream:stream id='1' from='localhost'>";
        let features = "<stream:features><bind xmlns='x'/></stream:features>";
        let (out, _) = input(role, &mut state, &format!("{head}{features}"));
        assert!(out.ends_with(">AHMxAHB3</auth>"), "{out}");
        assert_eq!(input(role, &mut state, "<success xmlns='x'/>").0, OPEN);
        let (out, _) = input(role, &mut state, &format!("{head}{features}"));
        assert!(out.contains("<resource>"), "{out}");
        let (out, _) = input(role, &mut state, "<iq type='result' id='b'><bind/></iq>");
        assert!(out.ends_with("<enable xmlns='urn:xmpp:sm:3'/>"), "{out}");
        let (_, events) = input(role, &mut state, "<enabled xmlns='urn:xmpp:sm:3'/>\n");
        assert_eq!(events, [Event::Ready]);
    }

    #[test]
    fn a_message_is_acknowledged_and_receipted() {
        let stamp = Stamp { due_ns: 3, sender: 1, number: 8 };
        let body = String::from_utf8(stamp.to_body().to_vec()).unwrap();
        let message = format!(
            "<message to='r1@localhost/x' from='s1@localhost/x' type='chat' id='9'>\
             <body>{body}</body><request xmlns='urn:xmpp:receipts'/></message><r xmlns='sm'/>"
        );
        let mut state = State::default();
        let (out, events) = input(Role::Receiver(1), &mut state, &message);
        assert_eq!(events, [Event::Message(stamp)]);
        assert_eq!(
            out,
            "<message to='s1@localhost/x' id='a9'><received xmlns='urn:xmpp:receipts' id='9'/>\
             </message><a xmlns='urn:xmpp:sm:3' h='1'/>"
        );
        let receipt = "<message id='a9'><received xmlns='urn:xmpp:receipts' id='9'/></message>";
        assert_eq!(input(Role::Sender(1), &mut state, receipt).1, [Event::Receipts(1)]);
    }

    #[test]
    fn confirmations_are_cumulative_and_asked_for_once_a_write() {
        let mut state = State::default();
        let mut out = Vec::new();
        for _ in 0..3 {
            Xmpp.publish(1, &mut state, &Stamp::default().to_body(), &mut out);
        }
        Xmpp.flush(&mut state, &mut out);
        Xmpp.flush(&mut state, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches("<r ").count(), 1);
        assert!(out.starts_with("<message to='r1@localhost' type='chat' id='1'><body>"));
        let accepted = "<a xmlns='urn:xmpp:sm:3' h='2'/><a xmlns='urn:xmpp:sm:3' h='2'/>";
        let (_, events) = input(Role::Sender(1), &mut state, accepted);
        assert_eq!(events, [Event::Accepted(2)]);
    }

    #[test]
    fn what_it_refuses_is_told() {
        for text in
            ["<failure><not-authorized/></failure>", "<message type='error'><error/></message>"]
        {
            let outcome = Xmpp.input(
                Role::Sender(1),
                &mut State::default(),
                text.as_bytes(),
                &mut Vec::new(),
                &mut Vec::new(),
            );
            assert!(outcome.unwrap_err().to_string().starts_with("ejabberd says <"));
        }
    }
}
