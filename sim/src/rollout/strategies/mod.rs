//! Strategies: each a file that says which steps it stands for. Whoever adds one adds its file and a line of [`ALL`].

mod ab;
mod blue_green;
mod canary;
mod dark;
mod feature_flag;
mod linear;
mod recreate;
mod replicas;
mod ring;
mod rolling;
mod shadow;

use std::time::Duration;

use gateway_core::id::ServiceId;

use super::action::{Action, HeaderMatch, HeaderRoute, MirrorRoute, MirrorTo, Step, TargetWeight, When};
use super::field::Field;
use super::versions::{Member, Version, Versions};

/// A strategy.
#[derive(Clone, Copy, Debug)]
pub struct Strategy {
    /// As `strategy` names it.
    pub name: &'static str,
    /// Whether versions share an Upstream there; else each has its own.
    pub shares_upstream: bool,
    /// The keys of `[rollout]` it goes by.
    pub keys: &'static [&'static str],
    /// Its steps.
    pub steps: fn(&Versions, &Settings) -> Vec<Action>,
    /// How everything that leads to the new version is taken away.
    pub way_back: fn(&Versions, &Settings) -> Vec<Action>,
}

/// All strategies.
pub const ALL: [Strategy; 10] = [
    recreate::STRATEGY,
    blue_green::STRATEGY,
    canary::STRATEGY,
    linear::STRATEGY,
    rolling::STRATEGY,
    ab::STRATEGY,
    dark::STRATEGY,
    shadow::STRATEGY,
    ring::STRATEGY,
    feature_flag::STRATEGY,
];

/// What a `[rollout]` says beside its strategy and its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Shares of the new version, 0 to 1, and how long each is kept.
    pub steps: Vec<(f64, Duration)>,
    /// How much the share grows with each step, 0 to 1.
    pub step: f64,
    /// How long each step, or the new version before it is promoted, is watched.
    pub every: Duration,
    /// The share at which growing ends, 0 to 1.
    pub until: f64,
    /// How long requests under way may take when a version is left.
    pub drain: Duration,
    /// How long the old version is kept once the new one is promoted.
    pub scale_down_delay: Duration,
    /// How long the new version is there for those who are told apart before it is for anybody.
    pub preview: Duration,
    /// How many of the new version's targets run before it is for anybody; all of them where nothing is said.
    pub preview_targets: Option<usize>,
    /// How long whoever promotes takes for that, a timer or a person.
    pub promote_after: Duration,
    /// A judge that is asked before the new version is for anybody.
    pub pre_analysis: Option<Question>,
    /// A judge that is asked once it is for everybody.
    pub post_analysis: Option<Question>,
    /// How many targets there may be more than at the start.
    pub max_surge: usize,
    /// How many fewer may serve.
    pub max_unavailable: usize,
    /// How long a new target must be ready before it counts.
    pub min_ready: Duration,
    /// How long targets that start may take until they accept connections, before the rollout has failed.
    pub progress_deadline: Duration,
    /// By what values of what requests are told apart.
    pub told: Option<(Field, Vec<String>)>,
    /// How many times `every` requests are told apart.
    pub iterations: u32,
    /// How many targets of the new version run at each share.
    pub scale: Scaling,
    /// Circles of users and of Services, the first one first.
    pub rings: Vec<Ring>,
    /// The share of users for whom a flag is on first, 0 to 1.
    pub percent: f64,
    /// The share of requests that are copied, 0 to 1.
    pub fraction: f64,
    /// The methods that may be.
    pub methods: Vec<String>,
    /// What of answers is compared: `status`, `body`, and header fields.
    pub compare: Vec<String>,
    /// How long a copy may take, where that is not the Service's read timeout.
    pub timeout: Option<Duration>,
    /// The fields of the Routes that lead to the Service.
    pub routes: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// How many targets of the new version run while its share grows; all of them once it has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// All from the start.
    Full,
    /// As large a part of them as its share is of the requests, rounded up.
    Match,
    /// So many.
    Fixed(usize),
    /// Whole targets of both versions make the share, and no router divides requests.
    Replicas,
}

impl Scaling {
    /// How many of `all` run at this share, 0 to 1, where that changes with it.
    fn targets(self, share: f64, all: usize) -> Option<usize> {
        match self {
            // What is too much by rounding alone is no target of its own.
            Self::Match => Some((share * all as f64 - 1e-9).ceil().max(0.0) as usize),
            Self::Fixed(targets) => Some(if share < 1.0 { targets.min(all) } else { all }),
            Self::Full | Self::Replicas => None,
        }
    }
}

