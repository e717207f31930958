//! What the system must allow before a run begins, so that it does not fail half-way: open files, and local ports for
//! connections that do not last.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::engine::EngineError;
use crate::load::Load;
use crate::plan::Plan;

/// Sockets of one request's way: client and gateway ends of the first connection, gateway and target ends of the second.
const ENDS: u64 = 4;
/// Sockets of a target's port: one that holds it, one that listens.
const PORT: u64 = 2;
/// Files of a gateway's worker: its listener, and what its runtime waits with.
const WORKER: u64 = 6;
/// For everything else: listeners, timers, files.
const SPARE: u64 = 200;
/// How long a port is of no use after its connection has ended: `TIME_WAIT` of Linux.
const TIME_WAIT: Duration = Duration::from_secs(60);
/// The part of all ports that one run may have in use; others on the machine need some too.
const PORTS_SHARE: f64 = 0.8;

/// Raises the soft limit of open files to the hard one and checks that it is enough, and that ports are.
pub(super) fn check(plan: &Plan) -> Result<(), EngineError> {
    files(plan)?;
    let ports = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let Some(ports) = ports.as_deref().and_then(range) else { return Ok(()) };
    let (needed, allowed) = (ports_needed(&plan.load), (ports as f64 * PORTS_SHARE) as u64);
    if needed > allowed { Err(EngineError::Ports { needed, allowed }) } else { Ok(()) }
}

fn files(plan: &Plan) -> Result<(), EngineError> {
    let needed = files_needed(plan);
    // The gateway keeps idle connections to every target besides: as many as there may be. What cannot be raised is found out
    // below.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(EngineError::Files { needed, allowed }),
        _ => Ok(()),
    }
}

fn files_needed(plan: &Plan) -> u64 {
    let workers = plan.gateway.options.workers as u64 * u64::from(plan.gateway.nodes);
    ENDS * plan.load.connections as u64 + PORT * plan.mocks.len() as u64 + WORKER * workers + SPARE
}

/// How many ports there are to take.
fn range(text: &str) -> Option<u64> {
    let mut ends = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some((last + 1).saturating_sub(first))
}

/// Ports in use at once towards the gateway: those of all connections, and of those that ended within the last minute. How
/// many a closed loop opens nobody knows; running out is seen in the run.
fn ports_needed(load: &Load) -> u64 {
    let connections = load.connections as u64;
    let Some(most) = load.requests_per_connection else { return connections };
    let seconds = load.duration().min(Duration::from_secs(7 * 86_400)).as_secs_f64().ceil() as u64;
    let rates: Vec<f64> =
        (0..seconds).filter_map(|second| load.rate_at(Duration::from_secs(second))).collect();
    let wait = TIME_WAIT.as_secs() as usize;
    let minute = |at: usize| rates[at..rates.len().min(at + wait)].iter().sum::<f64>();
    let most_in_a_minute = (0..rates.len()).step_by(wait / 4).map(minute).fold(0.0, f64::max);
    let requests = (most_in_a_minute as u64).min(load.total());
    connections + requests / most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{RequestMix, RequestTemplate, Stream};
    use crate::measure::rehearsal::how_to;

    #[test]
    fn files_are_needed_for_connections_targets_and_workers() {
        let mut plan = how_to(600.0, 30, &[]);
        plan.load.connections = 64;
        plan.gateway.options.workers = 1;
        let one = files_needed(&plan);
        assert_eq!(one, 4 * 64 + 2 * 4 + 6 + SPARE);
        plan.gateway.options.workers = 4;
        plan.gateway.nodes = 10;
        assert_eq!(files_needed(&plan), one + 39 * WORKER);
    }

    fn needed(rate: f64, seconds: u64, most: Option<u64>) -> u64 {
        let mix = RequestMix::new(vec![RequestTemplate::get("/")]).unwrap();
        let stream = Stream::constant(rate, Duration::from_secs(seconds), mix);
        ports_needed(&Load { requests_per_connection: most, connections: 64, ..Load::of(vec![stream]) })
    }

    #[test]
    fn ports_are_needed_for_what_ends_within_a_minute() {
        assert_eq!(needed(600.0, 30, None), 64);
        assert_eq!(needed(600.0, 30, Some(1)), 64 + 18_000);
        assert_eq!(needed(600.0, 600, Some(1)), 64 + 36_000);
        assert_eq!(needed(600.0, 600, Some(100)), 64 + 360);
        assert_eq!(range("32768\t60999\n"), Some(28_232));
        assert_eq!(range("nonsense"), None);
    }
}
