//! Who is sent where by header Routes: those that the rollout's steps set, as one configuration has them, and whether a request
//! carries what they look for. The router of the gateway has no part in it.

use gateway_core::config::Config;
use gateway_core::entity::{Route, compile_header};
use gateway_core::id::UpstreamId;
use regex::bytes::Regex;
use rustc_hash::FxHashSet;

use super::rules::places;
use crate::measure::carried::Carried;
use crate::measure::recorder::RunFacts;
use crate::plan::Plan;
use crate::rollout::{Action, Field, HeaderRoute};

/// What a regex begins with where Kong looks for values.
const REGEX: &str = "~*";

/// Header Routes as a step sets them.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// One in front of each Route of a Service.
    names: Vec<String>,
    /// What the Routes look for, whatever else those behind them do.
    header: (String, Vec<String>),
    /// The same as whoever wrote the rollout said it.
    wanted: Wanted,
    carried: Carried,
}

/// What a request must carry.
#[derive(Clone, Debug)]
enum Wanted {
    /// One of these in a header field, of whose capitals Kong takes no notice; in lower case.
    Fields(FxHashSet<String>),
    /// One of these in a cookie, as it is.
    Cookies(FxHashSet<String>),
    /// What this finds something in, somewhere in the header field.
    Found(Regex),
}

impl Wanted {
    /// What Kong takes values of a field for: a single one that begins with `~*` is a regex. None where that is none; a gateway refuses
    /// such a Route.
    fn of(field: &Field, values: &[String]) -> Option<Self> {
        match (field, values) {
            (Field::Cookie(_), _) => Some(Self::Cookies(values.iter().cloned().collect())),
            (Field::Header(_), [value]) if value.starts_with(REGEX) => {
                compile_header(&value[REGEX.len()..]).ok().map(Self::Found)
            }
            (Field::Header(_), _) => {
                Some(Self::Fields(values.iter().map(|value| value.to_ascii_lowercase()).collect()))
            }
        }
    }

    fn is(&self, value: &str) -> bool {
        match self {
            Self::Fields(values) => values.contains(&value.to_ascii_lowercase()),
            Self::Cookies(values) => values.contains(value),
            Self::Found(regex) => regex.is_match(value.as_bytes()),
        }
    }
}

/// Header Routes of a step that are in force.
#[derive(Clone, Debug)]
pub(super) struct Led {
    /// Their number among what steps set.
    told: usize,
    /// Where the requests go that do not carry what they look for, as far as nobody else's go there.
    from: Vec<Option<UpstreamId>>,
    /// Where those go that do, and whether only header Routes lead there.
    to: Option<UpstreamId>,
    is_to_alone: bool,
}

/// A Route and where it leads.
struct Way<'a> {
    route: &'a Route,
    told: Option<usize>,
    places: Vec<Option<UpstreamId>>,
}

impl Told {
    /// Those of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let actions = plan.steps.iter().map(|step| &step.action);
        let told = actions.chain(plan.rollout.way_back.iter().flatten()).filter_map(|action| match action {
            Action::SetHeaderRoute(route @ HeaderRoute { to: Some(to), .. }) => Some((route, to)),
            _ => None,
        });
        let told = told.filter_map(|(route, to)| {
            let (header, values) = to.field.route_match(&to.values);
            Some(Self {
                names: route.names().collect(),
                header: (header.to_ascii_lowercase(), values),
                wanted: Wanted::of(&to.field, &to.values)?,
                carried: Carried::new(plan, &to.field),
            })
        });
        told.collect()
    }

    fn is(&self, route: &Route) -> bool {
        let (name, wanted) = &self.header;
        route.name.as_ref().is_some_and(|name| self.names.contains(name))
            && route.headers.get(name) == Some(wanted)
    }

    /// Whether a request carries what the Routes look for.
    fn is_carried_by(&mut self, request: u64, facts: &RunFacts) -> bool {
        let Self { wanted, carried, .. } = self;
        carried.any(request, facts, |value| wanted.is(value))
    }
}

/// The header Routes of a configuration that steps have set.
pub(super) fn of(config: &Config, told: &[Told]) -> Vec<Led> {
    let way = |(_, route)| -> Option<Way<'_>> {
        let route: &Route = route;
        let service = config.service(route.service?).filter(|service| service.enabled)?;
        let told = told.iter().position(|told| told.is(route));
        Some(Way { route, told, places: places(config, service) })
    };
    let ways: Vec<_> = config.routes().filter_map(way).collect();
    let only = |place: Option<UpstreamId>, these: &dyn Fn(&Way<'_>) -> bool| {
        ways.iter().filter(|way| way.places.contains(&place)).all(these)
    };
    let led = told.iter().enumerate().filter_map(|(number, told)| {
        let fronts: Vec<_> = ways.iter().filter(|way| way.told == Some(number)).collect();
        let [to] = fronts.first()?.places.as_slice() else { return None };
        if fronts.iter().any(|front| front.places != [*to]) {
            return None;
        }
        let is_behind = |way: &Way<'_>| fronts.iter().any(|front| way.is_behind(front, &told.header.0));
        let behind = ways.iter().filter(|way| is_behind(way)).flat_map(|way| way.places.iter().copied());
        let from = behind.filter(|place| place != to && only(*place, &is_behind)).collect();
        Some(Led { told: number, from, to: *to, is_to_alone: only(*to, &|way| way.told.is_some()) })
    });
    led.collect()
}

/// Whether a first try at `upstream` is right by what its request carries.
pub(super) fn is_right(
    (led, told): (&[Led], &mut [Told]),
    upstream: Option<UpstreamId>,
    request: u64,
    facts: &RunFacts,
) -> bool {
    let mut is_led = |led: &Led| told[led.told].is_carried_by(request, facts);
    if led.iter().filter(|led| led.from.contains(&upstream)).any(&mut is_led) {
        return false;
    }
    let mut here = led.iter().filter(|led| led.is_to_alone && led.to == upstream).peekable();
    here.peek().is_none() || here.any(is_led)
}

impl Way<'_> {
    /// Whether it takes whatever `front` does and all the others that differ in that header field.
    fn is_behind(&self, front: &Way<'_>, header: &str) -> bool {
        let (own, other) = (self.route, front.route);
        let headers = other.headers.iter().filter(|(name, _)| *name != header);
        own.headers.iter().eq(headers)
            && (&own.paths, &own.hosts, &own.methods) == (&other.paths, &other.hosts, &other.methods)
    }
}
