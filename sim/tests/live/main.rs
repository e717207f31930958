//! The live engine on real sockets: small plans, and every request accounted for. Counts and order only; nothing here
//! depends on how fast the machine is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_core::config::{Change, Config};
use gateway_core::entity::{Address, Algorithm, Route, Service, Target, Upstream};
use gateway_core::gateway::Options;
use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::time::Instant;
use gateway_core::weight::Weight;
use sim::engine::{EngineError, live};
use sim::load::{
    Arrivals, ClosedLoop, Curve, Failure, Load, Numbering, Pattern, RequestMix, RequestTemplate, Retry,
    Schedule, Shape, Stage, Stream, Trace, Users,
};
use sim::measure::{Cause, Conditions, Ending, Observation, Pick, Record, Recorder, StepMoments};
use sim::mock::{Behaviour, Latency, Respond};
use sim::plan::{Engine, GatewayPlan, MockPlan, Model, Plan, Source};
use sim::rollout::{Action, Rollout, Step, When};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The how-to at `rate` for `ms` milliseconds; answers take 1 ms.
fn plan(rate: f64, ms: u64) -> Plan {
    let mut config = Config::default();
    let mut mocks = Vec::new();
    for (upstream, targets) in [
        ("blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
        ("green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
    ] {
        let id = config.add_upstream(Upstream::new(upstream)).unwrap();
        for (name, weight) in targets {
            let address = Address::parse(name).unwrap();
            config.add_target(Target::new(id, address, Weight::new(weight))).unwrap();
            mocks.push(mock(name, id, upstream, weight));
        }
    }
    let service = config.add_service(Service::new("example-service", "blue")).unwrap();
    let route = Route { paths: vec!["/anything".into()], ..Route::new("example-route", service) };
    config.add_route(route).unwrap();
    Plan {
        engine: Engine::Live,
        model: Model::default(),
        name: "test".into(),
        summary: None,
        seed: 42,
        source: Source::default(),
        load: Load {
            connections: 16,
            max_in_flight: 1000,
            ..Load::of(vec![Stream {
                timeout: Duration::from_secs(10),
                ..Stream::constant(
                    rate,
                    Duration::from_millis(ms),
                    RequestMix::new(vec![get("/anything")]).unwrap(),
                )
            }])
        },
        gateway: GatewayPlan {
            config,
            options: Options { workers: 2, ..Options::default() },
            nodes: 1,
            proxy_listen: ANY,
            admin_listen: ANY,
        },
        mocks,
        steps: vec![],
        rollout: Rollout::default(),
        faults: vec![],
        thresholds: vec![],
    }
}

fn mock(name: &str, upstream: UpstreamId, upstream_name: &str, weight: u16) -> MockPlan {
    MockPlan {
        name: name.into(),
        upstream,
        upstream_name: upstream_name.into(),
        weight: weight.into(),
        version: upstream_name.into(),
        behaviour: Behaviour::new(Latency::Constant(Duration::from_millis(1)), Respond::Anything),
    }
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
            | Observation::Rollout(_)
            | Observation::Copied { .. } => {}
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
fn live_what_is_too_much_in_flight_is_dropped_at_its_time() {
    let mut plan = plan(500.0, 200);
    plan.load.max_in_flight = 10;
    plan.load.connections = 4;
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_secs(1));
    }
    let (seen, _) = run(&plan);
    assert_eq!((seen.answered(), seen.dropped()), (10, BTreeMap::from([("overflow", 90)])));
    let overflow = |record: &&Record| record.ending == Ending::Dropped(Cause::Overflow);
    assert!(seen.records.iter().filter(overflow).all(|record| record.on_wire.is_none()));
}

#[test]
fn live_answers_that_take_too_long_are_dropped_and_new_connections_made() {
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].timeout = Duration::from_millis(100);
    plan.load.connections = 2;
    // Blue's second target, a third of the requests, never answers in time.
    plan.mocks[1].behaviour.latency = Latency::Constant(Duration::from_secs(30));
    let (seen, _) = run(&plan);
    let dropped = seen.dropped();
    let late: usize = ["response_timeout", "unsent", "censored"].iter().filter_map(|c| dropped.get(c)).sum();
    assert!(dropped["response_timeout"] >= 2, "{dropped:?}");
    assert_eq!(seen.answered() + late, 30, "{dropped:?}");
}

#[test]
fn live_the_gateways_own_answers_are_drops_by_their_name() {
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].requests = RequestMix::new(vec![get("/elsewhere")]).unwrap();
    assert_eq!(run(&plan).0.dropped(), BTreeMap::from([("no_route", 30)]));

    let mut plan = self::plan(100.0, 300);
    plan.gateway.config.add_upstream(Upstream::new("empty")).unwrap();
    plan.steps = vec![to("empty", 0)];
    let (seen, _) = run(&plan);
    let dropped = seen.dropped();
    assert_eq!(dropped.keys().copied().collect::<Vec<_>>(), ["gateway_503_no_target"]);
    assert_eq!(seen.answered() + dropped["gateway_503_no_target"], 30);
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
fn live_poisson_arrivals_are_sent_too() {
    let mut plan = plan(300.0, 300);
    plan.load.streams[0].arrivals = Arrivals::Poisson;
    assert_eq!(run(&plan).0.answered(), 90);
}

