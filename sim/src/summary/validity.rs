//! Whether the measurement itself can be trusted: VALID, DEGRADED or INVALID, each objection with its figure, its limit
//! and its time span.
//!
//! Lag is part of the response time, so it is judged by how much of the response time it explains, not by its size: tails
//! of some milliseconds belong to small virtual machines, whichever timer is used (reference/load.md, section 3). A busy
//! machine shows elsewhere, because its scheduler still lets the generator in while gateway and targets wait: in the CPU
//! time that others use, and in how long the generator waits for a CPU at each request. Measured beside 600 requests a
//! second on two cores: nothing else running, others use 1 to 10 % and each request waits 30 us; two busy loops, 95 % and
//! 90 to 117 us, while the median lag does not move. The system's CPU pressure is not judged: it counts our own threads
//! waiting for each other, 4 % at 600 and 27 % at 5,000 requests a second on the same quiet machine.
#![doc = include_str!("validity/VALIDITY.md")]

use std::time::Duration;

use gateway_core::time::Instant;

use super::{Jitter, Lag, Trust, Validity};
use crate::measure::{Bin, Cause, Measured, Strain, Times};
use crate::plan::Plan;
use crate::words;

/// Where a figure makes a measurement DEGRADED and where INVALID.
#[derive(Clone, Copy, Debug)]
struct Limits {
    degraded: f64,
    invalid: f64,
}

/// Share of the median response time that the median lag explains.
const LAG_P50: Limits = Limits { degraded: 0.10, invalid: 0.50 };
/// The same at the 99th percentile. A quiet small machine shows up to 20 % (4 ms of 20 ms).
const LAG_P99: Limits = Limits { degraded: 0.40, invalid: 0.80 };
/// Share of the median response time that the median wait for a connection explains, from where on it is told.
const CLIENT_WAIT: f64 = 0.10;
/// Share of requests not released within the planned time (reference/load.md, section 2).
const LATE: Limits = Limits { degraded: 0.001, invalid: 0.01 };
/// A lag that makes a request late, for whoever asks when, microseconds.
const LATE_US: f64 = 250_000.0;
/// Wait of the generator's threads for a CPU, microseconds for each request. Twice what was measured on a quiet machine
/// if each request wakes the generator twice.
const WAIT_US: Limits = Limits { degraded: 120.0, invalid: 1_000.0 };
/// CPU time used by other processes, share of all cores. One busy loop on two cores is 50 %.
const FOREIGN: Limits = Limits { degraded: 0.25, invalid: 1.0 };
/// CPU time that the hypervisor gave to others: half a per cent is common on shared machines.
const STEAL: Limits = Limits { degraded: 0.02, invalid: 0.10 };
/// Largest share of a second in which the generator's thread was running (reference/load.md, section 2).
const BUSY: Limits = Limits { degraded: 0.80, invalid: 0.95 };
/// 99.9th percentile of the overshoot of a 1 ms sleep, microseconds; 2 to 11 ms on quiet small machines.
const JITTER_US: Limits = Limits { degraded: 20_000.0, invalid: 100_000.0 };

/// The smallest step of the clock, microseconds: a millisecond's clock can tell no latency of a loopback.
const RESOLUTION_US: Limits = Limits { degraded: 10.0, invalid: 1_000.0 };
/// Share of TCP segments that were sent again (reference/load.md, section 2): a lost SYN costs a second.
const RETRANSMITTED: f64 = 0.000_1;

/// What a closed loop cannot show.
const CLOSED: &str = "closed loop: users wait for answers, so what is slow is asked less often and counts too seldom \
    (coordinated omission); compare latencies with closed loops only";

