//! The router against a scan of all Routes that knows no index, over random Routes and requests; and against nonsense.

use std::cmp::Reverse;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::examples::Pairs;
use super::priority::priority;
use super::{Router, is_served};
use crate::config::Config;
use crate::entity::{PathHandling, Protocol, Route, Service, compile, compile_header, normalise, split_port};
use crate::id::{RouteId, ServiceId};
use crate::request::{Head, Headers};

const HOSTS: &[&str] = &[
    "a.com", "a.com:80", "a.com:81", "x.a.com", "b", "*.a.com", "*.com", "*.com:81", "a.*", "x.*", "x.a.*:80",
];
const NAMES: &[&str] = &["a.com", "x.a.com", "y.x.a.com", "b", "b.com", "a.org", "com", ".com", "a.", ""];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/ab",
    "/a/b",
    "/a/b/",
    "/a%2Fb",
    "/b",
    "/b/c/d",
    "~/",
    "~/a",
    "~/a/?b",
    "~/(a|b)/b",
    r"~/\w+/b",
    "~/a|b",
    "~/(?i)A/B",
    "~/ab*$",
    "~/.*b",
    "~/b/(?<x>c)?",
];
const REQUESTED: &[&str] =
    &["/", "/a", "/abb", "/a/b", "/a/bc", "/a/b/c", "/a%2fb", "/A/b", "/b/c/d/e", "/c", "*", ""];
const VALUES: &[&str] = &["1", "2", "V1", "~*^v", "~*[12]"];

/// The Route that a scan finds, and what it cuts off.
fn scan(config: &Config, head: &Head<'_>) -> Option<(RouteId, usize)> {
    let none = [None];
    let mut best = None;
    for (id, route) in config.routes().filter(|(_, route)| is_served(config, route)) {
        let paths: Vec<_> = route.paths.iter().map(|path| Some(path.as_str())).collect();
        let paths = if paths.is_empty() { &none[..] } else { &paths };
        for (number, &path) in paths.iter().enumerate() {
            for with_port in [true, false] {
                let Some(cut) = part_of(path, head.path) else { continue };
                if host_matches(route, with_port, head) && rest_matches(route, head) {
                    let rank = Reverse(priority(route, path, with_port));
                    let key = (rank, route.created_at, route.name.as_deref(), id, number);
                    best = best
                        .filter(|(other, _)| *other < key)
                        .or(Some((key, cut * usize::from(route.strip_path))));
                }
            }
        }
    }
    best.map(|((_, _, _, id, _), cut)| (id, cut))
}

fn part_of(path: Option<&str>, asked: &str) -> Option<usize> {
    match path {
        None => Some(0),
        Some(path) => match path.strip_prefix('~') {
            Some(regex) => Some(compile(regex).unwrap().find(asked.as_bytes())?.end()),
            None => asked.starts_with(path).then_some(path.len()),
        },
    }
}

fn host_matches(route: &Route, with_port: bool, head: &Head<'_>) -> bool {
    let matches = |entry: &String| {
        let (name, port) = split_port(entry);
        let name = match name.split_once('*') {
            None => name == head.host,
            Some((before, after)) => {
                let inner = head.host.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                inner.is_some_and(|inner| !inner.is_empty())
            }
        };
        let port = port.map(|port| port.parse::<u16>().unwrap());
        name && port.is_some() == with_port && port.is_none_or(|port| port == head.port.unwrap_or(80))
    };
    if route.hosts.is_empty() { !with_port } else { route.hosts.iter().any(matches) }
}

fn rest_matches(route: &Route, head: &Head<'_>) -> bool {
    let header = |(name, values): (&String, &Vec<String>)| {
        head.headers.any(name, |value| match values[0].strip_prefix("~*") {
            Some(regex) if values.len() == 1 => compile_header(regex).unwrap().is_match(value),
            _ => values.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(value)),
        })
    };
    (route.methods.is_empty() || route.methods.iter().any(|method| method == head.method))
        && route.headers.iter().all(header)
}

fn some(list: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    subsequence(list, 0..=most).prop_shuffle().prop_map(|kept| kept.into_iter().map(str::to_owned).collect())
}

