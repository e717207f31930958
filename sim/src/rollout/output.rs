//! What comes out of the machine: orders for the engine, marks for the report.

use gateway_core::time::Instant;

use super::admin::AdminCall;
use super::judge::{Evidence, Verdict};

/// Which order an acknowledgement belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderId(pub u32);

/// What the machine says.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be carried out at once, then acknowledged.
    Order(Order),
    /// For the report.
    Mark(Mark),
}

/// Something an engine must do.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// To be named when it is acknowledged.
    pub id: OrderId,
    /// The step it comes from: an index into the plan's steps, then into the way back.
    pub step: usize,
    /// What to do.
    pub task: Task,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Calls of the Admin API, one after the other; it has failed when one of them has.
    Admin(Vec<AdminCall>),
    /// Start the processes of these mocks.
    Start(Vec<u32>),
    /// Tell when all these mocks accept connections.
    AwaitReady(Vec<u32>),
    /// End the processes of these mocks.
    Stop(Vec<u32>),
}

/// Something that happened to the rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Instant,
    /// The step it is about, as [`Order::step`].
    pub step: Option<usize>,
    /// What.
    pub kind: MarkKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum MarkKind {
    /// A step began.
    Began,
    /// A step is over.
    Over,
    /// A step could not be carried out: why.
    Failed(String),
    /// A judge has spoken.
    Judged {
        /// Index among the rollout's analyses.
        analysis: usize,
        /// What it says.
        verdict: Verdict,
        /// What it goes by.
        evidence: Evidence,
    },
    /// Nothing is decided, so nothing further is done: why.
    Held(String),
    /// The rollout is given up: why. The way back begins.
    Aborted(String),
    /// The way back is done.
    RolledBack,
    /// The new version is the stable one.
    Promoted,
}
