//! What requests are known by, through the gateway: a key shows in the attempt.

use super::*;
use crate::config::Config;
use crate::entity::{Address, Route, Service, Target};
use crate::gateway::{Attempt, Gateway};
use crate::request::HeaderLookup;
use crate::rng;
use crate::time::Instant;
use crate::weight::Weight;

/// Header fields, names in lower case.
struct Fields(&'static [(&'static str, &'static str)]);

impl HeaderLookup for Fields {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(named, _)| *named == name).map(|(_, value)| *value)
    }
    fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.iter().any(|(named, value)| *named == name && wanted(value.as_bytes()))
    }
}

/// Three targets of an Upstream that is otherwise as `upstream` says, and a Route with groups.
fn gateway(upstream: Upstream) -> Gateway {
    let mut config = Config::default();
    let upstream = config.add_upstream(upstream).unwrap();
    for name in ["a:80", "b:80", "c:80"] {
        let address = Address::parse(name).unwrap();
        config.add_target(Target::new(upstream, address, Weight::DEFAULT)).unwrap();
    }
    let service = config.add_service(Service::new("s", "u")).unwrap();
    let paths = vec!["~/users/(?<user>[^/]+)/(\\d+)".into(), "/".into()];
    config.add_route(Route { paths, ..Route::new("r", service) }).unwrap();
    Gateway::new(config)
}

fn hashing(on: HashOn, fallback: HashOn) -> Gateway {
    let algorithm = Algorithm::ConsistentHashing;
    gateway(Upstream { algorithm, hash_on: on, hash_fallback: fallback, ..Upstream::new("u") })
}

fn begin(gateway: &Gateway, head: &Head<'_>) -> Attempt {
    let matched = gateway.route(0, head).unwrap();
    gateway.begin(&matched, head, Instant::ZERO, &mut rng::stream(1, "test", 0)).unwrap()
}

/// Checks that a request is known by `expected`, with nothing to fall back to.
#[track_caller]
fn known(on: &HashOn, head: &Head<'_>, expected: Option<&str>) {
    let attempt = begin(&hashing(on.clone(), HashOn::None), head);
    assert_eq!(attempt.key, expected.map(|value| hash(value.as_bytes())), "{on:?}");
    assert_eq!(attempt.set_cookies().next(), None);
}

fn get(path: &'static str, query: Option<&'static str>) -> Head<'static> {
    Head { query, ..Head::new("GET", path) }
}

#[test]
fn every_input_is_read_as_kong_reads_it() {
    let fields = Fields(&[("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("cookie", "k=v; c=\"d\"")]);
    let with = Head { headers: Headers::new(&fields), ..get("/", None) };
    let header = |name: &str| HashOn::Header(name.into());
    known(&header("X-B"), &with, Some("2"));
    known(&header("x-a"), &with, Some("1, 3"));
    known(&header("x-c"), &with, None);
    known(&HashOn::Cookie("c".into()), &with, Some("d"));
    known(&HashOn::Consumer, &with, None);
    known(&HashOn::None, &with, None);
    known(&HashOn::Path, &get("/a%2Fb", None), Some("/a/b"));
    known(&HashOn::Path, &get("/a/b", Some("c")), Some("/a/b"));
    let arg = HashOn::QueryArg("a".into());
    for (query, expected) in [
        ("a=1", Some("1")),
        ("a", Some("true")),
        ("a=", Some("")),
        ("b=a", None),
        ("a=z&b=1&a=y+%2b&a", Some("true,y +,z")),
        ("%61=%31", Some("1")),
    ] {
        known(&arg, &get("/", Some(query)), expected);
    }
    known(&arg, &get("/", None), None);
    let capture = |name: &str| HashOn::UriCapture(name.into());
    known(&capture("user"), &get("/users/ann/7", None), Some("ann"));
    known(&capture("2"), &get("/users/ann/7", None), Some("7"));
    known(&capture("user"), &get("/users", None), None);
}

#[test]
fn an_address_is_one_however_it_is_written() {
    let key = |client: &str| {
        let head = Head { client: Some(client.parse().unwrap()), ..get("/", None) };
        begin(&hashing(HashOn::Ip, HashOn::None), &head).key
    };
    assert_eq!(key("10.0.0.1"), key("::ffff:10.0.0.1"));
    assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    known(&HashOn::Ip, &get("/", None), None);
}

#[test]
fn the_first_input_that_is_there_counts_and_a_missing_cookie_is_made() {
    let header = HashOn::Header("x-a".into());
    let gateway = hashing(header.clone(), HashOn::QueryArg("q".into()));
    let fields = Fields(&[("x-a", "1")]);
    let both = Head { headers: Headers::new(&fields), ..get("/", Some("q=2")) };
    assert_eq!(begin(&gateway, &both).key, Some(hash(b"1")));
    assert_eq!(begin(&gateway, &get("/", Some("q=2"))).key, Some(hash(b"2")));
    assert_eq!(begin(&gateway, &get("/", None)).key, None);
    let made = begin(&hashing(header, HashOn::Cookie("who".into())), &get("/", None));
    let text = made.set_cookies().next().unwrap();
    let value = text.strip_prefix("who=").unwrap().strip_suffix("; Path=/; SameSite=Lax; HttpOnly").unwrap();
    assert_eq!(Uuid::try_parse(value).unwrap().get_version_num(), 4);
    assert_eq!(made.key, Some(hash(value.as_bytes())));
}

#[test]
fn another_input_is_in_force_for_the_next_request() {
    let gateway = hashing(HashOn::Path, HashOn::None);
    let (id, upstream) = gateway.config().upstreams().map(|(id, u)| (id, u.clone())).next().unwrap();
    assert_eq!(begin(&gateway, &get("/p", Some("q=2"))).key, Some(hash(b"/p")));
    let upstream = Upstream { hash_on: HashOn::QueryArg("q".into()), ..upstream };
    gateway.apply(crate::config::Change::UpdateUpstream(id, upstream), Instant::ZERO).unwrap();
    assert_eq!(begin(&gateway, &get("/p", Some("q=2"))).key, Some(hash(b"2")));
}
