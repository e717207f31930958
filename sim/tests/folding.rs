//! The model engine against itself: what folding leaves out must be nothing that anybody could see.

use std::sync::atomic::AtomicBool;

use sim::engine::model;
use sim::measure::{Conditions, Copied, Observation};
use sim::plan::Plan;
use sim::scenario::{self, Input};

/// A scenario of three targets whose load, mocks and rest are as given.
fn plan(load: &str, mocks: &str, rest: &str) -> Plan {
    let text = format!(
        "name = \"twins\"\nengine = \"model\"\n[load]\nduration = \"4s\"\n{load}\n[[load.requests]]\npath = \"/\"\n\
         [[services]]\nname = \"s\"\nhost = \"u\"\nread_timeout = \"80ms\"\n[[routes]]\npaths = [\"/\"]\n\
         service = {{ name = \"s\" }}\n[[mocks]]\nmatch = \"*\"\n{mocks}\n{rest}\n"
    );
    let input = Input { path: "twins.toml".into(), text, ..Input::default() };
    scenario::read(&input).unwrap_or_else(|mistakes| panic!("{}", scenario::render(&mistakes, &input, false)))
}

const TWO_CHOICES: &str =
    "[[upstreams]]\nname = \"u\"\nalgorithm = \"two-choices\"\ntargets = { count = 3, name = \"t-{i}:80\" }";

const PROBES: &str = "[upstreams.healthchecks.active]\nhttp_path = \"/\"\nhealthy = { interval = 1, successes = 1 }\n\
                      unhealthy = { interval = 1, timeouts = 1, http_failures = 1 }";

/// What happened, in order, but for arrivals at targets, which may be told beforehand: those in order of time.
fn seen(plan: &Plan, run: Run) -> (Vec<String>, Vec<String>) {
    let (mut said, mut served) = (Vec::new(), Vec::new());
    run(plan, &AtomicBool::new(false), &mut |seen| {
        for seen in seen {
            match seen {
                Observation::Served { request, mock, at } => served.push((*at, *mock, *request)),
                Observation::Copied { request, at, copied: Copied::Served { mock } } => {
                    served.push((*at, *mock, *request));
                }
                seen => said.push(format!("{seen:?}")),
            }
        }
    });
    served.sort_unstable();
    (said, served.into_iter().map(|served| format!("{served:?}")).collect())
}

type Run = fn(&Plan, &AtomicBool, &mut dyn FnMut(&[Observation])) -> Conditions;

#[test]
fn a_folded_run_is_the_run_walked_step_by_step() {
    // Aim: with constant hops folding changes nothing. Method: every observation of both, where queues, full queues, time-outs
    // of both sides, second attempts, probes, slow and failing targets, and a closed loop make trouble.
    let poisson = "arrivals = \"poisson\"\nrate = 2000\n";
    let busy = "latency = { exponential = \"1200us\" }\ncapacity = 1";
    let copied = "[[upstreams]]\nname = \"m\"\ntargets = { count = 2, name = \"m-{i}:80\" }\n\
                  [[steps]]\nat = \"500ms\"\n\
                  set_mirror_route = { service = \"s\", upstream = \"m\", fraction = 0.5, timeout = \"3ms\" }";
    let cases = [
        plan(poisson, busy, &format!("{TWO_CHOICES}\n{copied}")),
        plan(poisson, busy, TWO_CHOICES),
        plan(poisson, "latency = { p50 = \"2ms\", p99 = \"30ms\" }\ncapacity = 2\nqueue = 3", TWO_CHOICES),
        plan(
            &format!("{poisson}timeout = \"30ms\"\nconnections = 40"),
            "latency = { exponential = \"3ms\" }\ncapacity = 2",
            TWO_CHOICES,
        ),
        plan(&format!("{poisson}[load.hedge]\nafter = \"4ms\""), busy, TWO_CHOICES),
        plan(
            &format!("{poisson}[load.retry]\nattempts = 3\nbudget = 1\non = [\"target_5xx\", \"timeout\"]"),
            &format!("{busy}\nerrors = 0.1\nqueue = 5"),
            TWO_CHOICES,
        ),
        plan(
            poisson,
            busy,
            &format!(
                "{TWO_CHOICES}\n[[faults]]\nat = \"1s\"\nfor = \"1s\"\nmatch = \"t-1:80\"\nlatency_x = 20"
            ),
        ),
        plan(poisson, busy, &format!("{TWO_CHOICES}\n{PROBES}")),
        plan("executor = \"constant-vus\"\nvus = 8\nthink = { exponential = \"3ms\" }", busy, TWO_CHOICES),
        plan(poisson, busy, &format!("{TWO_CHOICES}\n[model]\ngateway_cost = \"100us\"")),
    ];
    for plan in cases {
        assert_eq!(model::folded(&plan), plan.mocks.len());
        let (folded, walked) = (seen(&plan, model::run), seen(&plan, model::walk));
        assert!(folded.0.len() > 10_000);
        let differs = folded.0.iter().zip(&walked.0).find(|(folded, walked)| folded != walked);
        assert_eq!((differs, folded.0.len()), (None, walked.0.len()), "{}", plan.source.text);
        assert!(folded.1 == walked.1, "arrivals differ: {}", plan.source.text);
    }
}

