//! What a mock target does with a request: how long it takes and what it answers. Pure, asked by both engines, so there
//! is one truth. Leaves sockets and queues to the engines.

mod answer;
mod latency;
mod station;

pub use answer::{Answer, Seen, answer};
pub use latency::{Latency, LatencyError};
pub use station::{Counts, Departure, Discipline, Full, Places, Station};

/// How one mock target behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// How long an answer takes.
    pub latency: Latency,
    /// What is in it.
    pub respond: Respond,
}

/// The body of a mock's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respond {
    /// JSON that describes the request, as httpbin's `/anything`.
    Anything,
    /// The request's body, sent back.
    Echo,
    /// So many bytes.
    Bytes(usize),
}
