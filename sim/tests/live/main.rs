//! The live engine on real sockets: small plans, and every request accounted for. Counts and order only; nothing here
//! depends on how fast the machine is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod drops;
mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_core::config::Change;
use gateway_core::entity::{Algorithm, Upstream};
use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::time::Instant;
use sim::engine::{EngineError, live};
use sim::load::{
    Arrivals, ClosedLoop, Curve, Failure, Numbering, Pattern, RequestMix, RequestTemplate, Retry, Schedule,
    Shape, Stage, Stream, Trace, Users,
};
use sim::measure::{Cause, Conditions, Ending, Observation, Pick, Record, Recorder, StepMoments};
use sim::mock::{Latency, Respond};
use sim::plan::Plan;
use sim::rollout::{Action, Step, When};
use sim::scenario::{self, Input};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The how-to at `rate` for `ms` milliseconds, without its steps; answers take 1 ms.
fn plan(rate: f64, ms: u64) -> Plan {
    let sets = [
        &format!(
            "load={{rate={rate:?},duration=\"{ms}ms\",connections=16,max_in_flight=1000,timeout=\"10s\"}}"
        ),
        "load.requests=[{path=\"/anything\"}]",
        "gateway.workers=2",
        "mocks=[{match=\"*\",latency=\"1ms\"}]",
        "steps=[]",
        "thresholds={}",
    ];
    let input = Input {
        text: include_str!("../../../scenarios/blue_green.toml").into(),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        ..Input::default()
    };
    scenario::read(&input).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn get(path: &str) -> RequestTemplate {
    RequestTemplate::get(path)
}

fn to(host: &str, ms: u64) -> Step {
    let action =
        Action::SetHost { service: ServiceId(0), service_name: "example-service".into(), host: host.into() };
    Step { when: When::At(Duration::from_millis(ms)), action, line: 0 }
}

/// Everything a run said, by kind.
#[derive(Default)]
struct Seen {
    records: Vec<Record>,
    picks: Vec<Pick>,
    steps: Vec<StepMoments>,
    /// Requests that were sent again, once for each time.
    retried: Vec<u64>,
    /// Requests that were sent a second time before their answer.
    hedged: Vec<u64>,
    /// Request and mock.
    served: Vec<(u64, u32)>,
    /// Moments at which attempts ended.
    finished: usize,
    /// Moments in the order they were told.
    order: Vec<Instant>,
}

impl Seen {
    fn note(&mut self, observation: &Observation) {
        match *observation {
            Observation::Picked(pick) => {
                self.order.push(pick.at);
                self.picks.push(pick);
            }
            Observation::Finished { at, .. } => {
                self.order.push(at);
                self.finished += 1;
            }
            Observation::Served { request, mock, .. } => self.served.push((request, mock)),
            Observation::Retried { request, .. } => self.retried.push(request),
            Observation::Hedged { request, .. } => self.hedged.push(request),
            Observation::Ended(record) => self.records.push(record),
            Observation::Stepped(step) => self.steps.push(step),
            Observation::Cpu(_)
            | Observation::Began { .. }
            | Observation::Configured { .. }
            | Observation::Rollout(_)
            | Observation::Connected { .. }
            | Observation::Copied { .. }
            | Observation::Keyed { .. } => {}
        }
    }

    fn dropped(&self) -> BTreeMap<&'static str, usize> {
        let mut causes = BTreeMap::new();
        for record in &self.records {
            if let Ending::Dropped(cause) = record.ending {
                *causes.entry(cause.as_str()).or_default() += 1;
            }
        }
        causes
    }

    fn answered(&self) -> usize {
        self.records.iter().filter(|record| matches!(record.ending, Ending::Answered(_))).count()
    }
}

fn run(plan: &Plan) -> (Seen, Conditions) {
    run_until(plan, &AtomicBool::new(false), |_| {})
}

/// Runs; `watch` is asked after each batch.
fn run_until(plan: &Plan, stop: &AtomicBool, watch: impl Fn(&Seen)) -> (Seen, Conditions) {
    let mut seen = Seen::default();
    let conditions = live::run(plan, stop, &mut |batch| {
        for observation in batch {
            seen.note(observation);
        }
        watch(&seen);
    })
    .unwrap();
    let scheduled = plan.load.total();
    let count = if plan.load.has_closed_loop() { seen.records.len() as u64 } else { scheduled };
    assert!(count <= scheduled);
    let indices: BTreeSet<_> = seen.records.iter().map(|record| record.index).collect();
    assert_eq!(seen.records.len() as u64, count, "each request ends once");
    assert!(indices.iter().copied().eq(0..count), "and every one of them");
    for record in &seen.records {
        assert!(record.released >= record.intended, "never early: {record:?}");
        assert!(record.on_wire.is_none_or(|on_wire| on_wire >= record.released), "{record:?}");
        assert!(record.done >= record.intended, "{record:?}");
    }
    (seen, conditions)
}