#[test]
fn live_a_ramp_and_a_trace_are_sent_as_they_are() {
    let mut plan = plan(1.0, 1);
    let stage = |rate, ms| Stage { rate, length: Duration::from_millis(ms) };
    plan.load.streams[0].shape =
        Shape::Rate(Curve::ramp(0.0, &[stage(400.0, 200), stage(400.0, 100), stage(0.0, 100)]));
    assert_eq!(run(&plan).0.answered(), 100);

    let trace = Trace::parse("a.csv", "0.2\n0.1\n0.1\n0.15\n").unwrap();
    plan.load.streams[0].shape = Shape::Trace(trace);
    let (seen, _) = run(&plan);
    let mut intended: Vec<_> = seen.records.iter().map(|record| record.intended).collect();
    intended.sort_unstable();
    assert_eq!((seen.answered(), intended), (4, [100, 100, 150, 200].map(Instant::from_millis).to_vec()));
}

#[test]
fn live_a_mix_of_many_users_is_sent_on_kept_and_on_new_connections() {
    let mut plan = plan(500.0, 300);
    let path = Pattern::parse("/anything/${user}?n=${index}").unwrap();
    let body = Pattern::parse("{\"seed\": ${seed}, \"nonce\": \"${random}\"}").unwrap();
    let post = RequestTemplate { method: "POST".into(), path, body, weight: 3, ..get("/") };
    plan.load.streams[0].requests = RequestMix::new(vec![get("/anything"), post]).unwrap();
    plan.load.streams[0].users = Users::new(20, Some(1.0));
    (plan.load.streams[0].users.header, plan.load.streams[0].users.cookies) = (Some("x-user".into()), true);
    for most in [None, Some(10), Some(1)] {
        plan.load.requests_per_connection = most;
        let (seen, _) = run(&plan);
        assert_eq!((seen.answered(), seen.dropped()), (150, BTreeMap::new()), "{most:?}");
    }
}

#[test]
fn live_a_closed_loop_never_has_more_under_way_than_users_and_its_ledger_balances() {
    let mut plan = plan(1.0, 1);
    let think = Latency::Constant(Duration::from_millis(2));
    let closed = ClosedLoop { vus: 8, think, duration: Duration::from_millis(300), most: 10_000 };
    plan.load.streams[0].shape = Shape::Closed(closed.clone());
    let (seen, _) = run(&plan);
    assert!(seen.answered() >= 8 && seen.dropped().is_empty());
    let mut moments: Vec<_> =
        seen.records.iter().flat_map(|record| [(record.intended, 1), (record.done, -1)]).collect();
    moments.sort_unstable();
    let mut under_way = 0;
    for (_, change) in moments {
        under_way += change;
        assert!(under_way <= 8);
    }

    plan.load.streams[0].shape = Shape::Closed(ClosedLoop { most: 20, ..closed });
    let mut recorder = Recorder::new(&plan);
    let conditions = live::run(&plan, &AtomicBool::new(false), &mut |batch| {
        for seen in batch {
            recorder.record(seen);
        }
    });
    let measured = recorder.finish(conditions.unwrap());
    assert_eq!(measured.intended, 20);
    assert_eq!(measured.phases.iter().map(|phase| phase.expected().intended).sum::<u64>(), 20);
}

#[test]
fn live_a_user_with_cookies_stays_where_the_first_answer_came_from() {
    let mut plan = plan(1.0, 1);
    let (id, blue) = plan.gateway.config.upstream_named("blue").unwrap();
    let sticky = Upstream { algorithm: Algorithm::StickySessions, ..blue.clone() };
    plan.gateway.config.change(Change::UpdateUpstream(id, sticky)).unwrap();
    // One after the other, so that each has what the answer before it brought.
    let (think, duration) = (Latency::Constant(Duration::from_millis(1)), Duration::from_secs(20));
    plan.load.streams[0].shape = Shape::Closed(ClosedLoop { vus: 1, think, duration, most: 30 });
    let mut targets = |cookies| {
        plan.load.streams[0].users.cookies = cookies;
        let (seen, _) = run(&plan);
        assert_eq!(seen.answered(), 30);
        seen.records.iter().filter_map(|record| record.target).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((targets(true), targets(false)), (1, 2));
}

#[test]
fn live_what_fails_is_sent_again_with_its_id_and_the_books_see_it_twice() {
    // Aim: an attempt that times out is followed by others of the same request, and its target has served it all the same.
    // Method: nobody ever answers in time, so that each request is sent as often as it may.
    let mut plan = plan(50.0, 200);
    plan.load.streams[0].timeout = Duration::from_millis(100);
    plan.load.streams[0].retry = Some(Retry { attempts: 3, budget: 9.0, on: vec![Failure::Timeout] });
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_secs(30));
    }
    let (seen, _) = run(&plan);
    assert_eq!(seen.answered(), 0);
    assert!((10..=20).contains(&seen.retried.len()), "{:?}", seen.retried);
    let mut attempts: BTreeMap<u64, usize> = BTreeMap::new();
    for request in &seen.retried {
        *attempts.entry(*request).or_default() += 1;
    }
    assert!(attempts.values().all(|&again| again <= 2));
    let served = |request: u64| seen.served.iter().filter(|(served, _)| *served == request).count();
    assert!(attempts.iter().all(|(&request, &again)| served(request) <= again + 1));
    assert!(attempts.keys().any(|&request| served(request) >= 2), "twice in the targets' books");
}

