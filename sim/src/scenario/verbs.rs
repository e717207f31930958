//! The verbs of `[[steps]]`: each as the primitive steps it stands for.

use std::time::Duration;

use super::gateway::Entities;
use super::header_routes::{self, HeaderRoutes};
use super::node::{Node, Value};
use super::patterns::matcher;
use super::reader::{Section, Shape};
use super::values::{self, number, text};
use super::{analyses, services, settings, sticky, told};
use crate::plan::MockPlan;
use crate::rollout::{
    Action, ByKey, HeaderMatch, HeaderRoute, MirrorRoute, MirrorTo, Shares, SplitRoute, SplitTo, TargetWeight,
};
use crate::words;

pub(super) const SET_HOST: Shape = Shape { what: "set_host", keys: &["service", "host"], later: &[] };
pub(super) const SET_TARGET: Shape =
    Shape { what: "set_target", keys: &["upstream", "target", "weight"], later: &[] };
pub(super) const PATCH: Shape = Shape { what: "patch", keys: &["path", "body"], later: &[] };
pub(super) const RAMP: Shape = Shape { what: "a ramp", keys: &["to", "over", "steps"], later: &[] };
pub(super) const TARGETS: Shape =
    Shape { what: "a choice of targets", keys: &["match", "at_most"], later: &[] };
pub(super) const HEADER_ROUTE: Shape = Shape {
    what: "a header route",
    keys: &["name", "service", "upstream", "header", "cookie", "values"],
    later: &[],
};
pub(super) const MIRROR_ROUTE: Shape = Shape {
    what: "a mirror",
    keys: &["service", "upstream", "fraction", "methods", "compare", "timeout"],
    later: &[],
};
pub(super) const SPLIT: Shape = Shape {
    what: "a split",
    keys: &["service", "upstream", "percent", "header", "cookie", "salt", "max_age", "primary_sticky"],
    later: &[],
};
pub(super) const WAIT_UNTIL: Shape =
    Shape { what: "a condition", keys: &["requests", "at_most"], later: &[] };
/// Steps of a ramp.
const RAMP_STEPS_MAX: i64 = 1000;
/// How long is waited where the file does not say.
const READY_AT_MOST: Duration = Duration::from_secs(60);
const DRAIN_AT_MOST: Duration = Duration::from_secs(30);

/// What verbs need to know.
pub(super) struct Known<'a, 'b> {
    pub(super) entities: &'a Entities<'b>,
    pub(super) mocks: &'a [MockPlan],
    /// The names of all analyses.
    pub(super) analyses: &'a [String],
    /// The weights of the rollout's versions so far.
    pub(super) shares: Option<Shares>,
    /// The header Routes so far.
    pub(super) header_routes: HeaderRoutes,
}

impl Known<'_, '_> {
    /// What `verb` with this value does. `number` is the step's, from 1.
    pub(super) fn actions(
        &mut self,
        section: &Section<'_>,
        verb: &str,
        node: &Node,
        number: usize,
    ) -> Option<Vec<Action>> {
        let one = |action| Some(vec![action]);
        match verb {
            "set_host" => one(self.set_host(section, node, number)?),
            "set_weight" => {
                let share = share(section, verb, node)?;
                one(self.shares(section)?.set(share))
            }
            "ramp" => self.ramp(section, node),
            "set_canary_scale" => self.canary_scale(section, node),
            "set_target" => one(self.set_target(section, node)?),
            "patch" => one(patch(section, node)?),
            "pause" => one(Action::Pause(values::duration(node, verb, section.mistakes)?)),
            "set_header_route" => one(self.header_route(section, node)?),
            "set_mirror_route" => one(self.mirror_route(section, node)?),
            "set_split" => one(self.split(section, node)?),
            "wait_until" => one(wait_until(section, node)?),
            "analysis" => one(self.analysis(section, node)?),
            "start" | "stop" | "wait_ready" | "drain" => one(self.life_cycle(section, verb, node)?),
            "promote" => flag(section, verb, node).then(|| vec![Action::Promote]),
            _ => flag(section, verb, node).then(|| vec![Action::Abort]),
        }
    }

