//! Picks and copies that their revision does not allow, put into the ledger by hand: each is named.

use gateway_core::config::Change;
use gateway_core::entity::{Mirror, Route, Service};
use gateway_core::id::{Epoch, ServiceId};
use proptest::prelude::*;

use super::*;
use crate::load::{Pattern, RequestMix, RequestTemplate, Users};
use crate::measure::rehearsal::{BLUE, GREEN, how_to};
use crate::rollout::{Action, HeaderMatch, HeaderRoute, Step, When};

/// The how-to as a rollout of so many users of `x-user` whose requests are these, and what is known of it.
fn facts(users: u64, requests: Vec<RequestTemplate>) -> RunFacts {
    let mut plan = how_to(1000.0, 10, &[]);
    plan.engine = Engine::Model;
    plan.rollout.strategy = "canary".into();
    plan.rollout.key = Some(SplitKey::Header("x-user".into()));
    let stream = &mut plan.load.streams[0];
    stream.users = Users::new(users, None);
    stream.users.header = Some("X-User".into());
    stream.requests = RequestMix::new(requests).unwrap();
    RunFacts::new(&plan)
}

/// The configuration after `before` when its Service is changed so.
fn changed(before: &Config, change: impl FnOnce(&mut Service)) -> Arc<Config> {
    let (mut config, id) = (before.clone(), ServiceId(0));
    let mut service = config.service(id).unwrap().clone();
    change(&mut service);
    config.change(Change::UpdateService(id, service)).unwrap();
    Arc::new(config)
}

fn pick(request: u64, upstream: UpstreamId, routed: u64) -> Pick {
    Pick {
        request,
        at: Instant::from_millis(request),
        node: 0,
        revision: Revision(9),
        routed: Revision(routed),
        service: ServiceId(0),
        upstream: Some(upstream),
        target: TargetId(upstream.0 * 2),
        epoch: Epoch(0),
        ticket: request,
        carried: 0.0,
        retry: 0,
    }
}

fn broken(breaches: &Breaches) -> Vec<(Promise, u64, &[u64])> {
    breaches.0.iter().map(|breach| (breach.promise, breach.count, breach.requests.as_slice())).collect()
}

fn get() -> Vec<RequestTemplate> {
    vec![RequestTemplate::get("/")]
}

#[test]
fn who_is_sent_where_the_revision_does_not_lead_is_named_whenever_that_is_told() {
    // Aim: a pick is held against what it was made under, not against the time. Method: a switch to green; picks of a worker that has
    // not learnt of it, one before anybody has told of it, and two that went astray.
    let facts = facts(1, get());
    let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
    revisions.picked(&pick(1, BLUE, 0), &facts, &mut breaches);
    revisions.picked(&pick(2, GREEN, 0), &facts, &mut breaches);
    revisions.picked(&pick(3, GREEN, 1), &facts, &mut breaches);
    let green = changed(&facts.plan.gateway.config, |service| service.host = "green".into());
    revisions.configured((0, Revision(1), &green), &facts, &mut breaches);
    revisions.picked(&pick(4, BLUE, 0), &facts, &mut breaches);
    revisions.picked(&pick(5, BLUE, 1), &facts, &mut breaches);
    revisions.picked(&pick(6, BLUE, 2), &facts, &mut breaches);
    assert_eq!(broken(&breaches), [(Promise::RevisionIsKept, 2, &[2, 5][..])]);
    assert_eq!(breaches.0[0].mocks, [2, 0], "and the targets they were sent to");
    revisions.finish(&facts, &mut breaches);
    assert_eq!(broken(&breaches), [(Promise::RevisionIsKept, 3, &[2, 5, 6][..])], "nobody told of 2");
    let nobody = facts.plan.targets_of(crate::rollout::judge::Side::Canary);
    assert!(!revisions.may_pick(&nobody) && revisions.may_pick(&[TargetId(2)]));
    assert!(!revisions.may_pick(&[TargetId(0)]), "blue is led to no more");
}

