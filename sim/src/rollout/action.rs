//! Steps: when each begins and what it does. Every name and number in them is resolved, so that carrying one out needs
//! nothing else.

use std::time::Duration;

use gateway_core::entity::SplitKey;
use gateway_core::id::ServiceId;
use serde_json::{Map, Value};

use super::field::Field;
use crate::words;

/// One thing that happens during a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When it begins.
    pub when: When,
    /// What it does.
    pub action: Action,
    /// Line in the scenario file, from 1.
    pub line: usize,
}

/// When a step begins: never before the one above it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the start of the run.
    At(Duration),
    /// As soon as the one above it is over.
    Then,
}

impl Step {
    /// The moment it is planned for, after the start of the run.
    pub fn at(&self) -> Option<Duration> {
        match self.when {
            When::At(at) => Some(at),
            When::Then => None,
        }
    }
}

/// What a step does. The closed list: whoever adds a verb adds it here.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Points a Service at another host: the blue-green switch.
    SetHost {
        /// The Service.
        service: ServiceId,
        /// Its name, for the Admin API and for reports.
        service_name: String,
        /// The new host.
        host: String,
    },
    /// Divides requests between two versions that share an Upstream, by the weights of their targets. Kong changes one
    /// target with each call, so the share moves there in as many steps; the order keeps it between the old and the new one.
    SetWeight {
        /// The canary's share, 0 to 1.
        share: f64,
        /// Each target's weight, in the order of the calls.
        weights: Vec<TargetWeight>,
    },
    /// Divides users between two Upstreams by their keys.
    SetSplit(SplitRoute),
    /// Gives one target another weight.
    SetTarget(TargetWeight),
    /// Sends requests with a header to a version, or takes that Route away again.
    SetHeaderRoute(HeaderRoute),
    /// Copies requests of a Service for another Upstream, or stops that.
    SetMirrorRoute(MirrorRoute),
    /// Any change of an entity, as the Admin API takes it.
    Patch {
        /// `/upstreams/green`
        path: String,
        /// The fields to change.
        body: Map<String, Value>,
    },
    /// Starts the processes of these mocks.
    Start(Vec<u32>),
    /// Waits until these mocks accept connections.
    WaitReady {
        /// Which.
        mocks: Vec<u32>,
        /// The rollout has failed when it takes longer.
        at_most: Duration,
    },
    /// Takes targets out of rotation, and waits until none of their requests is under way.
    Drain {
        /// Which.
        mocks: Vec<u32>,
        /// Weight 0 for each, wherever it is listed.
        weights: Vec<TargetWeight>,
        /// Longer is not waited.
        at_most: Duration,
    },
    /// Ends the processes of these mocks: connections are reset, new ones refused.
    Stop(Vec<u32>),
    /// Says that so many targets of each version run and serve from here on. What brought that about stands before it.
    Scaled(Scale),
    /// Lets time pass.
    Pause(Duration),
    /// Asks a judge, from here on.
    Analysis {
        /// Index among the rollout's analyses.
        analysis: usize,
        /// Then it has to say something.
        at_most: Duration,
    },
    /// Waits until the new version has served so many first tries.
    WaitUntil {
        /// How many, from here on.
        requests: u64,
        /// The rollout has failed when it takes longer.
        at_most: Duration,
    },
    /// The new version has won: from here on it is the stable one.
    Promote,
    /// Back to how it was.
    Abort,
}

impl Action {
    /// The verb as scenarios write it.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::SetHost { .. } => "set_host",
            Self::SetSplit(SplitRoute { to: None, .. }) => "set_split",
            Self::SetWeight { .. } | Self::SetSplit(_) => "set_weight",
            Self::SetTarget(_) => "set_target",
            Self::SetHeaderRoute(_) => "set_header_route",
            Self::SetMirrorRoute(_) => "set_mirror_route",
            Self::Patch { .. } => "patch",
            Self::Start(_) => "start",
            Self::WaitReady { .. } => "wait_ready",
            Self::Drain { .. } => "drain",
            Self::Stop(_) => "stop",
            Self::Scaled(_) => "set_canary_scale",
            Self::Pause(_) => "pause",
            Self::Analysis { .. } => "analysis",
            Self::WaitUntil { .. } => "wait_until",
            Self::Promote => "promote",
            Self::Abort => "abort",
        }
    }
}

