//! A `sim` that serves until it is told to stop, and a raw HTTP client for it. A server is always reaped, also when the
//! test fails.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::support::sim;

/// How long one answer or line may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A process that serves.
pub(crate) struct Server {
    child: Child,
    /// What it says on stderr, line by line.
    stderr: Receiver<String>,
    /// The line it has said once it listens.
    pub(crate) line: String,
    /// The addresses in that line.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts `sim` with `arguments` and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = sim(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let read = BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line);
        let addresses = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let stderr = lines(child.stderr.take().unwrap());
        let server = Self { child, stderr, line: line.trim_end().to_owned(), addresses };
        assert!(read.is_ok() && !server.addresses.is_empty(), "{arguments:?} did not start: {line}");
        server
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it says a line on stderr that starts so; all it said up to there.
    pub(crate) fn wait_for(&self, start: &str) -> String {
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.starts_with(start)) {
            let line = self.stderr.recv_timeout(TIMEOUT);
            said += &line.unwrap_or_else(|_| panic!("it never said {start:?} but {said:?}"));
        }
        said
    }

    /// Asks it to end; its exit code and what else it said on stderr.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let said = self.stderr.iter().collect();
        (self.child.wait().unwrap().code(), said)
    }
}

/// The lines of a stream, as they come; ends with the stream.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line + "\n");
        }
    });
    receiver
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and is reaped all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header field; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }
}

/// One request on a connection of its own, as curl's; `body` comes with its content type.
pub(crate) fn call(address: SocketAddr, method: &str, path: &str, body: Option<(&str, &str)>) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let (kind, body) = body.unwrap_or(("", ""));
    if !kind.is_empty() {
        let _ = write!(request, "content-type: {kind}\r\ncontent-length: {}\r\n", body.len());
    }
    let _ = write!(request, "\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}