/// Judges the measurement.
pub(super) fn judge(plan: &Plan, measured: &Measured) -> Validity {
    let mut objections = Objections::default();
    let seconds = planned(plan, measured).as_secs_f64();
    schedule(measured, &mut objections);
    lag(measured, &mut objections);
    machine(measured, seconds, &mut objections);
    network(plan, measured, &mut objections);
    losses(measured, &mut objections);
    connections(plan, measured, &mut objections);
    if plan.load.has_closed_loop() {
        // No fault of the measurement: it is what was asked for, and must be known to whoever reads the figures.
        objections.add(Trust::Valid, CLOSED.to_owned());
    }
    let conditions = &measured.conditions;
    Validity {
        result: objections.result,
        reasons: objections.reasons,
        lag_us: Lag {
            p50: measured.lag.quantile(0.5).unwrap_or(0.0),
            p99: measured.lag.quantile(0.99).unwrap_or(0.0),
            max: measured.lag.max_us().unwrap_or(0.0),
        },
        achieved_rate: per_second(measured.released_in_time, plan),
        intended_rate: per_second(measured.intended, plan),
        run_queue_wait: conditions.run_queue_wait,
        steal: conditions.steal,
        cpu_pressure: conditions.cpu_pressure,
        foreign_cpu: conditions.foreign_cpu,
        clock_resolution_us: conditions.clock_resolution.map(|step| step.as_nanos() as f64 / 1e3),
        listen_overflows: conditions.listen_overflows,
        retransmitted: conditions.retransmitted,
        jitter_us: conditions.jitter_us.map(|(p50, p999, max)| Jitter { p50, p999, max }),
    }
}

fn per_second(n: u64, plan: &Plan) -> f64 {
    n as f64 / plan.load.duration().as_secs_f64()
}

/// The time in which requests were released: all of it, or until the run was stopped.
fn planned(plan: &Plan, measured: &Measured) -> Duration {
    let until = measured.conditions.aborted_at.map_or(Duration::MAX, |at| at.since(Instant::ZERO));
    plan.load.duration().min(until).max(Duration::from_millis(1))
}

#[derive(Debug)]
struct Objections {
    result: Trust,
    reasons: Vec<String>,
}

impl Default for Objections {
    fn default() -> Self {
        Self { result: Trust::Valid, reasons: Vec::new() }
    }
}

impl Objections {
    fn add(&mut self, trust: Trust, reason: String) {
        let rank = |trust| match trust {
            Trust::Valid => 0,
            Trust::Degraded => 1,
            Trust::Invalid => 2,
        };
        if rank(trust) > rank(self.result) {
            self.result = trust;
            // The worst first.
            self.reasons.insert(0, reason);
        } else {
            self.reasons.push(reason);
        }
    }

    /// Objects when `value` is beyond its limits; `say` is told the limit that was passed.
    fn check(&mut self, value: f64, limits: Limits, say: impl FnOnce(f64) -> String) {
        if value > limits.invalid {
            self.add(Trust::Invalid, say(limits.invalid));
        } else if value > limits.degraded {
            self.add(Trust::Degraded, say(limits.degraded));
        }
    }
}

/// Whether requests were released when they should have been. Those that a stopped run left behind, and those that found
/// too many in flight, are accounted for elsewhere.
fn schedule(measured: &Measured, objections: &mut Objections) {
    let tally = |cause| measured.phases.iter().map(|phase| phase.tally().dropped_by(cause)).sum::<u64>();
    if measured.intended == 0 {
        objections.add(Trust::Invalid, "no request was intended".to_owned());
        return;
    }
    let excused = tally(Cause::Overflow)
        + if measured.conditions.aborted_at.is_some() { tally(Cause::Unsent) } else { 0 };
    let due = measured.intended.saturating_sub(excused);
    let late = due.saturating_sub(measured.released_in_time);
    if due > 0 {
        let share = late as f64 / due as f64;
        objections.check(share, LATE, |limit| {
            format!(
                "released {} of {} requests within the planned time ({} late, limit {}){}",
                words::count(measured.released_in_time.min(due)),
                words::count(due),
                words::percent(share, 1),
                words::percent(limit, 1),
                span(measured, |bin| bin.lag.max_us().is_some_and(|lag| lag > LATE_US))
            )
        });
    }
}

/// How much of the response time the lag explains, and when.
fn lag(measured: &Measured, objections: &mut Objections) {
    for (q, name, limits) in [(0.5, "median", LAG_P50), (0.99, "p99", LAG_P99)] {
        let share = |lag: &Times, response: &Times| {
            let (lag, response) = (lag.quantile(q)?, response.quantile(q)?);
            (response > 0.0).then(|| (lag / response, lag, response))
        };
        let Some((part, lag, response)) = share(&measured.lag, &measured.response) else { continue };
        objections.check(part, limits, |limit| {
            let is_bad = |bin: &Bin| share(&bin.lag, &bin.response).is_some_and(|(part, ..)| part > limit);
            format!(
                "generator lag {name} {} is {} of the {name} response time {} (limit {}){}",
                words::time(lag),
                words::percent(part, 0),
                words::time(response),
                words::percent(limit, 0),
                span(measured, is_bad)
            )
        });
    }
}

