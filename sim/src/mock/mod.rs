//! What a mock target does with a request: how long it takes, who waits, what it answers and what goes wrong. Pure, asked by
//! both engines, so there is one truth. Leaves sockets and waiting to the engines.

mod behaviour;
mod behind;
mod latency;
mod station;

mod faults;
mod pace;

mod draws;
mod sampler;
mod target;
mod visits;

mod answer;

pub use answer::{Answer, Seen, answer};
pub use behaviour::{Behaviour, Errors, KeepAlive, Respond, Warmup};
pub use behind::Behind;
pub use draws::Draws;
pub use faults::{Active, Fault, FaultKind, Faults, Registration, Scheduled};
pub use latency::{Latency, LatencyError};
pub use pace::Pace;
pub use sampler::Sampler;
pub use station::{Ahead, Counts, Departure, Discipline, Full, Places, Station};
pub use target::{Fate, Manner, Process, Target};
pub use visits::Visits;