#[test]
fn live_a_gateway_without_targets_is_asked_again_within_the_budget() {
    let mut plan = plan(500.0, 200);
    plan.gateway.config.add_upstream(Upstream::new("empty")).unwrap();
    plan.steps = vec![to("empty", 0)];
    plan.load.streams[0].retry = Some(Retry { attempts: 2, budget: 0.1, on: vec![Failure::Gateway] });
    let (seen, _) = run(&plan);
    let refused = seen.dropped()["gateway_503_no_target"];
    assert_eq!(seen.answered() + refused, 100);
    // The first ten, and a tenth of a hundred.
    assert!((1..=20).contains(&seen.retried.len()), "{} retries", seen.retried.len());
}

#[test]
fn live_a_second_attempt_answers_where_the_first_is_slow() {
    // Aim: the first answer counts, the request ends once, and both targets have served it. Method: blue's second target, a
    // third of the requests, never answers in time; two thirds of the second attempts go to the first.
    let mut plan = plan(100.0, 300);
    plan.load.streams[0].hedge = Some(Duration::from_millis(150));
    plan.load.streams[0].timeout = Duration::from_secs(1);
    plan.mocks[1].behaviour.latency = Latency::Constant(Duration::from_secs(30));
    let (seen, _) = run(&plan);
    assert!(seen.hedged.len() >= 10, "{:?}", seen.hedged);
    let hedged: BTreeSet<_> = seen.hedged.iter().collect();
    assert_eq!(hedged.len(), seen.hedged.len(), "a second attempt, never a third");
    let rescued = seen.records.iter().filter(|record| {
        hedged.contains(&record.index) && record.ending == Ending::Answered(200) && record.target == Some(0)
    });
    assert!(rescued.count() >= 1);
    let twice = |request: &u64| seen.served.iter().filter(|(served, _)| served == request).count() == 2;
    assert!(seen.hedged.iter().any(twice), "in two books");
}

#[test]
fn live_streams_share_connections_and_keep_their_own_pace_time_and_requests() {
    // Aim: several loads at once, each as it says, none in the way of another. Method: targets that take 300 ms, for one
    // stream that waits for them, one that does not, and one that sends when it was answered.
    let mut plan = plan(100.0, 400);
    for mock in &mut plan.mocks {
        mock.behaviour.latency = Latency::Constant(Duration::from_millis(300));
    }
    plan.load.connections = 100;
    let patient = plan.load.streams.remove(0);
    let mix = RequestMix::new(vec![RequestTemplate { method: "PUT".into(), ..get("/anything") }]).unwrap();
    let (think, duration) = (Latency::Constant(Duration::ZERO), Duration::from_millis(400));
    plan.load.streams = vec![
        Stream { name: "patient".into(), ..patient.clone() },
        Stream {
            name: "hasty".into(),
            arrivals: Arrivals::Poisson,
            timeout: Duration::from_millis(50),
            ..Stream::constant(50.0, duration, mix)
        },
        Stream {
            name: "users".into(),
            shape: Shape::Closed(ClosedLoop { vus: 3, think, duration, most: 1000 }),
            ..patient
        },
    ];
    let (seen, _) = run(&plan);
    let numbering = Numbering::new(&plan.load, plan.seed);
    let mut ends: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for record in &seen.records {
        let ending = if let Ending::Dropped(cause) = record.ending { cause.as_str() } else { "answered" };
        *ends.entry((numbering.stream(record.index), ending)).or_default() += 1;
    }
    let users = ends.remove(&(2, "answered")).unwrap();
    assert!((3..=6).contains(&users), "each of three once, and again if there was time: {users}");
    assert_eq!(ends, BTreeMap::from([((0, "answered"), 40), ((1, "response_timeout"), 20)]));
    let scheduled: BTreeMap<_, _> =
        Schedule::new(&plan.load, plan.seed).map(|arrival| (arrival.index, arrival.intended)).collect();
    let open = seen.records.iter().filter(|record| numbering.stream(record.index) < 2);
    assert!(open.clone().all(|record| scheduled[&record.index] == record.intended));
    assert_eq!(open.count(), scheduled.len());
}

#[test]
fn live_a_run_that_would_use_up_all_ports_does_not_begin() {
    let mut plan = plan(10_000.0, 60_000);
    plan.load.requests_per_connection = Some(1);
    let refused = live::run(&plan, &AtomicBool::new(false), &mut |_| panic!("nothing runs"));
    assert!(matches!(refused, Err(EngineError::Ports { needed: 600_016, .. })), "{refused:?}");
}
