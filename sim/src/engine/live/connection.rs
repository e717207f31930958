//! One client connection of the generator: a socket, what has been read and not yet understood, and the request that is under
//! way on it. Decides nothing about requests.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use gateway_core::time::Instant;
use socket2::{Domain, Protocol, Socket, Type};

use super::answer::AnswerReader;
use crate::load::{Arrival, Waits};
use crate::measure::{Cause, Ending};

/// A request that has been released and not yet ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) arrival: Arrival,
    pub(super) released: Instant,
    /// Which attempt, from 1, and how the last one failed.
    pub(super) attempt: u32,
    pub(super) failed: Option<Ending>,
    /// Whether it has a second attempt, or is one.
    pub(super) hedged: bool,
    /// Since when it wants a connection.
    pub(super) waits: Instant,
    /// When it is given up, once it has a connection.
    pub(super) until: Instant,
    pub(super) on_wire: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
}

impl Job {
    /// A request that was just released.
    pub(super) fn new(arrival: Arrival, released: Instant) -> Self {
        Self {
            arrival,
            released,
            attempt: 1,
            failed: None,
            hedged: false,
            waits: released,
            until: Instant::MAX,
            on_wire: None,
            first_byte: None,
        }
    }

    /// The next attempt, after one that has failed.
    pub(super) fn again(self, failed: Ending, now: Instant) -> Self {
        Self {
            attempt: self.attempt + 1,
            failed: Some(failed),
            hedged: false,
            waits: now,
            until: Instant::MAX,
            on_wire: None,
            first_byte: None,
            ..self
        }
    }

    /// A second attempt beside it.
    pub(super) fn hedge(self, now: Instant) -> Self {
        Self { hedged: true, waits: now, until: Instant::MAX, on_wire: None, first_byte: None, ..self }
    }

    /// How it ends when no connection came free for it: as its last attempt did, if it had one.
    pub(super) fn unsent(&self) -> Ending {
        self.failed.unwrap_or(Ending::Dropped(Cause::Unsent))
    }
}

impl Waits for Job {
    fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    fn waits(&self) -> Instant {
        self.waits
    }
}

/// A connection, or the place of one.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) link: Link,
    /// The request under way.
    pub(super) job: Option<Job>,
    pub(super) reader: AnswerReader,
    pub(super) input: BytesMut,
    /// Requests it has carried since it was opened.
    pub(super) carried: u64,
    /// What could not be written at once.
    rest: Vec<u8>,
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Link {
    /// There is none.
    Closed,
    /// Asked for.
    Connecting(TcpStream),
    /// Established.
    Open(TcpStream),
}

impl Connection {
    /// A place without a connection.
    pub(super) fn closed() -> Self {
        Self {
            link: Link::Closed,
            job: None,
            reader: AnswerReader::new(),
            input: BytesMut::new(),
            carried: 0,
            rest: Vec::new(),
        }
    }

    /// An established connection.
    pub(super) fn open(stream: TcpStream) -> Self {
        Self { link: Link::Open(stream), ..Self::closed() }
    }

    /// Whether a request can be sent on it now.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.link, Link::Open(_)) && self.job.is_none()
    }

    /// Writes `bytes`, or keeps what the system does not take yet.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Link::Open(stream) = &mut self.link else { return Err(io::ErrorKind::NotConnected.into()) };
        let written = match stream.write(bytes) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(e) => return Err(e),
        };
        self.carried += 1;
        self.rest.clear();
        self.rest.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes on what was kept.
    pub(super) fn send_rest(&mut self) -> io::Result<()> {
        let Link::Open(stream) = &mut self.link else { return Ok(()) };
        while !self.rest.is_empty() {
            match stream.write(&self.rest) {
                Ok(n) => drop(self.rest.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether everything it was given is written. An answer may come before that; then nothing else may follow.
    pub(super) fn is_sent(&self) -> bool {
        self.rest.is_empty()
    }

    /// One read into `scratch`, appended to the input; `None` when there is nothing yet, 0 at the end.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        let Link::Open(stream) = &mut self.link else { return Ok(None) };
        match stream.read(scratch) {
            Ok(n) => {
                self.input.extend_from_slice(&scratch[..n]);
                Ok(Some(n))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Closes it; whatever was under way is the caller's business.
    pub(super) fn close(&mut self) {
        self.link = Link::Closed;
        self.reader = AnswerReader::new();
        self.input.clear();
        self.carried = 0;
        self.rest.clear();
    }
}

/// Asks for a connection without waiting for it. Ready at once or later, which is why the caller watches it either way.
pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(e) => return Err(e),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}
