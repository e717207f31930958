//! A plan in words: one line for `sim validate`, one screen for `sim run --dry-run`.

use std::fmt::{self, Write as _};
use std::time::Duration;

use gateway_core::gateway::{Balancing, Options};

use super::origins;
use crate::load::{ClosedLoop, Shape, Stream};
use crate::mock::{Behaviour, Discipline, Latency, Places, Respond, Warmup};
use crate::plan::{GatewayPlan, Plan};
use crate::rollout::judge::{Kind, Reference};
use crate::rollout::{self, Action, Step};
use crate::words;

/// Targets of an Upstream that are shown.
const TARGETS_MAX: usize = 12;
/// Columns of a setting's path that are kept aligned, and of its value that are shown.
const PATH_WIDTH_MAX: usize = 40;
const VALUE_WIDTH_MAX: usize = 40;

/// `ok (18,000 requests, 2 switches, 30 s)`
pub fn describe(plan: &Plan) -> String {
    let requests = requests(plan);
    let is_switch = |step: &&Step| matches!(step.action, Action::SetHost { .. });
    let switches = match plan.steps.iter().filter(is_switch).count() {
        1 => "1 switch".to_owned(),
        n => format!("{n} switches"),
    };
    format!("ok ({requests}, {switches}, {})", seconds(plan.load.duration()))
}

/// Where whole targets make the share: each that is asked for and the nearest that so many targets make, one a line; nothing elsewhere.
pub fn reachable(plan: &Plan) -> String {
    let line = |step: &Step| {
        let Action::Scaled(scale) = &step.action else { return None };
        let (asked, reachable) = (words::share(scale.asked?), words::percent(scale.reachable(), 2));
        let all = words::counted((scale.canary + scale.stable) as u64, "target");
        Some(format!("  {asked} asked, {reachable} reachable: {} of {all}\n", scale.canary))
    };
    plan.steps.iter().filter_map(line).collect()
}

/// `18,000 requests`
fn requests(plan: &Plan) -> String {
    let requests = words::counted(plan.load.total(), "request");
    if plan.load.has_closed_loop() { format!("at most {requests}") } else { requests }
}

fn seconds(time: Duration) -> String {
    format!("{} s", words::short(time.as_secs_f64(), 3))
}

/// What would run: the load, the gateway, the targets, each step with the call it stands for, and what must hold.
pub fn dry_run(plan: &Plan) -> String {
    let mut out = format!("{}  {}  seed {}\n\n", words::plain(&plan.name), plan.engine.as_str(), plan.seed);
    let load = &plan.load;
    let in_words = match load.streams.len() {
        1 => load.in_words(),
        n => format!("{n} streams"),
    };
    let _ = writeln!(out, "  load      {in_words}: {}", requests(plan));
    let _ = writeln!(
        out,
        "            {} left out as warm-up, {}, at most {} in flight",
        seconds(load.warmup),
        words::counted(load.connections as u64, "connection"),
        words::count(load.max_in_flight as u64)
    );
    match load.requests_per_connection {
        None => {}
        Some(1) => out.push_str("            a new connection for each request\n"),
        Some(n) => {
            let _ = writeln!(out, "            a new connection after {} requests", words::count(n));
        }
    }
    for of in &load.streams {
        if load.streams.len() > 1 {
            let _ = writeln!(out, "  stream    {}: {}", of.name, of.in_words());
        }
        stream(&mut out, of);
    }
    let _ = writeln!(
        out,
        "  gateway   {}, proxy {}, admin {}",
        behaviour(&plan.gateway),
        plan.gateway.proxy_listen,
        plan.gateway.admin_listen
    );
    for (_, service) in plan.gateway.config.services() {
        let name = service.name.as_deref().unwrap_or("service");
        let _ = writeln!(out, "            {} -> {}", words::plain(name), words::plain(&service.host));
    }
    targets(&mut out, plan);
    out.push('\n');
    if plan.steps.is_empty() {
        out.push_str("  no steps\n");
    }
    for step in &plan.steps {
        self::step(&mut out, step);
    }
    rollout(&mut out, plan);
    faults(&mut out, plan);
    if !plan.thresholds.is_empty() {
        out.push('\n');
    }
    for threshold in &plan.thresholds {
        let _ = writeln!(
            out,
            "  {:<28}{}",
            words::plain(&threshold.metric_text),
            words::plain(&threshold.expression_text)
        );
    }
    settings(&mut out, plan);
    out
}

