//! Picks and copies that their revision does not allow, put into the ledger by hand: each is named.

use gateway_core::entity::{Mirror, Service};
use gateway_core::id::{Epoch, ServiceId};
use proptest::prelude::*;

use super::*;
use crate::load::{Pattern, RequestMix, RequestTemplate, Users};
use crate::measure::rehearsal::{BLUE, GREEN, how_to};

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
    config.change(gateway_core::config::Change::UpdateService(id, service)).unwrap();
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
            eligible: n,
            copies: due(from + n) - due(from),
            first: None,
        };
        prop_assert!(mirrored.is_exact(0, 0));
    }
}
