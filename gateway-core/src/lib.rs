//! A Kong-flavoured gateway: a machine that decides without doing I/O, and a thin async shell that does I/O without
//! deciding.
//!
//! The modules, from the bottom up; each may use those above it in this list, never those below:
//!
//! | floor | modules |
//! |---|---|
//! | 0 vocabulary | [`time`], [`id`], [`weight`], [`rng`], [`request`], [`outcome`] |
//! | 1 entities | [`entity`]: Service, Route, Upstream, Target |
//! | 2 config | [`config`]: a valid set of them, and changes of it |

pub mod id;
pub mod outcome;
pub mod request;
pub mod rng;
pub mod time;
pub mod weight;

pub mod entity;

pub mod config;

pub mod balancer;

pub mod router;

pub mod admin;
pub mod gateway;

#[cfg(feature = "shell")]
pub mod shell;