/// What a stream sends, and what its clients do.
fn stream(out: &mut String, stream: &Stream) {
    let _ = writeln!(out, "            timeout {}", seconds(stream.timeout));
    if let Shape::Closed(ClosedLoop { think, .. }) = &stream.shape {
        let think = latency(think);
        let _ = writeln!(
            out,
            "            think time {think}; what is slow is asked less often (coordinated omission)"
        );
    }
    senders(out, stream);
    let templates = stream.requests.templates();
    for request in templates {
        let share = match templates.len() {
            1 => String::new(),
            _ => format!("  {}", words::share(stream.requests.share(request))),
        };
        let name =
            request.name.as_deref().map_or_else(String::new, |name| format!("  ({})", words::plain(name)));
        let path = request.path.to_string();
        let _ = writeln!(out, "            {} {}{name}{share}", request.method, words::plain(&path));
    }
}

/// Who sends, where that is not one user, and what is sent again.
fn senders(out: &mut String, stream: &Stream) {
    let users = &stream.users;
    if users.count() > 1 {
        let key =
            users.header.as_deref().map_or_else(String::new, |name| format!(", each with its `{name}`"));
        let cookies = if users.cookies { ", keeping cookies" } else { "" };
        let _ = writeln!(out, "            {}{key}{cookies}", words::counted(users.count(), "user"));
    }
    if let Some(retry) = &stream.retry {
        let on: Vec<_> = retry.on.iter().map(|failure| failure.as_str()).collect();
        let _ = writeln!(
            out,
            "            sent again after {}: up to {} attempts, retries within {} of all requests",
            on.join(", "),
            retry.attempts,
            words::percent(retry.budget, 0)
        );
    }
    if let Some(after) = stream.hedge {
        let _ =
            writeln!(out, "            a second attempt after {}; the first answer counts", seconds(after));
    }
}

/// `2 workers, each with balancers of its own, changes within 5 s, Kong's rules`
fn behaviour(gateway: &GatewayPlan) -> String {
    let options = &gateway.options;
    let mut text = words::counted(options.workers as u64, "worker");
    if gateway.nodes > 1 {
        text = format!("{} of {text}", words::counted(gateway.nodes.into(), "node"));
    }
    if options.balancing == Balancing::PerWorker {
        text.push_str(", each with balancers of its own");
    }
    if options.sync_interval.is_some() {
        let _ = write!(text, ", changes within {}", seconds(gateway.routing_lag()));
    }
    if options.rules == Options::kong(options.workers, options.seed).rules {
        text.push_str(", Kong's rules");
    }
    text
}

/// Every setting and where it comes from.
fn settings(out: &mut String, plan: &Plan) {
    out.push_str("\n  settings\n");
    let settings = origins::settings(&plan.source);
    let longest = settings.iter().map(|setting| setting.path.chars().count()).max();
    let path_width = longest.unwrap_or_default().min(PATH_WIDTH_MAX);
    for origins::Setting { path, value, origin } in &settings {
        let (value, origin) = match path.as_str() {
            "seed" if *value != plan.seed.to_string() => (&plan.seed.to_string(), "--seed"),
            _ => (value, origin.as_str()),
        };
        let _ = writeln!(out, "    {origin:<9} {path:<path_width$}  {}", words::cut(value, VALUE_WIDTH_MAX));
    }
}

fn targets(out: &mut String, plan: &Plan) {
    for (id, upstream) in plan.gateway.config.upstreams() {
        let _ =
            writeln!(out, "  upstream  {} ({})", words::plain(&upstream.name), upstream.algorithm.as_str());
        let total: u64 =
            plan.gateway.config.targets_of(id).map(|(_, target)| u64::from(target.weight.get())).sum();
        for (_, target) in plan.gateway.config.targets_of(id).take(TARGETS_MAX) {
            let name = target.target.to_string();
            let share = f64::from(target.weight.get()) / total.max(1) as f64;
            let mock = plan.mocks.iter().find(|mock| mock.name == name);
            let answers = mock.map_or_else(String::new, |mock| {
                let Behaviour { latency, respond, .. } = &mock.behaviour;
                format!("{}, {}{}", self::latency(latency), self::respond(*respond), limits(&mock.behaviour))
            });
            let _ = writeln!(
                out,
                "            {:<28} weight {:>5} = {:>5}   {answers}",
                words::plain(&name),
                target.weight.get(),
                words::share(share)
            );
        }
        let more = plan.gateway.config.targets_of(id).count().saturating_sub(TARGETS_MAX);
        if more > 0 {
            let _ = writeln!(out, "            and {} more", words::count(more as u64));
        }
    }
}

fn latency(latency: &Latency) -> String {
    let time = |time: Duration| words::time(time.as_secs_f64() * 1e6);
    match *latency {
        Latency::Constant(always) => time(always),
        Latency::LogNormal { p50, p99 } => format!("p50 {}, p99 {}", time(p50), time(p99)),
        Latency::Exponential(mean) => format!("exponential, mean {}", time(mean)),
        Latency::Uniform(low, high) => format!("{} to {}", time(low), time(high)),
        Latency::Pareto { min, alpha } => format!("pareto from {}, alpha {alpha}", time(min)),
        Latency::Trace(ref times) => format!("a trace of {}", words::counted(times.len() as u64, "time")),
    }
}

