//! What the system must allow before a run begins, so that it does not fail half-way: open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::engine::EngineError;
use crate::plan::Plan;

/// Sockets of one request's way: client and gateway ends of the first connection, gateway and target ends of the second.
const ENDS: u64 = 4;
/// Sockets of a target's port: one that holds it, one that listens.
const PORT: u64 = 2;
/// For everything else: listeners, timers, files.
const SPARE: u64 = 200;

/// Raises the soft limit of open files to the hard one and checks that it is enough.
pub(super) fn check(plan: &Plan) -> Result<(), EngineError> {
    let needed = ENDS * plan.load.connections as u64 + PORT * plan.mocks.len() as u64 + SPARE;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        // What cannot be raised is found out below.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(EngineError::Files { needed, allowed }),
        _ => Ok(()),
    }
}
