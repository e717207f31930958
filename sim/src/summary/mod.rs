//! From measurement to judgement.
mod model;
pub use model::*;