#[test]
fn keys_below_the_share_move_and_one_that_should_not_have_is_named() {
    // Aim: at each share exactly those users move whose keys are below it. Method: each user's requests where the share sends them,
    // up and down again; then one of them elsewhere.
    let facts = facts(100, get());
    let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
    let of = |percent: f64| Split {
        host: "green".into(),
        percent: Percent::new(percent),
        key: SplitKey::Header("x-user".into()),
        salt: "s".into(),
    };
    let key = |request: u64| format!("{:02}", facts.numbering.user(request));
    let mut config = Arc::new(facts.plan.gateway.config.clone());
    for (revision, percent) in (1..).zip([5.0, 30.0, 10.0]) {
        config = changed(&config, |service| service.split = Some(of(percent)));
        revisions.configured((0, Revision(revision), &config), &facts, &mut breaches);
        for request in 0..500 {
            let to = if of(percent).takes(key(request).as_bytes()) { GREEN } else { BLUE };
            revisions.picked(&pick(request, to, revision), &facts, &mut breaches);
        }
    }
    assert!(breaches.0.is_empty(), "{breaches:?}");
    let astray = (0..500).find(|request| of(10.0).takes(key(*request).as_bytes())).unwrap();
    revisions.picked(&pick(astray, BLUE, 3), &facts, &mut breaches);
    assert_eq!(broken(&breaches), [(Promise::KeysGoByShare, 1, &[astray][..])]);
}

/// The same with steps that set a header Route to green for each list of values; and the configuration with each.
fn telling(facts: &RunFacts, field: &Field, lists: &[&[&str]]) -> (RunFacts, Vec<Arc<Config>>) {
    let (mut plan, mut configs) = (facts.plan.clone(), Vec::new());
    let mut config = plan.gateway.config.clone();
    let service = config.add_service(Service::new("shop-green", "green")).unwrap();
    for values in lists {
        let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
        let (name, wanted) = field.route_match(&values);
        let headers = [(name.to_ascii_lowercase(), wanted)].into();
        let route = Route { paths: vec!["/".into()], headers, ..Route::new("testers", service) };
        let change = match config.find_route("testers") {
            Some((id, _)) => Change::UpdateRoute(id, route),
            None => Change::CreateRoute(route),
        };
        config.change(change).unwrap();
        configs.push(Arc::new(config.clone()));
        let to = HeaderMatch {
            field: field.clone(),
            values,
            routes: vec![serde_json::Map::new(); 2],
            service: "shop-green".into(),
            host: "green".into(),
        };
        let action = Action::SetHeaderRoute(HeaderRoute::set("testers".into(), to));
        plan.steps.push(Step { when: When::Then, action, line: 1 });
    }
    (RunFacts::new(&plan), configs)
}

#[test]
fn who_carries_the_header_and_is_not_led_and_who_is_led_without_are_named() {
    // Aim: a router that ignores the header, or leads others, is caught, by what was in force at the pick. Method: two rings of a
    // hundred users, each request where the router should send it; then one of each kind elsewhere, under each configuration.
    let plain = facts(100, get());
    let rings: [&[&str]; 2] = [&["07"], &["07", "42"]];
    let (facts, configs) = telling(&plain, &Field::Header("X-User".into()), &rings);
    let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
    let user = |request: u64| format!("{:02}", facts.numbering.user(request));
    for (number, config) in configs.iter().enumerate() {
        revisions.configured((0, Revision(number as u64 + 1), config), &facts, &mut breaches);
        for request in 0..1000 {
            let to = if rings[number].contains(&user(request).as_str()) { GREEN } else { BLUE };
            revisions.picked(&pick(request, to, number as u64 + 1), &facts, &mut breaches);
        }
    }
    assert!(breaches.0.is_empty(), "{breaches:?}");
    let of = |wanted: &str| (0..1000).find(|request| user(*request) == wanted).unwrap();
    let (first, second, other) = (of("07"), of("42"), of("99"));
    revisions.picked(&pick(first, BLUE, 0), &facts, &mut breaches);
    revisions.picked(&pick(second, BLUE, 1), &facts, &mut breaches);
    assert!(breaches.0.is_empty(), "the second ring is led from the second revision on");
    revisions.picked(&pick(second, GREEN, 1), &facts, &mut breaches);
    revisions.picked(&pick(second, BLUE, 2), &facts, &mut breaches);
    revisions.picked(&pick(other, GREEN, 2), &facts, &mut breaches);
    assert_eq!(broken(&breaches), [(Promise::CarriersAreLed, 3, &[second, second, other][..])]);
    let green = changed(&configs[1], |service| service.host = "green".into());
    revisions.configured((0, Revision(3), &green), &facts, &mut breaches);
    for request in [first, other] {
        revisions.picked(&pick(request, GREEN, 3), &facts, &mut breaches);
    }
    assert_eq!(breaches.0[0].count, 3, "then everybody is");
}

