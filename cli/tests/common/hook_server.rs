//! A server of the operator's that is told things, with all that may be wrong with one.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::Value;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(u16),
    Redirect(String),
    /// Nothing, and the connection closes.
    Nothing,
    /// Nothing at all, while the other side waits.
    Silence,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

pub(crate) struct HookServer {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    told: Receiver<Told>,
}

impl HookServer {
    /// Answers with 200, but for the next ones that are said.
    pub(crate) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (telling, told) = channel();
        let given = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (given, telling) = (Arc::clone(&given), telling.clone());
                // Whoever asks may break off, and a test may be over.
                thread::spawn(move || drop(serve(stream.unwrap(), &given, &telling)));
            }
        });
        Self { address, answers, told }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request is answered so, behind those for which others were said.
    pub(crate) fn answer_next(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// The next request.
    pub(crate) fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// The next request, if one comes in this time.
    pub(crate) fn told_within(&self, time: Duration) -> Option<Told> {
        match self.told.recv_timeout(time) {
            Ok(told) => Some(told),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the server has ended"),
        }
    }
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Whether it was signed with a secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = format!("{}.{}", self.header("answerback-timestamp"), self.text);
        let tag = hmac::sign(&key, signed.as_bytes());
        let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("answerback-signature") == format!("v1={digits}")
    }
}

fn serve(
    stream: TcpStream,
    answers: &Mutex<VecDeque<Answer>>,
    telling: &Sender<Told>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(told) = read(&mut reader)? {
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(200));
        let _ = telling.send(told);
        let head = match answer {
            Answer::Status(status) => format!("{status} Whatever\r\n"),
            Answer::Redirect(to) => format!("307 There\r\nlocation: {to}\r\n"),
            Answer::Nothing => return Ok(()),
            Answer::Silence => {
                // Until the other side gives up.
                return reader.read(&mut [0; 1]).map(drop);
            }
        };
        write!(writer, "HTTP/1.1 {head}content-length: 2\r\n\r\nok")?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Told>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8(body).unwrap();
    Ok(Some(Told { line: line.trim_end().to_owned(), headers, text }))
}