#[test]
fn live_a_switch_drops_nothing_and_every_request_is_in_one_book() {
    let mut plan = plan(500.0, 1200);
    plan.steps = vec![to("green", 400), to("blue", 800)];
    let (seen, conditions) = run(&plan);
    assert_eq!((seen.answered(), seen.dropped()), (600, BTreeMap::new()));
    assert_eq!(conditions.aborted_at, None);

    let books: BTreeMap<u64, u32> = seen.served.iter().copied().collect();
    assert_eq!((seen.served.len(), books.len()), (600, 600), "served once each");
    for record in &seen.records {
        assert_eq!(record.target, books.get(&record.index).copied(), "answered by whoever served it");
    }

    // Exact shares of each Upstream, from tickets alone.
    assert_eq!((seen.picks.len(), seen.finished), (600, 600));
    for (upstream, cycle) in [(UpstreamId(0), 3), (UpstreamId(1), 2)] {
        let mut tickets: Vec<_> = seen
            .picks
            .iter()
            .filter(|p| p.upstream == Some(upstream))
            .map(|p| (p.ticket, p.target))
            .collect();
        tickets.sort_unstable();
        assert!(tickets.iter().map(|(ticket, _)| *ticket).eq(0..tickets.len() as u64));
        for period in tickets.chunks_exact(cycle) {
            let firsts = period.iter().filter(|(_, target)| target.0 == upstream.0 * 2).count();
            assert_eq!(firsts, if cycle == 3 { 2 } else { 1 });
        }
    }

    assert_eq!(seen.steps.len(), 2);
    for (step, moments) in seen.steps.iter().enumerate() {
        let (applied, acked) = (moments.applied.unwrap(), moments.acked.unwrap());
        assert_eq!(moments.step, step);
        assert!(Instant::ZERO + plan.steps[step].at().unwrap() <= moments.requested);
        assert!(moments.requested <= applied && applied <= acked);
        let new = UpstreamId(1 - step as u32);
        let stale = seen.picks.iter().filter(|pick| {
            let next = seen.steps.get(step + 1).map_or(Instant::MAX, |next| next.requested);
            pick.at > acked && pick.at < next && pick.upstream != Some(new)
        });
        assert_eq!(stale.count(), 0, "nobody is sent to the old one after the acknowledgement");
    }
    assert!(seen.order.is_sorted(), "what is told comes in order of time");
}

#[test]
fn live_a_stopped_run_accounts_for_what_was_never_sent() {
    let plan = plan(200.0, 60_000);
    let stop = AtomicBool::new(false);
    let (seen, conditions) = run_until(&plan, &stop, |seen| {
        if seen.records.len() >= 20 {
            stop.store(true, Ordering::Release);
        }
    });
    assert!(conditions.aborted_at.is_some());
    assert!(seen.answered() >= 20);
    let dropped = seen.dropped();
    assert_eq!(dropped.keys().copied().collect::<Vec<_>>(), ["unsent"]);
    assert_eq!(seen.answered() + dropped["unsent"], 12_000);
}

#[test]
fn live_bodies_methods_and_headers_reach_the_target() {
    let mut plan = plan(100.0, 100);
    let post = RequestTemplate {
        method: "POST".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: vec![b'x'; 300_000].into(),
        ..get("/anything/deep?x=1")
    };
    plan.load.streams[0].requests =
        RequestMix::new(vec![post, RequestTemplate { method: "HEAD".into(), ..get("/anything") }]).unwrap();
    for mock in &mut plan.mocks {
        mock.behaviour.respond = Respond::Echo;
    }
    let (seen, _) = run(&plan);
    assert_eq!((seen.answered(), seen.dropped()), (10, BTreeMap::new()));
}

#[test]
fn live_a_step_that_is_refused_is_told_and_the_run_goes_on() {
    let mut plan = plan(100.0, 300);
    plan.steps = vec![to("a b", 100)];
    let (seen, _) = run(&plan);
    assert_eq!(seen.answered(), 30);
    assert_eq!((seen.steps[0].acked, seen.steps[0].applied), (None, None));
}

#[test]
fn live_a_port_that_is_taken_is_named_and_nothing_keeps_running() {
    let taken = TcpListener::bind(ANY).unwrap();
    let mut plan = plan(100.0, 300);
    plan.gateway.admin_listen = taken.local_addr().unwrap();
    let error = live::run(&plan, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(matches!(error, EngineError::Gateway(_)));
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
}

#[test]
fn live_a_run_that_would_use_up_all_ports_does_not_begin() {
    let mut plan = plan(10_000.0, 60_000);
    plan.load.requests_per_connection = Some(1);
    let refused = live::run(&plan, &AtomicBool::new(false), &mut |_| panic!("nothing runs"));
    assert!(matches!(refused, Err(EngineError::Ports { needed: 600_016, .. })), "{refused:?}");
}