#[test]
fn who_is_led_by_a_cookie_is_told_by_it_and_by_nothing_that_looks_like_it() {
    let sent = |cookies: &str| {
        let headers = vec![("cookie".to_owned(), cookies.into())];
        RequestTemplate { headers, ..RequestTemplate::get("/") }
    };
    let kinds = ["a=1; group=b", "my-group=b; group=B", "x=group=b"].map(sent);
    let cookie = Field::Cookie("group".into());
    let (facts, configs) = telling(&facts(1, kinds.to_vec()), &cookie, &[&["b", "c"]]);
    let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
    revisions.configured((0, Revision(1), &configs[0]), &facts, &mut breaches);
    let mut told = |kind: usize, to: UpstreamId| {
        let before = breaches.0.first().map_or(0, |breach| breach.count);
        let request = (0..1000).find(|request| facts.numbering.kind(*request) == kind).unwrap();
        revisions.picked(&pick(request, to, 1), &facts, &mut breaches);
        breaches.0.first().map_or(0, |breach| breach.count) - before
    };
    assert_eq!([0, 1, 2].map(|kind| told(kind, GREEN)), [0, 1, 1]);
    assert_eq!([0, 1, 2].map(|kind| told(kind, BLUE)), [1, 0, 0]);
}

#[test]
fn a_regex_leads_whom_it_finds_and_several_values_are_none() {
    // Aim: a pattern of Kong's is held to for each request, as far as it is one: a single value, found anywhere, without regard to
    // capitals. Method: users 70 to 79 by a pattern; then beside a value, where it stands for itself and finds nobody.
    let plain = facts(100, get());
    for (values, led) in [(&["~*^7[0-9]$"][..], true), (&["~*^7[0-9]$", "99"][..], false)] {
        let (facts, configs) = telling(&plain, &Field::Header("x-user".into()), &[values]);
        let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
        revisions.configured((0, Revision(1), &configs[0]), &facts, &mut breaches);
        let is_carried = |request| match facts.numbering.user(request) {
            70..80 => led,
            99 => !led,
            _ => false,
        };
        for request in 0..1000 {
            let to = if is_carried(request) { GREEN } else { BLUE };
            revisions.picked(&pick(request, to, 1), &facts, &mut breaches);
        }
        assert!(breaches.0.is_empty(), "{breaches:?}");
        let of = |user: u64| (0..1000).find(|request| facts.numbering.user(*request) == user).unwrap();
        let (one, other) = if led { (of(71), of(17)) } else { (of(99), of(71)) };
        revisions.picked(&pick(one, BLUE, 1), &facts, &mut breaches);
        revisions.picked(&pick(other, GREEN, 1), &facts, &mut breaches);
        assert_eq!(broken(&breaches), [(Promise::CarriersAreLed, 2, &[one, other][..])]);
    }
}

#[test]
fn who_comes_by_another_route_of_the_service_is_led_by_the_twin_in_front_of_it() {
    // Aim: a Service with two Routes has two header Routes, and none is without; until the second one is there, nobody is held to it.
    // Method: one more Route of the Service, for which a header must be there as well, then its twin; a tester left behind in each.
    let plain = facts(100, get());
    let (facts, configs) = telling(&plain, &Field::Header("x-user".into()), &[&["07"]]);
    let user = |wanted: u64| (0..1000).find(|request| facts.numbering.user(*request) == wanted).unwrap();
    let mut config = (*configs[0]).clone();
    let eu = |name: &str, service: &str, user: &[&str]| {
        let headers = [("x-eu", &["1"][..]), ("x-user", user)].into_iter().filter(|(_, of)| !of.is_empty());
        let texts = |of: &[&str]| of.iter().map(|&of| of.to_owned()).collect();
        let headers = headers.map(|(name, of)| (name.to_owned(), texts(of))).collect();
        let service = configs[0].find_service(service).unwrap().0;
        Route { paths: vec!["/eu".into()], headers, ..Route::new(name, service) }
    };
    let mut found = Vec::new();
    for (name, service, user_of) in
        [("eu", "example-service", &[][..]), ("testers-2", "shop-green", &["07"][..])]
    {
        config.add_route(eu(name, service, user_of)).unwrap();
        let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
        revisions.configured((0, Revision(1), &Arc::new(config.clone())), &facts, &mut breaches);
        revisions.picked(&pick(user(7), BLUE, 1), &facts, &mut breaches);
        revisions.picked(&pick(user(8), GREEN, 1), &facts, &mut breaches);
        found.push(breaches.0.iter().flat_map(|breach| breach.requests.clone()).collect::<Vec<_>>());
    }
    assert_eq!(found, [vec![user(8)], vec![user(7), user(8)]]);
}

