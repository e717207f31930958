//! What happens during a run, and what comes next: steps as a closed list, each as the calls of the Admin API it stands for,
//! and the machine that both engines drive through them. Pure: time, acknowledgements and what the gateway did are handed in;
//! orders and marks come out. Reading steps is left to `scenario`, carrying them out to the engines.
//!
//! ```text
//! next_time()              when to come back at the latest
//! poll(now) -> Output      an order to carry out, or a mark for the report; again until there is none
//! acked(order, now, ok)    an order was carried out, or failed
//! observe(seen)            the gateway picked a target, or was done with an attempt, or began an epoch
//! ```
#![doc = include_str!("ROLLOUTS.md")]

pub mod judge;

mod action;
mod admin;
mod field;
mod plan;
mod registry;

mod versions;

pub mod strategies;

mod machine;
mod output;

pub use action::{
    Action, HeaderMatch, HeaderRoute, MirrorRoute, MirrorTo, Scale, SplitRoute, SplitTo, Step, TargetWeight,
    When,
};
pub use admin::{AdminCall, calls};
pub use field::Field;
pub use machine::{Machine, Seen, Users};
pub use output::{Mark, MarkKind, Order, OrderId, Output, Task};
pub use plan::{Limits, Rollout};
pub use registry::{Move, Registry};
pub use versions::{ByKey, Member, Shares, Version, Versions};
