//! Rehearse a rollout against a real proxy, and account for every request.

mod markup;
pub mod words;

pub mod load;
pub mod measure;
pub mod mock;
pub mod plan;
pub mod summary;
