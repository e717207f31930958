//! For tests: plays a plan in virtual time with the real gateway and says what an engine would have said. Reports come as
//! late and as out of order as two workers and a generator may make them; nothing fails unless a test makes it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use gateway_core::config::{Change, Config};
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::{Attempt, Gateway, Next, Options};
use gateway_core::id::{Epoch, Revision, ServiceId, TargetId, UpstreamId};
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::{draw, stream};
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

use super::{Conditions, CpuSample, Ending, Measured, Observation, Pick, Record, Recorder, StepMoments};
use crate::load::{Arrival, Load, RequestMix, RequestTemplate, Schedule, Stream};
use crate::mock::{Behaviour, Latency, Respond};
use crate::plan::{Engine, GatewayPlan, MockPlan, Model, Plan, Source};
use crate::rollout::{Action, Rollout, Step, When};

/// No socket is opened here.
const ANY: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Blue: mocks 0 and 1, weights 100 and 50.
pub(crate) const BLUE: UpstreamId = UpstreamId(0);
/// Green: mocks 2 and 3, weights 100 and 100.
pub(crate) const GREEN: UpstreamId = UpstreamId(1);

/// A request that target 0 answered after so many milliseconds, more than 3; each stamp is another.
pub(crate) fn record(ms: u64) -> Record {
    let at = Instant::from_millis;
    Record {
        index: 0,
        intended: at(0),
        released: at(1),
        on_wire: Some(at(3)),
        first_byte: Some(at(ms - 1)),
        done: at(ms),
        ending: Ending::Answered(200),
        target: Some(0),
    }
}

