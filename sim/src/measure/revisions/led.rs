//! Who is sent where by header Routes: those that the rollout's steps set, as one configuration has them, and whether a request
//! carries what they look for. The router of the gateway has no part in it.

use gateway_core::config::Config;
use gateway_core::entity::Route;
use gateway_core::id::UpstreamId;
use rustc_hash::FxHashSet;

use super::rules::places;
use crate::measure::carried::Carried;
use crate::measure::recorder::RunFacts;
use crate::plan::Plan;
use crate::rollout::{Action, Field, HeaderRoute};

/// Header Routes as a step sets them.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// One in front of each Route of a Service.
    names: Vec<String>,
    /// What the Routes look for, whatever else those behind them do.
    header: (String, Vec<String>),
    /// The same as whoever wrote the rollout said it.
    values: FxHashSet<String>,
    /// Kong takes no notice of capitals in header fields, as they are; of those in cookies it does.
    minds_capitals: bool,
    carried: Carried,
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
    /// Those of a plan. Who writes a regex instead of values asks the router; nobody else reads it.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let actions = plan.steps.iter().map(|step| &step.action);
        let told = actions.chain(plan.rollout.way_back.iter().flatten()).filter_map(|action| match action {
            Action::SetHeaderRoute(route @ HeaderRoute { to: Some(to), .. }) => Some((route, to)),
            _ => None,
        });
        let told = told.filter(|(_, to)| !to.values.iter().any(|value| value.starts_with("~*")));
        let told = told.map(|(route, to)| {
            let minds_capitals = matches!(to.field, Field::Cookie(_));
            let value =
                |value: &String| if minds_capitals { value.clone() } else { value.to_ascii_lowercase() };
            let (header, wanted) = to.field.route_match(&to.values);
            Self {
                names: route.names().collect(),
                header: (header.to_ascii_lowercase(), wanted),
                values: to.values.iter().map(value).collect(),
                minds_capitals,
                carried: Carried::new(plan, &to.field),
            }
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
        let Self { values, minds_capitals, carried, .. } = self;
        carried.any(request, facts, |value| {
            if *minds_capitals {
                values.contains(value)
            } else {
                values.contains(&value.to_ascii_lowercase())
            }
        })
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
