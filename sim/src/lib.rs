//! Rehearse a rollout against a real proxy, and account for every request.

pub mod hdr;
mod markup;
pub mod stats;
pub mod words;

pub mod load;
pub mod mock;
pub mod rollout;

pub mod plan;

pub mod measure;

pub mod engine;
pub mod scenario;

pub mod summary;

mod chart;
pub mod report;

pub mod compare;

pub mod artefacts;
pub mod baseline;
pub mod signals;

pub mod calibrate;
pub mod replicate;
pub mod run;

pub mod matrix;

pub mod cli;