/// Kong's how-to at `rate` per second for so many seconds, a tenth of them warm-up, with the Service pointed at each host
/// at its moment (milliseconds).
pub(crate) fn how_to(rate: f64, seconds: u64, switches: &[(u64, &str)]) -> Plan {
    let mut config = Config::default();
    let mut mocks = Vec::new();
    for (name, targets) in [
        ("blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
        ("green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
    ] {
        let upstream = config.add_upstream(Upstream::new(name)).unwrap();
        for (target, weight) in targets {
            let address = Address::parse(target).unwrap();
            config.add_target(Target::new(upstream, address, Weight::new(weight))).unwrap();
            let latency = Latency::Constant(Duration::from_millis(4));
            mocks.push(MockPlan {
                name: target.to_owned(),
                upstream,
                upstream_name: name.to_owned(),
                weight: u32::from(weight),
                version: name.to_owned(),
                behaviour: Behaviour::new(latency, Respond::Anything),
            });
        }
    }
    let service = config.add_service(Service::new("example-service", "blue")).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    let step = |&(ms, host): &(u64, &str)| Step {
        when: When::At(Duration::from_millis(ms)),
        action: Action::SetHost { service, service_name: "example-service".into(), host: host.to_owned() },
        line: 1,
    };
    Plan {
        engine: Engine::Live,
        model: Model::default(),
        name: "blue-green".into(),
        summary: None,
        seed: 42,
        source: Source::default(),
        load: load(rate, seconds),
        gateway: GatewayPlan {
            config,
            options: Options { workers: 2, ..Options::default() },
            nodes: 1,
            proxy_listen: ANY,
            admin_listen: ANY,
        },
        mocks,
        steps: switches.iter().map(step).collect(),
        rollout: Rollout::default(),
        faults: vec![],
        thresholds: Vec::new(),
    }
}

fn load(rate: f64, seconds: u64) -> Load {
    let requests = RequestMix::new(vec![RequestTemplate::get("/")]).unwrap();
    Load {
        warmup: Duration::from_secs(seconds) / 10,
        connections: 64,
        max_in_flight: 10_000,
        ..Load::of(vec![Stream::constant(rate, Duration::from_secs(seconds), requests)])
    }
}

/// A first try for the first Service, in some epoch.
pub(crate) fn pick(request: u64) -> Pick {
    Pick {
        request,
        at: Instant::from_millis(request),
        node: 0,
        revision: Revision(0),
        routed: Revision(0),
        service: ServiceId(0),
        upstream: None,
        target: TargetId(0),
        epoch: Epoch(0),
        ticket: 0,
        carried: 0.0,
        retry: 0,
    }
}

/// From sending a change to its application, and on to reading its acknowledgement.
pub(crate) const APPLY: Duration = Duration::from_micros(1300);
pub(crate) const ACK: Duration = Duration::from_micros(200);
/// From the intended moment to the release, the wire and the pick.
pub(crate) const LAG: Duration = Duration::from_micros(80);
const WIRE: Duration = Duration::from_micros(10);
const TO_PICK: Duration = Duration::from_micros(50);
/// How late the second worker and the generator report.
const LATE: Duration = Duration::from_millis(40);

/// What an engine says of an undisturbed run, in the order it says it.
pub(crate) fn play(plan: &Plan) -> Vec<Observation> {
    let mut said: Vec<(Instant, Observation)> = Vec::new();
    let options = plan.gateway.options;
    let gateway = Gateway::with(plan.gateway.config.clone(), options);
    let mut under_way: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut attempts: BTreeMap<u64, (Attempt, Instant)> = BTreeMap::new();
    let mut steps = plan.steps.iter().enumerate().peekable();
    for Arrival { index, intended, .. } in Schedule::new(&plan.load, plan.seed) {
        let now = intended + LAG + WIRE + TO_PICK;
        while let Some((step, requested)) = steps
            .peek()
            .and_then(|(at, step)| Some((*at, Instant::ZERO + step.at()?)))
            .filter(|(_, at)| *at + APPLY <= now)
        {
            let applied = requested + APPLY;
            finish(&gateway, &mut under_way, &mut attempts, applied, &mut said);
            let Action::SetHost { service, host, .. } = &plan.steps[step].action else { unreachable!() };
            gateway.apply(Change::SetHost(*service, host.to_owned()), applied).unwrap();
            let acked = applied + ACK;
            let moments = StepMoments { step, requested, acked: Some(acked), applied: Some(applied) };
            said.push((acked, Observation::Stepped(moments)));
            steps.next();
        }
        finish(&gateway, &mut under_way, &mut attempts, now, &mut said);
        let (head, mut rng) = (Head::new("GET", "/"), stream(plan.seed, "gateway", index));
        gateway.handle_timeout(now);
        let worker = index as usize % options.workers;
        let attempt = gateway.begin(&gateway.route(worker, &head).unwrap(), &head, now, &mut rng).unwrap();
        said.push((reported(index, now), Observation::Picked(Pick::of(index, &attempt))));
        said.push((now, Observation::Served { request: index, mock: attempt.target.0, at: now }));
        under_way.push(Reverse((now + service_time(plan.seed, index), index)));
        attempts.insert(index, (attempt, intended));
    }
    finish(&gateway, &mut under_way, &mut attempts, Instant::MAX, &mut said);
    let seconds = plan.load.duration().as_secs();
    said.extend((1..=seconds).map(|second| (Instant::from_millis(second * 1000), cpu(second))));
    said.sort_by_key(|(at, _)| *at);
    said.into_iter().map(|(_, seen)| seen).collect()
}

fn cpu(second: u64) -> Observation {
    let used = |us: u64| Some(us * 1000 * second);
    let at = Instant::from_millis(second * 1000);
    Observation::Cpu(CpuSample { at, gateway: used(20_000), generator: used(10_000), targets: None })
}

fn reported(request: u64, at: Instant) -> Instant {
    if request.is_multiple_of(2) { at } else { at + LATE }
}

/// Between 3 and 12 ms, most of them near 4.
pub(crate) fn service_time(seed: u64, request: u64) -> Duration {
    let u = (draw(seed, 1, request) >> 11) as f64 / (1_u64 << 53) as f64;
    Duration::from_nanos((3_000_000.0 + 1_000_000.0 / (1.0 - 0.889 * u)) as u64)
}

/// Ends all attempts that are over by `until`.
fn finish(
    gateway: &Gateway,
    under_way: &mut BinaryHeap<Reverse<(Instant, u64)>>,
    attempts: &mut BTreeMap<u64, (Attempt, Instant)>,
    until: Instant,
    said: &mut Vec<(Instant, Observation)>,
) {
    while let Some(&Reverse((at, index))) = under_way.peek() {
        if at > until {
            return;
        }
        under_way.pop();
        let (attempt, intended) = attempts.remove(&index).unwrap();
        let (upstream, target) = (attempt.upstream, attempt.target);
        let outcome = Outcome::Answered { status: 200 };
        assert!(matches!(gateway.finish(attempt, outcome, at, &mut stream(0, "gateway", index)), Next::Done));
        said.push((reported(index, at), Observation::Finished { at, upstream, target, outcome }));
        let record = Record {
            index,
            intended,
            released: intended + LAG,
            on_wire: Some(intended + LAG + WIRE),
            first_byte: Some(at),
            done: at + WIRE,
            ending: Ending::Answered(200),
            target: Some(target.0),
        };
        said.push((record.done + LATE + WIRE, Observation::Ended(record)));
    }
}

/// What a quiet machine does.
pub(crate) fn quiet(plan: &Plan) -> Conditions {
    Conditions {
        run_queue_wait: Some(0.002),
        steal: Some(0.0),
        cpu_pressure: Some(0.01),
        foreign_cpu: Some(0.02),
        generator_busy_max: Some(0.05),
        jitter_us: Some((60.0, 2_000.0, 5_000.0)),
        drained_at: Instant::ZERO + plan.load.duration(),
        ..Conditions::default()
    }
}

/// Records what an engine said.
pub(crate) fn measure(plan: &Plan, said: &[Observation]) -> Measured {
    let mut recorder = Recorder::new(plan);
    for seen in said {
        recorder.record(seen);
    }
    recorder.finish(quiet(plan))
}

/// Changes the records of the requests in `which`.
pub(crate) fn change(
    said: &mut [Observation],
    which: impl Fn(&Record) -> bool,
    change: impl Fn(&mut Record),
) -> usize {
    let mut changed = 0;
    for seen in said {
        if let Observation::Ended(record) = seen
            && which(record)
        {
            change(record);
            changed += 1;
        }
    }
    changed
}