    fn set_host(&self, section: &Section<'_>, node: &Node, number: usize) -> Option<Action> {
        let inner = section.inline("set_host", node, &SET_HOST)?;
        let message = format!("step {number} changes a Service that does not exist");
        let service = services::named(&inner, "service", &message, self.entities);
        let host = inner.required_text("host", "green").filter(|host| {
            let message = format!("step {number} points at an upstream that does not exist");
            self.entities.upstreams.check(&inner, "host", host, &message)
        });
        let service_name = inner.text("service")?.to_owned();
        Some(Action::SetHost { service: service?, service_name, host: host?.to_owned() })
    }

    /// The weights of both versions; without a rollout nobody knows which targets are meant.
    fn shares(&mut self, section: &Section<'_>) -> Option<&mut Shares> {
        if self.shares.is_none() {
            let help = "write [rollout] with strategy, service, stable and canary, or use set_target";
            let message = "a share needs two versions that share an Upstream";
            section.mistakes.absent(section.place, message, "which is the new one?", help);
        }
        self.shares.as_mut()
    }

    /// So many targets of the new version run and share what it gets; the others are drained and stopped.
    fn canary_scale(&mut self, section: &Section<'_>, node: &Node) -> Option<Vec<Action>> {
        let shares = self.shares(section)?;
        let most = i64::try_from(shares.targets()).unwrap_or(i64::MAX);
        let targets = values::integer(node, "set_canary_scale", 0, most, section.mistakes)?;
        Some(shares.scale(usize::try_from(targets).ok()?, READY_AT_MOST, DRAIN_AT_MOST))
    }

    fn ramp(&mut self, section: &Section<'_>, node: &Node) -> Option<Vec<Action>> {
        let inner = section.inline("ramp", node, &RAMP)?;
        let to = share(&inner, "to", inner.required("to", "50")?);
        let over = inner.some_time("over");
        let steps = if inner.has("steps") { inner.integer("steps", 1, RAMP_STEPS_MAX) } else { Some(10) };
        let (to, over, steps) = (to?, over?, u32::try_from(steps?).ok()?);
        let shares = self.shares(section)?;
        let from = shares.share();
        let mut actions = Vec::new();
        for step in 1..=steps {
            let share = from + (to - from) * f64::from(step) / f64::from(steps);
            // To a hundredth of a percent, so that weights stay small.
            actions.push(shares.set((share * 10_000.0).round() / 10_000.0));
            actions.push(Action::Pause(over / steps));
        }
        Some(actions)
    }

    fn set_target(&self, section: &Section<'_>, node: &Node) -> Option<Action> {
        let inner = section.inline("set_target", node, &SET_TARGET)?;
        let upstream = inner.required_text("upstream", "blue").filter(|name| {
            let message = "a step changes a target of an upstream that does not exist";
            self.entities.upstreams.check(&inner, "upstream", name, message)
        });
        let target = inner.required_text("target", "blue-1:80");
        let weight = inner.required("weight", "100").and_then(|_| inner.integer("weight", 0, 65_535));
        let (upstream, target) = (upstream?.to_owned(), target?.to_owned());
        let config = &self.entities.config;
        let listed = config.upstream_named(&upstream).map(|(id, _)| {
            config.targets_of(id).map(|(_, target)| target.target.to_string()).collect::<Vec<_>>()
        });
        if let Some(listed) = listed.filter(|listed| !listed.contains(&target)) {
            let label = format!("`{upstream}` has no such target");
            let help = format!("targets there: {}", words::quoted(&listed));
            let message = "a step changes a target that does not exist";
            inner.mistakes.absent(inner.place_of("target"), message, label, help);
        }
        Some(Action::SetTarget(TargetWeight { upstream, target, weight: u16::try_from(weight?).ok()? }))
    }

