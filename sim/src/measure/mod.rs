//! What was measured: the record of one request, what engines report, and the recorder that folds it into bins. Memory
//! grows with bins, not with requests. Leaves judgement to `summary`.

mod observation;
mod record;

mod histogram;
mod ledger;
mod log_bins;

mod answered;
mod asked;
mod books;
mod breach;
mod by_upstream;
mod capacity;
mod carried;
mod cells;
mod copies;
mod density;
mod farm;
mod flips;
mod keys;
mod leftovers;
mod lens;
mod limits;
mod parts;
mod phases;
mod promises;
mod revisions;
mod rollout;
mod series;
mod sums;
mod switches;
mod weights;
mod window;

mod measured;
mod progress;
mod recorder;

#[cfg(test)]
pub(crate) mod rehearsal;

pub use answered::Answered;
pub use breach::{Breach, Promise};
pub use capacity::Capacity;
pub use cells::{Attempts, Cell, Part, PartKey, Timed};
pub use copies::{Copies, DifferenceSample};
pub use density::{COLUMN, Heap, Row};
pub use flips::Flips;
pub use histogram::{Intended, Times};
pub use ledger::Tally;
pub use lens::{Near, Nearby, REACH};
pub use limits::Outranked;
pub use measured::{
    Again, DropSample, Drops, KindTally, Measured, MeasuredPhase, Slow, TargetTally, Warning,
};
pub use observation::{Conditions, Copied, CpuSample, Observation, Pick, StepMoments, Strain};
pub use phases::{PhaseKind, PhaseStart};
pub use progress::{Milestone, Progress};
pub use record::{Cause, Ending, Record};
pub use recorder::{COST_WINDOW, Recorder};
pub use rollout::{MeasuredRollout, SideTally, SideTimes};
pub use series::{Bin, Bins, Grid, TargetBin};
pub use switches::{MeasuredSwitch, NodePicks};
pub use weights::{LagRange, MeasuredWeights, MemberPicks};
