//! What was measured: the record of one request, and what engines report. Leaves judgement to `summary`.

mod observation;
mod record;

pub use observation::{Conditions, CpuSample, Observation, Pick, StepMoments};
pub use record::{Cause, Ending, Record};