/// A circle of users, of Services, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Values by which users of the rollout's own Service are told.
    pub values: Vec<String>,
    /// Services that are pointed at the new version, one after the other.
    pub services: Vec<Pointed>,
    /// How long they have the new version before the next ring gets it.
    pub soak: Duration,
}

/// A Service that a ring points at the new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// Which.
    pub service: ServiceId,
    /// Its name.
    pub name: String,
    /// Where it leads at the start.
    pub host: String,
}

/// A question to a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Index among the rollout's analyses.
    pub analysis: usize,
    /// Then it has to say something.
    pub at_most: Duration,
}

impl Question {
    fn ask(self) -> Action {
        Action::Analysis { analysis: self.analysis, at_most: self.at_most }
    }
}

/// The steps of a strategy, the first one at `at` when that is said.
pub fn unfold(
    strategy: &Strategy,
    versions: &Versions,
    settings: &Settings,
    at: Option<Duration>,
    line: usize,
) -> Vec<Step> {
    let actions = (strategy.steps)(versions, settings);
    let mut when = at.map_or(When::Then, When::At);
    let step = |action| Step { when: std::mem::replace(&mut when, When::Then), action, line };
    actions.into_iter().map(step).collect()
}

fn start(mocks: Vec<u32>, settings: &Settings) -> [Action; 2] {
    [Action::Start(mocks.clone()), Action::WaitReady { mocks, at_most: settings.progress_deadline }]
}

/// Points the Service at a version's own Upstream.
fn point_at(versions: &Versions, version: &Version) -> Action {
    point(versions.service, &versions.service_name, host(versions, version))
}

/// Points the Service at the old version again; where that has been ended, it is there again first.
fn back_to_stable(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.stable.mocks(), settings).into();
    steps.push(point_at(versions, &versions.stable));
    steps
}

/// Points a Service at an Upstream.
fn point(service: ServiceId, name: &str, host: String) -> Action {
    Action::SetHost { service, service_name: name.to_owned(), host }
}

fn host(versions: &Versions, version: &Version) -> String {
    version.upstream.clone().unwrap_or_else(|| versions.upstream.clone())
}

/// Gives some of the new version's targets other weights in its own Upstream.
fn weight_each(versions: &Versions, members: &[Member], weight: impl Fn(&Member) -> u16) -> Vec<Action> {
    let set = |member: &Member| {
        let (upstream, target) = (host(versions, &versions.canary), member.target.clone());
        Action::SetTarget(TargetWeight { upstream, target, weight: weight(member) })
    };
    members.iter().map(set).collect()
}

/// Waits for the requests under way at targets that nobody is sent to any more, then ends them.
fn leave(mocks: Vec<u32>, settings: &Settings) -> [Action; 2] {
    let drain = Action::Drain { mocks: mocks.clone(), weights: Vec::new(), at_most: settings.drain };
    [drain, Action::Stop(mocks)]
}

fn route_name(versions: &Versions) -> String {
    format!("{}-{}", versions.service_name, versions.canary.name)
}

/// The Routes that only requests with the header field or the cookie take.
fn set_route(versions: &Versions, settings: &Settings) -> Option<Action> {
    let (field, values) = settings.told.as_ref()?;
    Some(route_for(versions, settings, field, values))
}

/// The same for these values.
fn route_for(versions: &Versions, settings: &Settings, field: &Field, values: &[String]) -> Action {
    let to = HeaderMatch {
        field: field.clone(),
        values: values.to_vec(),
        routes: settings.routes.clone(),
        service: route_name(versions),
        host: host(versions, &versions.canary),
    };
    Action::SetHeaderRoute(HeaderRoute::set(route_name(versions), to))
}

/// The same gone, with the Service it led to.
fn unset_route(versions: &Versions, settings: &Settings) -> Action {
    let name = route_name(versions);
    Action::SetHeaderRoute(HeaderRoute::unset(name.clone(), settings.routes.len(), vec![name]))
}

/// Copies requests for the new version.
fn set_mirror(versions: &Versions, settings: &Settings) -> Action {
    let to = MirrorTo {
        host: host(versions, &versions.canary),
        percent: settings.fraction * 100.0,
        methods: settings.methods.clone(),
        compare: settings.compare.clone(),
        timeout: settings.timeout,
    };
    Action::SetMirrorRoute(MirrorRoute { service_name: versions.service_name.clone(), to: Some(to) })
}

fn unset_mirror(versions: &Versions) -> Action {
    Action::SetMirrorRoute(MirrorRoute { service_name: versions.service_name.clone(), to: None })
}

#[cfg(test)]
mod tests;