#[test]
fn who_may_be_caught_on_the_way_is_walked() {
    let fault = |fault: &str| {
        format!("{TWO_CHOICES}\n[[faults]]\nat = \"1s\"\nfor = \"1s\"\nmatch = \"t-1:80\"\n{fault}")
    };
    let rate = "rate = 100\n";
    let fold = |mocks: &str, rest: &str| model::folded(&plan(rate, mocks, rest));
    assert_eq!(fold("latency = \"1ms\"", &fault("kill = true")), 2);
    assert_eq!(fold("latency = \"1ms\"\ncapacity = 1\ndiscipline = \"ps\"", TWO_CHOICES), 0);
    assert_eq!(
        fold("latency = \"1ms\"", &format!("{TWO_CHOICES}\n[model]\nnetwork = {{ exponential = \"50us\" }}")),
        0
    );
}

#[test]
fn a_target_that_answers_its_probes_stays_in_rotation() {
    let plan = plan("rate = 100", "latency = \"1ms\"", &format!("{TWO_CHOICES}\n{PROBES}"));
    for run in [model::run as Run, model::walk] {
        let (said, _) = seen(&plan, run);
        assert!(!said.iter().any(|seen| seen.starts_with("Began")), "nobody turned");
    }
}

#[test]
fn another_target_or_fault_shifts_nobody_elses_draws() {
    // Aim: what a request demands and when it comes is its own. Method: response times behind a constant network of those that a
    // first target without limits serves, alone, then with an Upstream that nobody asks for, then with a fault there.
    let mocks = "latency = { exponential = \"3ms\" }";
    let other = "[[upstreams]]\nname = \"v\"\ntargets = [{ target = \"x:80\" }, { target = \"y:80\" }]";
    let fault = "[[faults]]\nat = \"1s\"\nfor = \"1s\"\nmatch = \"y:80\"\nlatency_x = 5";
    let ends = |rest: &str, run: Run| {
        let mut ends = Vec::new();
        let plan = plan("arrivals = \"poisson\"\nrate = 500", mocks, rest);
        run(&plan, &AtomicBool::new(false), &mut |seen| {
            for seen in seen {
                if let Observation::Ended(record) = seen {
                    ends.push((record.index, record.intended, record.done, record.target));
                }
            }
        });
        ends
    };
    for run in [model::run as Run, model::walk] {
        let alone = ends(TWO_CHOICES, run);
        assert_eq!(alone.len(), 2000);
        assert!(ends(&format!("{TWO_CHOICES}\n{other}"), run) == alone);
        assert!(ends(&format!("{TWO_CHOICES}\n{other}\n{fault}"), run) == alone);
    }
}