    /// `{ name, service, upstream, header or cookie, values }`; with a name alone what came with it goes.
    fn header_route(&mut self, section: &Section<'_>, node: &Node) -> Option<Action> {
        let inner = section.inline("set_header_route", node, &HEADER_ROUTE)?;
        let name = inner.required_text("name", "testers")?.to_owned();
        if inner.entries().len() == 1 {
            return Some(Action::SetHeaderRoute(self.header_routes.unset(name)));
        }
        let message = "a header route is of a Service that does not exist";
        let service = services::named(&inner, "service", message, self.entities);
        let host = inner.required_text("upstream", "green").filter(|name| {
            let message = "a header route leads to an upstream that does not exist";
            self.entities.upstreams.check(&inner, "upstream", name, message)
        });
        if !inner.has("cookie") {
            inner.required("header", "\"x-tester\"");
        }
        let told = told::read(&inner);
        let (service, host, (field, values)) = (service?, host?.to_owned(), told?);
        let to = HeaderMatch {
            field,
            values,
            routes: header_routes::in_front(self.entities, service),
            service: format!("{}-{host}", inner.text("service")?),
            host,
        };
        let route = HeaderRoute::set(name, to);
        self.header_routes.set(&route);
        Some(Action::SetHeaderRoute(route))
    }

    /// `{ service, upstream, fraction, methods, compare, timeout }`; with a Service alone it ends.
    fn mirror_route(&self, section: &Section<'_>, node: &Node) -> Option<Action> {
        let inner = section.inline("set_mirror_route", node, &MIRROR_ROUTE)?;
        let message = "a mirror is of a Service that does not exist";
        let service = services::named(&inner, "service", message, self.entities)?;
        let service_name = inner.text("service")?.to_owned();
        if inner.entries().len() == 1 {
            return Some(Action::SetMirrorRoute(MirrorRoute { service_name, to: None }));
        }
        let host = inner.required_text("upstream", "green").filter(|name| {
            let message = "a mirror leads to an upstream that does not exist";
            self.entities.upstreams.check(&inner, "upstream", name, message)
        });
        let fraction = match inner.own("fraction") {
            Some(node) => number(node, "fraction", 0.0, 1.0, section.mistakes)?,
            None => 1.0,
        };
        let (methods, compare) = (settings::methods(&inner), settings::compared(&inner));
        let timeout = settings::copy_timeout(&inner, (self.entities, Some(service)))?;
        let to = MirrorTo { host: host?.to_owned(), percent: fraction * 100.0, methods, compare, timeout };
        Some(Action::SetMirrorRoute(MirrorRoute { service_name, to: Some(to) }))
    }

    /// `{ service, upstream, percent, header or cookie, salt, max_age, primary_sticky }`; with a Service alone it ends.
    fn split(&self, section: &Section<'_>, node: &Node) -> Option<Action> {
        let inner = section.inline("set_split", node, &SPLIT)?;
        services::named(&inner, "service", "a split is of a Service that does not exist", self.entities)?;
        let service_name = inner.text("service")?.to_owned();
        if inner.entries().len() == 1 {
            return Some(Action::SetSplit(SplitRoute { service_name, to: None }));
        }
        let host = inner.required_text("upstream", "green").filter(|name| {
            let message = "a split leads to an upstream that does not exist";
            self.entities.upstreams.check(&inner, "upstream", name, message)
        });
        let share = inner.required("percent", "5").and_then(|node| share(&inner, "percent", node));
        let ByKey { key, salt } = sticky::read_as(&inner, ("header", "cookie"), &service_name)?;
        let (host, percent) = (host?.to_owned(), share? * 100.0);
        Some(Action::SetSplit(SplitRoute { service_name, to: Some(SplitTo { host, percent, key, salt }) }))
    }

    fn analysis(&self, section: &Section<'_>, node: &Node) -> Option<Action> {
        let message = "a step asks a judge that does not exist";
        let question = analyses::question(section, "analysis", node, (self.analyses, message))?;
        Some(Action::Analysis { analysis: question.analysis, at_most: question.at_most })
    }

