//! Which targets are well: what is seen of each, what that counts as, whether those that are suffice, whom to probe
//! when, and who stands out from the others. Values and pure decisions only: no timer, no socket, no clock. Leaves who
//! may be picked to `gateway`, which acts on every [`Turn`], and sending probes to the shell.
//!
//! ```text
//! a try ends  -> Observation::of -> Record::observe -> Turn?                         passive checks
//! Prober::poll_probe -> the shell -> Prober::on_probe -> Record::observe -> Turn?    active checks
//! a try ends  -> OutlierRecord::observe -> Outliers::eject -> Turn?                  outliers, at once
//! Outliers::handle_timeout -> Turns                                                  outliers, each interval
//! ```

mod counters;
mod observation;
mod record;

mod availability;

mod prober;

mod outliers;

pub use availability::Availability;
pub use counters::{Counters, State};
pub use observation::Observation;
pub use outliers::{OutlierRecord, Outliers};
pub use prober::{Plan, Probe, ProbeResult, Prober, Watch, WatchedTarget};
pub use record::Record;

use std::time::Duration;

/// No timer ticks faster, however small an interval is set: nobody is to be kept awake by a slip of the pen.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// A target came into rotation or went out of it; the members of its Upstream are no longer what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be picked again.
    In,
    /// It may not be picked any more.
    Out,
}