impl Action {
    /// The new version's share of attempts, 0 to 1, from here on, where a step sets it and no weights do. A copy is an attempt
    /// at the new version beside one at the old.
    pub fn share_of_attempts(&self) -> Option<f64> {
        match self {
            Self::SetMirrorRoute(route) => {
                let copied = route.to.as_ref().map_or(0.0, |to| to.percent / 100.0);
                Some(copied / (1.0 + copied))
            }
            Self::SetSplit(route) => Some(route.to.as_ref().map_or(0.0, |to| to.percent / 100.0)),
            _ => None,
        }
    }

    /// Whether requests may be sent to the new version by what this does; copies are no requests.
    pub fn leads_to_the_new(&self) -> bool {
        match self {
            Self::SetHost { .. } | Self::Patch { .. } => true,
            Self::SetTarget(target) => target.weight > 0,
            Self::SetWeight { share, .. } => *share > 0.0,
            Self::SetSplit(route) => route.to.is_some(),
            Self::SetHeaderRoute(route) => route.to.is_some(),
            _ => false,
        }
    }

    /// Whether nobody is sent to the new version by this way any more, testers or copies.
    pub fn ends_a_trial(&self) -> bool {
        matches!(
            self,
            Self::SetMirrorRoute(MirrorRoute { to: None, .. })
                | Self::SetHeaderRoute(HeaderRoute { to: None, .. })
        )
    }

    /// In a few words, for people; scenarios' own text in it is not escaped.
    pub fn in_words(&self) -> String {
        match self {
            Self::SetHost { service_name, host, .. } => format!("set_host {service_name} -> {host}"),
            Self::SetWeight { share, .. } => format!("set_weight {}", words::share(*share)),
            Self::SetSplit(SplitRoute { to: Some(to), .. }) => {
                format!("set_weight {} by {}", words::share(to.percent / 100.0), Field::from(&to.key))
            }
            Self::SetSplit(SplitRoute { service_name, to: None }) => {
                format!("set_split {service_name}: gone")
            }
            Self::SetTarget(TargetWeight { target, weight, .. }) => format!("set_target {target} = {weight}"),
            Self::SetHeaderRoute(HeaderRoute { name, to: Some(to), .. }) => {
                format!(
                    "set_header_route {name}: {} = {} -> {}",
                    to.field,
                    words::any_of(&to.values),
                    to.host
                )
            }
            Self::SetHeaderRoute(HeaderRoute { name, to: None, .. }) => {
                format!("set_header_route {name}: gone")
            }
            Self::SetMirrorRoute(MirrorRoute { service_name, to: Some(to) }) => {
                format!(
                    "set_mirror_route {service_name}: {} -> {}",
                    words::share(to.percent / 100.0),
                    to.host
                )
            }
            Self::SetMirrorRoute(MirrorRoute { service_name, to: None }) => {
                format!("set_mirror_route {service_name}: gone")
            }
            Self::Patch { path, .. } => format!("patch {path}"),
            Self::Scaled(scale) => format!("set_canary_scale {}", scale.in_words()),
            Self::Pause(pause) => format!("pause {}", seconds(*pause)),
            Self::WaitReady { at_most, .. }
            | Self::Drain { at_most, .. }
            | Self::Analysis { at_most, .. } => {
                format!("{}, at most {}", self.verb(), seconds(*at_most))
            }
            Self::WaitUntil { requests, at_most } => format!(
                "wait_until the new version has had {}, at most {}",
                words::counted(*requests, "request"),
                seconds(*at_most)
            ),
            Self::Start(_) | Self::Stop(_) | Self::Promote | Self::Abort => self.verb().to_owned(),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", words::short(time.as_secs_f64(), 3))
}

/// A target's weight in an Upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetWeight {
    /// The Upstream's name.
    pub upstream: String,
    /// `httpbin.org:80`
    pub target: String,
    /// 0 to 65535.
    pub weight: u16,
}

/// Routes that only requests with a header field or a cookie take: one in front of each of a Service's own.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderRoute {
    /// The name of the one in front of the Service's first Route; that of each other has its number behind it.
    pub name: String,
    /// How many there are.
    pub twins: usize,
    /// Services that go with them, because they came with them.
    pub leaves: Vec<String>,
    /// Where they lead and whom; `None` takes them away.
    pub to: Option<HeaderMatch>,
}

