//! Runs a plan and says what happened, one observation at a time. Knows nothing of files, figures or verdicts.

pub mod live;