    /// `start = "green-*"`, or `{ match, at_most }`.
    fn life_cycle(&self, section: &Section<'_>, verb: &str, node: &Node) -> Option<Action> {
        let inner;
        let (pattern, at_most) = match &node.value {
            Value::Table(_) => {
                inner = section.inline(verb, node, &TARGETS)?;
                matcher(&inner)?;
                (inner.text("match")?, inner.own("at_most").and_then(|_| inner.duration("at_most")))
            }
            _ => (text(node, verb, section.mistakes)?, None),
        };
        let glob = globset::GlobBuilder::new(pattern)
            .case_insensitive(true)
            .build()
            .ok()
            .map(|g| g.compile_matcher());
        let is_match = |plan: &MockPlan| glob.as_ref().is_some_and(|glob| glob.is_match(&plan.name));
        let mocks: Vec<u32> =
            (0..).zip(self.mocks).filter(|(_, plan)| is_match(plan)).map(|(mock, _)| mock).collect();
        if mocks.is_empty() && !self.mocks.is_empty() {
            let names: Vec<_> = self.mocks.iter().map(|mock| mock.name.as_str()).collect();
            let help = format!("targets here: {}", words::quoted(&names));
            section.mistakes.note(&node.place, "a step is about nobody", "no target is called so", help);
        }
        Some(match verb {
            "start" => Action::Start(mocks),
            "stop" => Action::Stop(mocks),
            "wait_ready" => Action::WaitReady { mocks, at_most: at_most.unwrap_or(READY_AT_MOST) },
            _ => {
                let weights = self.out_of_rotation(&mocks);
                Action::Drain { mocks, weights, at_most: at_most.unwrap_or(DRAIN_AT_MOST) }
            }
        })
    }

    /// Weight 0 for these mocks in every Upstream that lists them.
    fn out_of_rotation(&self, mocks: &[u32]) -> Vec<TargetWeight> {
        let config = &self.entities.config;
        let names: Vec<_> = mocks.iter().map(|&mock| self.mocks[mock as usize].name.as_str()).collect();
        let mut weights = Vec::new();
        for (id, upstream) in config.upstreams() {
            let targets = config.targets_of(id).map(|(_, target)| target.target.to_string());
            for target in targets.filter(|target| names.contains(&target.as_str())) {
                weights.push(TargetWeight { upstream: upstream.name.clone(), target, weight: 0 });
            }
        }
        weights
    }
}

/// A share in percent, 0 to 100.
fn share(section: &Section<'_>, name: &str, node: &Node) -> Option<f64> {
    number(node, name, 0.0, 100.0, section.mistakes).map(|percent| percent / 100.0)
}

fn flag(section: &Section<'_>, verb: &str, node: &Node) -> bool {
    let on = values::boolean(node, verb, section.mistakes);
    if on == Some(false) {
        let help = format!("write {verb} = true, or leave the step out");
        section.mistakes.note(&node.place, "a step does nothing", "it is switched off", help);
    }
    on == Some(true)
}

fn wait_until(section: &Section<'_>, node: &Node) -> Option<Action> {
    let inner = section.inline("wait_until", node, &WAIT_UNTIL)?;
    let requests = inner.required("requests", "500").and_then(|_| inner.integer("requests", 1, i64::MAX));
    let at_most = inner.some_time("at_most");
    Some(Action::WaitUntil { requests: requests?.unsigned_abs(), at_most: at_most? })
}

fn patch(section: &Section<'_>, node: &Node) -> Option<Action> {
    let inner = section.inline("patch", node, &PATCH)?;
    let path = inner.required_text("path", "/upstreams/green").filter(|path| {
        let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if !is_path {
            let help = "write \"/upstreams/green\"";
            inner.mistakes.note(
                inner.place_of("path"),
                "`path` is no path",
                "not a path of the Admin API",
                help,
            );
        }
        is_path
    });
    let body = inner.required("body", "{ algorithm = \"latency\" }")?;
    inner.as_table(body, "body")?;
    // Whatever was read as TOML is a value of JSON too.
    let fields = serde_json::to_value(body.to_toml()).ok().and_then(|body| body.as_object().cloned());
    Some(Action::Patch { path: path?.to_owned(), body: fields? })
}