impl HeaderRoute {
    /// There, in front of each of a Service's Routes.
    pub fn set(name: String, to: HeaderMatch) -> Self {
        Self { name, twins: to.routes.len(), leaves: Vec::new(), to: Some(to) }
    }

    /// Gone, as many as there were, and with them the Services that came with them.
    pub fn unset(name: String, twins: usize, leaves: Vec<String>) -> Self {
        Self { name, twins, leaves, to: None }
    }

    /// Their names: `testers`, `testers-2`, ...
    pub fn names(&self) -> impl Iterator<Item = String> {
        let nth = |n| if n == 1 { self.name.clone() } else { format!("{}-{n}", self.name) };
        (1..=self.twins).map(nth)
    }
}

/// Which requests header Routes take, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatch {
    /// Where its value stands.
    pub field: Field,
    /// One of these values.
    pub values: Vec<String>,
    /// For each of the Service's Routes, the fields that the one in front of it shares with it: `paths`, `methods`, `strip_path`, ...;
    /// of a Service without any a single one, without fields.
    pub routes: Vec<Map<String, Value>>,
    /// The name of the Service they lead to.
    pub service: String,
    /// The host of that Service: the version's Upstream.
    pub host: String,
}

/// Who gets copies of a Service's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct MirrorRoute {
    /// The Service's name.
    pub service_name: String,
    /// Where they go; `None` ends it.
    pub to: Option<MirrorTo>,
}

/// Where copies go, which, and what is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct MirrorTo {
    /// The version's Upstream.
    pub host: String,
    /// How many of the requests that may be copied are, 0 to 100.
    pub percent: f64,
    /// The methods that may be.
    pub methods: Vec<String>,
    /// What of the answers is compared: `status`, `body`, and header fields.
    pub compare: Vec<String>,
    /// How long a copy may take, where that is not the Service's read timeout.
    pub timeout: Option<Duration>,
}

/// Which users of a Service go to another version.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitRoute {
    /// The Service's name.
    pub service_name: String,
    /// Where they go; `None` ends it.
    pub to: Option<SplitTo>,
}

/// Where users go, and who.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitTo {
    /// The version's Upstream.
    pub host: String,
    /// The share of keys, 0 to 100.
    pub percent: f64,
    /// What the key is.
    pub key: SplitKey,
    /// What makes this division independent of others.
    pub salt: String,
}

/// Targets of both versions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The share of the new one that was to be reached, 0 to 1, if one was.
    pub asked: Option<f64>,
    /// Targets of the new version.
    pub canary: usize,
    /// Targets of the old one.
    pub stable: usize,
}

impl Scale {
    /// The new version's share of targets that are alike, 0 to 1.
    pub fn reachable(self) -> f64 {
        let all = self.canary + self.stable;
        if all == 0 { 0.0 } else { self.canary as f64 / all as f64 }
    }

    /// `1 of 11 targets, 9.09 % for 5 % asked`
    fn in_words(self) -> String {
        let all = words::counted((self.canary + self.stable) as u64, "target");
        let reached = self.asked.map_or_else(String::new, |asked| {
            format!(", {} for {} asked", words::percent(self.reachable(), 2), words::share(asked))
        });
        format!("{} of {all}{reached}", self.canary)
    }
}
