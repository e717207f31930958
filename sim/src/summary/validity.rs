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

use std::time::Duration;

use gateway_core::time::Instant;

use super::{Jitter, Lag, Trust, Validity};
use crate::measure::{Bin, Cause, Measured, Times};
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
        foreign_cpu: conditions.foreign_cpu,
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
                "released {} of {} requests within the planned time ({} late, limit {})",
                words::count(measured.released_in_time.min(due)),
                words::count(due),
                words::percent(share, 1),
                words::percent(limit, 1)
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
        let reason = format!(
            "half of the requests waited {wait} or more for one of {connections}, of a median response time of {response}: \
             the gateway was slow, or load.connections is too low for this load"
        );
        objections.add(Trust::Valid, reason);
    }
}

/// ` between 12.5 s and 17.0 s`: from the first to the last bin of which something is true.
fn span(measured: &Measured, is_so: impl Fn(&Bin) -> bool) -> String {
    let bins = &measured.bins;
    let first = bins.bins.iter().position(&is_so);
    let last = bins.bins.iter().rposition(&is_so);
    let seconds = |bin| words::seconds(bins.grid.from(bin).as_millis_f64(), 1);
    first
        .zip(last)
        .map_or_else(String::new, |(a, b)| format!(" between {} s and {} s", seconds(a), seconds(b + 1)))
}