/// Regexes that begin alike and have some literal further in.
fn alike() -> impl Strategy<Value = Route> {
    let pieces = select(vec!["a", "b", "ab", ".*", "[ab]", "(a|b)", "(ab)+", "/", "b?", "/b/", "(a/)*"]);
    (vec(pieces, 1..5), 0..3u64).prop_map(|(pieces, created_at)| Route {
        paths: vec![format!("~/{}", pieces.concat())],
        created_at,
        ..Route::new("?", ServiceId(0))
    })
}

fn routes() -> impl Strategy<Value = Route> {
    let matchers = (some(HOSTS, 3), some(PATHS, 3), some(&["GET", "PUT"], 1), some(&["sni"], 1));
    let headers = btree_map(select(vec!["v", "w"]), some(VALUES, 2), 0..=1);
    let rest = (-1..=1, 0..3u64, 0..3u32, any::<bool>(), any::<bool>());
    (matchers, headers, rest).prop_map(|((hosts, paths, methods, snis), headers, rest)| {
        let (regex_priority, created_at, service, strip_path, grpc) = rest;
        Route {
            hosts,
            paths,
            methods,
            snis,
            headers: headers.into_iter().map(|(name, values)| (name.to_owned(), values)).collect(),
            regex_priority,
            created_at,
            strip_path,
            service: (service < 2).then_some(ServiceId(service)),
            protocols: if grpc && service == 0 {
                vec![Protocol::Grpc]
            } else {
                vec![Protocol::Http, Protocol::Https]
            },
            path_handling: PathHandling::V1,
            ..Route::new("?", ServiceId(0))
        }
    })
}

/// Those of `routes` that break no rule, under names in no order; the second Service is switched off.
fn config(routes: Vec<Route>) -> Config {
    let mut config = Config::default();
    config.add_service(Service::new("s", "blue")).unwrap();
    config.add_service(Service { enabled: false, ..Service::new("off", "blue") }).unwrap();
    for (i, route) in routes.into_iter().enumerate() {
        let named = Route::new(&format!("r{}", (i * 7) % 41), ServiceId(0));
        // One that sets nothing, or a header without values, is refused, as it should be.
        let _ = config.add_route(Route { uuid: named.uuid, name: named.name, ..route });
    }
    config
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..40).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

proptest! {
    #[test]
    fn the_index_finds_what_a_scan_finds(
        routes in vec(routes(), 0..20),
        requests in vec(
            (select(NAMES), select(vec![None, Some(80), Some(81)]), select(REQUESTED), select(vec!["GET", "PUT"]),
             vec((select(vec!["v", "w"]), select(vec!["1", "v1", "x2"])), 0..3)),
            1..20),
    ) {
        let config = config(routes);
        let router = Router::new(&config);
        for (host, port, path, method, headers) in requests {
            let pairs: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let (pairs, path) = (Pairs(&pairs), normalise(path));
            let head = Head { host, port, headers: Headers::new(&pairs), ..Head::new(method, &path) };
            let found = router.find(&head).map(|found| (found.route, found.stripped));
            prop_assert_eq!(found, scan(&config, &head), "{:?}", head);
        }
    }

    #[test]
    fn regexes_that_begin_alike_are_told_apart(
        routes in vec(alike(), 8..24),
        paths in vec("/[ab/]{0,8}|/(ab/){0,40}", 1..6),
    ) {
        let config = config(routes);
        let router = Router::new(&config);
        for path in &paths {
            let path = normalise(path);
            let head = Head::new("GET", &path);
            let found = router.find(&head).map(|found| (found.route, found.stripped));
            prop_assert_eq!(found, scan(&config, &head), "{:?}", head);
        }
    }

    #[test]
    fn nonsense_is_answered_too(
        routes in vec(routes(), 0..20),
        (method, host, path) in (text(), text(), text()),
        port in any::<Option<u16>>(),
        value in vec(any::<u8>(), 0..20),
    ) {
        let config = config(routes);
        let pairs = [("v", &*value)];
        let pairs = Pairs(&pairs);
        for path in [normalise(&path), normalise(&format!("/a{path}"))] {
            let head = Head { host: &host, port, headers: Headers::new(&pairs), ..Head::new(&method, &path) };
            let found = Router::new(&config).find(&head).map(|found| (found.route, found.stripped));
            prop_assert_eq!(found, scan(&config, &head));
        }
    }
}