/// Whether the load's own connections were too few for it. No fault of the measurement, since a gateway that stalls keeps them
/// busy too; but whoever takes the response time for the gateway's must know.
fn connections(plan: &Plan, measured: &Measured, objections: &mut Objections) {
    let (wait, response) = (measured.client_wait.quantile(0.5), measured.response.quantile(0.5));
    if let (Some(wait), Some(response)) = (wait, response)
        && wait > CLIENT_WAIT * response
    {
        let connections = words::counted(plan.load.connections as u64, "connection");
        let (wait, response) = (words::time(wait), words::time(response));
        let carried = carried(plan, measured).unwrap_or_default();
        let reason = format!(
            "half of the requests waited {wait} or more for one of {connections}, of a median response time of \
             {response}{carried}"
        );
        objections.add(Trust::Valid, reason);
    }
}

/// What the connections could carry, and whether it was enough: by Little's law, so many at once, each busy for the mean service
/// time, answer so many a second.
fn carried(plan: &Plan, measured: &Measured) -> Option<String> {
    let cells = measured.phases.iter().flat_map(|phase| phase.cells.values());
    let services = cells.filter_map(|cell| Some(cell.timed.as_ref()?.answered.service()));
    let (n, busy) = services.fold((0, 0.0), |(n, busy), service| {
        (n + service.n(), busy + service.n() as f64 * service.mean_us().unwrap_or(0.0))
    });
    let each = busy / n as f64;
    let intended = per_second(measured.intended, plan);
    let most = plan.load.connections as f64 * 1e6 / each;
    let needed = (intended * each / 1e6).ceil();
    (each > 0.0).then(|| {
        let advice = if most < intended {
            format!("load.connections must be {} or more, or answers faster", words::count(needed as u64))
        } else {
            "enough on average, so the gateway or its targets were slow for a time".to_owned()
        };
        format!(
            "; each was busy for {} at a request, so that all carry {} requests a second of {}: {advice}",
            words::time(each),
            words::count(most as u64),
            words::count(intended as u64),
        )
    })
}

/// ` between 12.5 s and 17.0 s`: from the first to the last bin of which something is true.
fn span(measured: &Measured, is_so: impl Fn(&Bin) -> bool) -> String {
    let bins = &measured.bins.bins;
    between(measured, bins.iter().position(&is_so), bins.iter().rposition(&is_so))
}

/// The same by what the machine did.
fn span_of_strain(measured: &Measured, is_so: impl Fn(&Strain) -> bool) -> String {
    let strains = &measured.conditions.strains;
    between(measured, strains.iter().position(&is_so), strains.iter().rposition(&is_so))
}

fn between(measured: &Measured, first: Option<usize>, last: Option<usize>) -> String {
    let seconds = |bin| words::seconds(measured.bins.grid.from(bin).as_millis_f64(), 1);
    first
        .zip(last)
        .map_or_else(String::new, |(a, b)| format!(" between {} s and {} s", seconds(a), seconds(b + 1)))
}