/// What the machine did besides.
fn machine(measured: &Measured, seconds: f64, objections: &mut Objections) {
    let conditions = &measured.conditions;
    let whole = format!("over the whole {} s", words::short(seconds, 1));
    if let Some(wait) = conditions.run_queue_wait {
        let each = wait * seconds * 1e6 / measured.lag.n().max(1) as f64;
        objections.check(each, WAIT_US, |limit| {
            format!(
                "the generator waited {} for a CPU at each request (limit {}), {whole}: the machine was busy",
                words::time(each),
                words::time(limit)
            )
        });
    }
    for (value, limits, what) in [
        (conditions.foreign_cpu, FOREIGN, "of the machine's CPU time went to other processes"),
        (conditions.steal, STEAL, "of the CPU time was taken by the hypervisor"),
    ] {
        let Some(value) = value else { continue };
        objections.check(value, limits, |limit| {
            format!("{} {what} (limit {}), {whole}", words::percent(value, 1), words::percent(limit, 0))
        });
    }
    if let Some(busy) = conditions.generator_busy_max {
        objections.check(busy, BUSY, |limit| {
            format!(
                "the generator's thread was running for {} of one second (limit {})",
                words::percent(busy, 0),
                words::percent(limit, 0)
            )
        });
    }
    if let Some((_, p999, _)) = conditions.jitter_us {
        objections.check(p999, JITTER_US, |limit| {
            let (p999, limit) = (words::time(p999), words::time(limit));
            format!("a sleep of 1 ms overshot by {p999} at p99.9 (limit {limit}), {whole}")
        });
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
mod tests {
    use super::*;
    use crate::load::{ClosedLoop, Shape};
    use crate::measure::rehearsal::{change, how_to, play, quiet};
    use crate::measure::{Conditions, Observation, Record, Recorder};
    use crate::mock::Latency;

    fn plan() -> Plan {
        how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")])
    }

    fn judged(said: &[Observation], conditions: Conditions) -> Validity {
        let plan = plan();
        let mut recorder = Recorder::new(&plan);
        for seen in said {
            recorder.record(seen);
        }
        judge(&plan, &recorder.finish(conditions))
    }

    #[test]
    fn a_closed_loop_is_valid_and_says_what_it_cannot_show() {
        // Aim: the ledger balances without a schedule, and the reader is told. Method: what an open loop has seen, told to
        // the recorder of a closed one.
        let said = play(&plan());
        let mut closed = plan();
        closed.load.streams[0].shape = Shape::Closed(ClosedLoop {
            vus: 9,
            think: Latency::Constant(Duration::ZERO),
            duration: closed.load.duration(),
            most: 1_000_000,
        });
        let mut recorder = Recorder::new(&closed);
        for seen in &said {
            recorder.record(seen);
        }
        let measured = recorder.finish(quiet(&closed));
        assert_eq!(measured.intended, 18_000);
        let validity = judge(&closed, &measured);
        assert_eq!((validity.result, validity.reasons), (Trust::Valid, vec![CLOSED.to_owned()]));
    }

    /// Every request later by what `lag` says for its index, from release to end.
    fn late(said: &mut [Observation], lag: impl Fn(u64) -> Duration) {
        change(
            said,
            |_| true,
            |record: &mut Record| {
                let lag = lag(record.index);
                record.released = record.released + lag;
                record.on_wire = record.on_wire.map(|at| at + lag);
                record.done = record.done + lag;
            },
        );
    }

    #[test]
    fn too_few_connections_are_told_and_no_fault_of_the_measurement() {
        let busy = |wait| {
            let mut said = play(&plan());
            change(
                &mut said,
                |_| true,
                |record: &mut Record| {
                    record.on_wire = record.on_wire.map(|at| at + wait);
                    record.done = record.done + wait;
                },
            );
            judged(&said, quiet(&plan()))
        };
        let validity = busy(Duration::from_millis(700));
        assert_eq!(validity.result, Trust::Valid);
        let [reason] = validity.reasons.as_slice() else { panic!("{validity:?}") };
        assert!(reason.starts_with("half of the requests waited 700"), "{reason}");
        assert_eq!(busy(Duration::from_micros(50)).reasons, [""; 0]);
    }

    #[test]
    fn a_quiet_small_machine_is_valid() {
        // The worst of reference/load.md's table: tails of 4 ms on one request in fifty, jitter p99.9 of 11 ms.
        let mut said = play(&plan());
        late(&mut said, |index| Duration::from_micros(if index % 50 == 0 { 4000 } else { 40 }));
        let conditions = Conditions {
            run_queue_wait: Some(0.036),
            foreign_cpu: Some(0.12),
            steal: Some(0.006),
            cpu_pressure: Some(0.3),
            jitter_us: Some((90.0, 11_000.0, 30_000.0)),
            ..quiet(&plan())
        };
        let validity = judged(&said, conditions);
        assert_eq!((validity.result, validity.reasons), (Trust::Valid, vec![]));
        assert!((validity.achieved_rate - 600.0).abs() < 1e-9 && validity.lag_us.p99 > 3_500.0);
    }

    #[test]
    fn busy_loops_beside_it_are_seen_though_lag_hardly_moves() {
        let said = play(&plan());
        for conditions in [
            Conditions { foreign_cpu: Some(0.5), ..quiet(&plan()) },
            Conditions { run_queue_wait: Some(0.12), foreign_cpu: None, ..quiet(&plan()) },
        ] {
            let validity = judged(&said, conditions);
            assert_eq!(validity.result, Trust::Degraded);
            assert!(validity.reasons[0].contains("limit"), "{:?}", validity.reasons);
        }
    }

    #[test]
    fn lag_that_explains_the_latency_is_objected_to_with_its_span() {
        let mut said = play(&plan());
        late(&mut said, |index| Duration::from_millis(if (7_200..9_000).contains(&index) { 200 } else { 0 }));
        let validity = judged(&said, quiet(&plan()));
        assert_eq!(validity.result, Trust::Invalid);
        let expected = "generator lag p99 200.1 ms is 96 % of the p99 response time";
        assert!(validity.reasons[0].contains(expected), "{:?}", validity.reasons);
        assert!(validity.reasons[0].ends_with("between 12.0 s and 15.0 s"), "{:?}", validity.reasons);
    }

    #[test]
    fn a_generator_that_falls_behind_is_invalid() {
        let mut said = play(&plan());
        late(&mut said, |index| Duration::from_millis(index / 10));
        let validity = judged(&said, quiet(&plan()));
        assert_eq!(validity.result, Trust::Invalid);
        assert!(validity.achieved_rate < 590.0);
        assert!(validity.reasons[0].starts_with("released"), "{:?}", validity.reasons);
    }

    #[test]
    fn our_own_faults_make_it_invalid() {
        let mut said = play(&plan());
        change(
            &mut said,
            |r| r.index == 5,
            |r| {
                r.ending = crate::measure::Ending::Dropped(Cause::ClientPorts);
                r.target = None;
            },
        );
        assert_eq!(judged(&said, quiet(&plan())).result, Trust::Invalid);
        let mut lossy = play(&plan());
        lossy.retain(|seen| !matches!(seen, Observation::Picked(pick) if pick.request == 5_000));
        let validity = judged(&lossy, quiet(&plan()));
        assert_eq!(validity.reasons, ["1 pick of the gateway never reached the recorder"]);
    }
}