#[test]
fn where_another_route_leads_nobody_is_held_to_the_header() {
    // Aim: requests of a Route that has no header Route in front of it say nothing. Method: one more Route to green, then to the
    // Service itself; what either may have led there is let be, the other side is not.
    let plain = facts(100, get());
    let (facts, configs) = telling(&plain, &Field::Header("x-user".into()), &[&["07"]]);
    let user = |wanted: u64| (0..1000).find(|request| facts.numbering.user(*request) == wanted).unwrap();
    let breaches = |host: &str| {
        let mut config = (*configs[0]).clone();
        let service = config.find_service(host).unwrap().0;
        config.add_route(Route { paths: vec!["/more".into()], ..Route::new("more", service) }).unwrap();
        let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
        revisions.configured((0, Revision(1), &Arc::new(config)), &facts, &mut breaches);
        revisions.picked(&pick(user(7), BLUE, 1), &facts, &mut breaches);
        revisions.picked(&pick(user(8), GREEN, 1), &facts, &mut breaches);
        breaches.0.iter().flat_map(|breach| breach.requests.clone()).collect::<Vec<_>>()
    };
    assert_eq!(breaches("shop-green"), [user(7)]);
    assert_eq!(breaches("example-service"), [user(8)]);
}

/// What is broken when of so many requests so many were copied, one without a body at a time, while `percent` are to be.
fn copied(percent: f64, requests: u64, copies: u64, unsent: u64) -> Vec<Promise> {
    let body = RequestTemplate { body: Pattern::parse("x").unwrap(), ..RequestTemplate::get("/") };
    let facts = facts(1, vec![RequestTemplate::get("/"), body]);
    let (mut revisions, mut breaches) = (Revisions::new(&facts.plan), Breaches::default());
    let mirror = Mirror { percent: Percent::new(percent), ..Mirror::new("green") };
    let mut config = Arc::new(facts.plan.gateway.config.clone());
    for (revision, mirror) in (1..).zip([Some(mirror.clone()), None, Some(mirror)]) {
        config = changed(&config, |service| service.mirror = mirror);
        revisions.configured((0, Revision(revision), &config), &facts, &mut breaches);
        let (mut eligible, mut request) = (0, 0);
        while eligible < requests {
            eligible += u64::from(facts.numbering.kind(request) == 0);
            revisions.picked(&pick(request, BLUE, revision), &facts, &mut breaches);
            request += 1;
        }
        for copy in 0..if revision == 2 { 0 } else { copies } {
            revisions.copied(&Copied::Sent(pick(copy, GREEN, revision)), &facts, &mut breaches);
        }
    }
    for _ in 0..unsent {
        revisions.copied(&Copied::Overflow, &facts, &mut breaches);
    }
    revisions.finish(&facts, &mut breaches);
    let asked = words::percent(percent / 100.0, 2);
    let in_words = format!("{copies} copies to green of {requests} requests, of which {asked} were asked");
    assert!(breaches.0.iter().all(|breach| breach.what.as_ref() == Some(&in_words)), "{breaches:?}");
    breaches.0.iter().map(|breach| breach.promise).collect()
}

#[test]
fn copies_are_their_share_rounded_down_or_up_and_nothing_else() {
    let exact = [];
    assert_eq!(copied(25.0, 10, 2, 0), exact);
    assert_eq!(copied(25.0, 10, 3, 0), exact);
    assert_eq!(copied(25.0, 10, 4, 0), [Promise::CopiesAreExact]);
    assert_eq!(copied(25.0, 10, 1, 0), [Promise::CopiesAreExact]);
    assert_eq!(copied(25.0, 10, 1, 1), exact, "one was due and there was no room for it");
    assert_eq!(copied(100.0, 10, 10, 0), exact);
    assert_eq!(copied(100.0, 10, 9, 0), [Promise::CopiesAreExact]);
    assert_eq!(copied(0.0, 10, 0, 0), exact);
}

proptest! {
    /// Any stretch of a count that is rounded down holds the share of it, rounded down or up: where a period begins does not matter.
    #[test]
    fn any_stretch_of_an_exact_count_is_exact(from in 0_u64..100_000, n in 0_u64..10_000, percent in 0_u16..=10_000) {
        let due = |n: u64| n * u64::from(percent) / 10_000;
        let mirrored = Mirrored {
            percent: Percent::new(f64::from(percent) / 100.0),
            host: "green".into(),
            eligible: n,
            copies: due(from + n) - due(from),
            first: None,
        };
        prop_assert!(mirrored.is_exact(0, 0));
    }
}