/// What the machine did besides.
fn machine(measured: &Measured, seconds: f64, objections: &mut Objections) {
    let conditions = &measured.conditions;
    let when = |value: fn(&Strain) -> Option<f64>, limit: f64| {
        span_of_strain(measured, |strain| value(strain).is_some_and(|value| value > limit))
    };
    if let Some(wait) = conditions.run_queue_wait {
        let requests = measured.lag.n().max(1) as f64;
        let each = wait * seconds * 1e6 / requests;
        objections.check(each, WAIT_US, |limit| {
            format!(
                "the generator waited {} for a CPU at each request (limit {}){}: the machine was busy",
                words::time(each),
                words::time(limit),
                span_of_strain(measured, |strain| {
                    strain.generator_wait.is_some_and(|wait| wait * seconds * 1e6 / requests > limit)
                })
            )
        });
    }
    for (value, of_bin, limits, what) in [
        (
            conditions.foreign_cpu,
            (|strain| strain.foreign_cpu) as fn(&Strain) -> Option<f64>,
            FOREIGN,
            "of the machine's CPU time went to other processes",
        ),
        (conditions.steal, |strain| strain.steal, STEAL, "of the CPU time was taken by the hypervisor"),
    ] {
        let Some(value) = value else { continue };
        objections.check(value, limits, |limit| {
            let (value, said) = (words::percent(value, 1), words::percent(limit, 0));
            format!("{value} {what} (limit {said}){}", when(of_bin, limit))
        });
    }
    if let Some(busy) = conditions.generator_busy_max {
        objections.check(busy, BUSY, |limit| {
            format!(
                "the generator's thread was running for {} of half a second (limit {}){}",
                words::percent(busy, 0),
                words::percent(limit, 0),
                when(|strain| strain.generator_busy, limit)
            )
        });
    }
    if let Some((_, p999, _)) = conditions.jitter_us {
        objections.check(p999, JITTER_US, |limit| {
            let span = when(|strain| strain.jitter_us, limit);
            let (p999, limit) = (words::time(p999), words::time(limit));
            format!("a sleep of 1 ms overshot by {p999} at p99.9 (limit {limit}){span}")
        });
    }
    if let Some(resolution) = conditions.clock_resolution.map(|step| step.as_nanos() as f64 / 1e3) {
        objections.check(resolution, RESOLUTION_US, |limit| {
            let (step, limit) = (words::time(resolution), words::time(limit));
            format!("the clock steps by {step} (limit {limit}), over the whole run")
        });
    }
}

/// What the network of the machine did. Under faults of the scenario's own that is what was asked for.
fn network(plan: &Plan, measured: &Measured, objections: &mut Objections) {
    let trust = if plan.faults.is_empty() { Trust::Degraded } else { Trust::Valid };
    let conditions = &measured.conditions;
    if let Some(n) = conditions.listen_overflows.filter(|n| *n > 0) {
        let connections = words::counted(n, "connection");
        let reason = format!(
            "{connections} found a full backlog (net.core.somaxconn) somewhere on the machine, over the whole run"
        );
        objections.add(trust, reason);
    }
    if let Some(share) = conditions.retransmitted.filter(|share| *share > RETRANSMITTED) {
        let (share, limit) = (words::percent(share, 2), words::percent(RETRANSMITTED, 2));
        let reason = format!(
            "{share} of the machine's TCP segments were sent again (limit {limit}), over the whole run"
        );
        objections.add(trust, reason);
    }
}

/// What was not measured, or by our own fault.
fn losses(measured: &Measured, objections: &mut Objections) {
    let ports = measured.phases.iter().map(|phase| phase.tally().dropped_by(Cause::ClientPorts)).sum::<u64>();
    if ports > 0 {
        let requests = words::counted(ports, "request");
        let sample = measured.drops.get(&Cause::ClientPorts);
        let when = sample.map_or_else(String::new, |sample| {
            let seconds = |at: Instant| words::seconds(at.as_millis_f64(), 1);
            format!(" between {} s and {} s", seconds(sample.from), seconds(sample.to))
        });
        objections.add(Trust::Invalid, format!("the generator ran out of local ports for {requests}{when}"));
    }
    let missing: u64 = measured.weights.iter().map(|row| row.missing).sum();
    if missing > 0 {
        let picks = words::counted(missing, "pick");
        objections.add(Trust::Invalid, format!("{picks} of the gateway never reached the recorder"));
    }
    let double: u64 = measured.weights.iter().map(|row| row.wrong).sum();
    if double > 0 {
        let picks = words::counted(double, "pick");
        objections.add(Trust::Invalid, format!("{picks} came with a ticket or a target that cannot be"));
    }
    if measured.response.saturated() > 0 {
        let requests = words::counted(measured.response.saturated(), "request");
        objections.add(Trust::Degraded, format!("{requests} took more than an hour and count as an hour"));
    }
    if measured.strangers > 0 {
        let requests = words::counted(measured.strangers, "request");
        objections.add(Trust::Degraded, format!("{requests} at the targets came from somebody else"));
    }
    for warning in &measured.warnings {
        objections.add(Trust::Degraded, warning.text.clone());
    }
}

#[cfg(test)]
mod tests;