/// What else it does, where that is not nothing.
fn limits(behaviour: &Behaviour) -> String {
    let Places { capacity, queue, discipline } = behaviour.places;
    let mut text = String::new();
    let mut tell = |part: &dyn fmt::Display| {
        let _ = write!(text, ", {part}");
    };
    if let Some(errors) = behaviour.errors {
        tell(&format_args!("{} of status {}", words::share(errors.share), errors.status));
    }
    if behaviour.differs > 0.0 {
        tell(&format_args!("{} with another body", words::share(behaviour.differs)));
    }
    if let Some(capacity) = capacity {
        tell(&format_args!("{capacity} at once"));
    }
    if let Some(queue) = queue {
        tell(&format_args!("queue {queue}"));
    }
    if discipline == Discipline::Ps {
        tell(&"processor sharing");
    }
    if !behaviour.ready_after.is_zero() {
        tell(&format_args!("ready after {}", seconds(behaviour.ready_after)));
    }
    if let Some(Warmup { lasts, latency_x }) = behaviour.warmup {
        tell(&format_args!("{latency_x} times as slow at first, for {}", seconds(lasts)));
    }
    if let Some(idle) = behaviour.keepalive.idle {
        tell(&format_args!("closes after {} idle", seconds(idle)));
    }
    if let Some(most) = behaviour.keepalive.max_requests {
        tell(&format_args!("closes after {}", words::counted(most, "answer")));
    }
    text
}

fn faults(out: &mut String, plan: &Plan) {
    if !plan.faults.is_empty() {
        out.push('\n');
    }
    for (fault, picked) in plan.faults.iter().zip(plan.picked_faults().all()) {
        let names: Vec<_> = picked.mocks.iter().map(|&mock| words::plain(&plan.mocks[mock].name)).collect();
        let lasts =
            fault.lasts.map_or_else(|| "to the end".to_owned(), |lasts| format!("for {}", seconds(lasts)));
        let _ = writeln!(out, "  {:>8}  {} {lasts}: {}", seconds(fault.at), fault.kind, names.join(", "));
    }
}

fn respond(respond: Respond) -> String {
    match respond {
        Respond::Anything => "anything".to_owned(),
        Respond::Echo => "echo".to_owned(),
        Respond::Bytes(size) => words::counted(size as u64, "byte"),
    }
}

/// Who judges, and the way back.
fn rollout(out: &mut String, plan: &Plan) {
    for analysis in &plan.rollout.analyses {
        let when = if analysis.in_background { "all along" } else { "when a step asks" };
        let against = match (&analysis.kind, analysis.reference) {
            (Kind::Threshold(_), _) => "",
            (_, Reference::Concurrent) => ", against the old version beside it",
            (_, Reference::Before) => ", against what the old version did before",
            (_, Reference::Baseline) => ", against the baseline",
        };
        let _ = writeln!(out, "  {:>8}  {} judges {when}{against}", "judge", words::plain(&analysis.name));
    }
    for action in plan.rollout.way_back.iter().flatten() {
        self::action(out, "or back", action);
    }
}

/// The calls of the Admin API that the steps stand for, in order: what somebody with curl or decK would send.
pub fn deck(plan: &Plan) -> String {
    let mut out = String::new();
    let mut tell = |when: &str, action: &Action| {
        let calls = rollout::calls(action);
        let _ = writeln!(out, "# {when}: {}", words::plain(&action.in_words()));
        for call in calls {
            let _ = writeln!(out, "{}", words::plain(&call.to_string()));
        }
    };
    for step in &plan.steps {
        tell(&step.at().map_or_else(|| "then".to_owned(), seconds), &step.action);
    }
    for action in plan.rollout.way_back.iter().flatten() {
        tell("or back", action);
    }
    out
}

/// A step: what it does, and the calls of the Admin API that it stands for.
fn step(out: &mut String, step: &Step) {
    action(out, &step.at().map_or_else(|| "then".to_owned(), seconds), &step.action);
}

fn action(out: &mut String, when: &str, action: &Action) {
    let verb = words::plain(&action.in_words());
    let lines: Vec<_> = rollout::calls(action).iter().map(|call| words::plain(&call.to_string())).collect();
    match lines.as_slice() {
        [only] if matches!(action, Action::SetHost { .. }) => {
            let _ = writeln!(out, "  {when:>8}  {only}");
        }
        lines => {
            let _ = writeln!(out, "  {when:>8}  {verb}");
            for line in lines {
                let _ = writeln!(out, "            {line}");
            }
        }
    }
}
