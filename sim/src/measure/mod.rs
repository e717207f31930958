//! What was measured.
mod record;
pub use record::{Cause, Ending, Record};
