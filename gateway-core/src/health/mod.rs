//! Which targets are well: what is seen of each, what that counts as, and whether those that are suffice. Values and pure decisions only: no timer, no
//! socket, no clock. Leaves who may be picked to `gateway`, which acts on every [`Turn`].

mod availability;
mod counters;
mod observation;
mod record;

pub use availability::Availability;
pub use counters::{Counters, State};
pub use observation::Observation;
pub use record::Record;

/// Whose rules hold where Kong surprises its users. Each difference is described where it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// What users expect: failures in a row, a failed try reported for what it was, a threshold that can be met.
    #[default]
    Fixed,
    /// Kong's, to the letter.
    Kong,
}

/// A target came into rotation or went out of it; the members of its Upstream are no longer what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be picked again.
    In,
    /// It may not be picked any more.
    Out,
}
