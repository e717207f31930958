//! Each strategy unfolded, step by step.

use super::*;
use crate::rollout::{ByKey, Member, TargetWeight};
use gateway_core::entity::SplitKey;
use gateway_core::id::ServiceId;

fn version(name: &str, from: u32, targets: u32, initial: u16) -> Version {
    let member = |n: u32| Member { mock: from + n, target: format!("{name}-{n}:80"), weight: 1, initial };
    Version { name: name.into(), upstream: Some(name.into()), members: (0..targets).map(member).collect() }
}

fn versions(stable: u32, canary: u32) -> Versions {
    Versions {
        service: ServiceId(0),
        service_name: "shop".into(),
        upstream: "v1".into(),
        stable: version("v1", 0, stable, 100),
        canary: version("v2", stable, canary, 0),
        baseline: None,
        by_key: None,
    }
}

fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        steps: vec![(0.05, second), (0.5, second)],
        step: 0.25,
        every: second,
        until: 1.0,
        drain: second,
        scale_down_delay: second,
        preview: second,
        preview_targets: None,
        promote_after: Duration::ZERO,
        pre_analysis: None,
        post_analysis: None,
        progress_deadline: Duration::from_secs(60),
        max_surge: 1,
        max_unavailable: 0,
        min_ready: Duration::ZERO,
        told: Some((Field::Header("x-tester".into()), vec!["yes".into()])),
        iterations: 1,
        rings: ["1", "2"]
            .map(|value| Ring { values: vec![value.into()], services: Vec::new(), soak: second })
            .into(),
        scale: Scaling::Full,
        percent: 0.1,
        fraction: 0.5,
        methods: vec!["GET".into()],
        compare: Vec::new(),
        timeout: None,
        routes: vec![serde_json::Map::new()],
    }
}

fn told(name: &str, versions: &Versions, settings: &Settings) -> Vec<String> {
    let strategy = ALL.iter().find(|strategy| strategy.name == name).unwrap();
    let steps = unfold(strategy, versions, settings, Some(Duration::from_secs(5)), 1);
    assert_eq!(steps[0].at(), Some(Duration::from_secs(5)));
    steps.iter().map(|step| step.action.in_words()).collect()
}

fn of<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

#[test]
fn each_strategy_is_a_list_of_steps() {
    let versions = versions(2, 2);
    let (start, leave) = (["start", "wait_ready, at most 60 s"], ["drain, at most 1 s", "stop"]);
    let pause = "pause 1 s";
    assert_eq!(
        told("recreate", &versions, &settings()),
        of(&[&["stop"], &start, &["set_host shop -> v2", pause, "promote"]])
    );
    let route = "set_header_route shop-v2: x-tester = yes -> v2";
    let unset = "set_header_route shop-v2: gone";
    let preview = [route, pause, "set_host shop -> v2", pause, "promote", unset, pause];
    assert_eq!(told("blue-green", &versions, &settings()), of(&[&start, &preview, &leave]));
    let no_preview = ["set_host shop -> v2", pause, "promote", pause];
    let for_all = Settings { told: None, ..settings() };
    assert_eq!(told("blue-green", &versions, &for_all), of(&[&start, &no_preview, &leave]));
    let share = |percent: &str| format!("set_weight {percent}");
    assert_eq!(
        told("canary", &versions, &settings()),
        of(&[&start, &[&share("5 %"), pause, &share("½"), pause, &share("100 %"), "promote"], &leave])
    );
    let linear = [&share("¼"), pause, &share("½"), pause, &share("¾"), pause, &share("100 %"), pause];
    assert_eq!(told("linear", &versions, &settings()), of(&[&start, &linear, &["promote"], &leave]));
    assert_eq!(
        told("ab", &versions, &settings()),
        of(&[&start, &[route, pause, "promote", "set_host shop -> v2", unset], &leave])
    );
    let mirror = ["set_mirror_route shop: ½ -> v2", pause, "set_mirror_route shop: gone"];
    assert_eq!(told("shadow", &versions, &settings()), of(&[&start, &mirror, &leave]));
    let ring = |values: &str| format!("set_header_route shop-v2: x-tester = {values} -> v2");
    let rings = [&ring("1"), pause, &ring("1 or 2"), pause, "promote", "set_host shop -> v2", unset];
    assert_eq!(told("ring", &versions, &settings()), of(&[&start, &rings, &leave]));
    assert_eq!(told("dark", &versions, &settings()), of(&[&start, &[route, pause, unset], &leave]));
}

#[test]
fn rings_of_services_are_pointed_at_the_new_version_one_after_the_other_and_all_come_back() {
    // Aim: users and Services may be in rings of the same rollout. Method: first a user, then two Services, then the rollout's own
    // with another user.
    let second = Duration::from_secs(1);
    let to = |number: u32, name: &str| Pointed {
        service: ServiceId(number),
        name: name.into(),
        host: "v1".into(),
    };
    let ring = |values: &[&str], services: &[Pointed]| Ring {
        values: values.iter().map(|value| (*value).into()).collect(),
        services: services.to_vec(),
        soak: second,
    };
    let rings =
        vec![ring(&["1"], &[]), ring(&[], &[to(1, "eu"), to(2, "us")]), ring(&["2"], &[to(0, "shop")])];
    let of_both = Settings { rings: rings.clone(), ..settings() };
    let of_services = Settings { rings: rings[1..2].to_vec(), told: None, ..settings() };
    let versions = versions(1, 1);
    let (start, leave) = (["start", "wait_ready, at most 60 s"], ["drain, at most 1 s", "stop"]);
    let [one, both] = ["1", "1 or 2"].map(|who| format!("set_header_route shop-v2: x-tester = {who} -> v2"));
    let (pause, unset) = ("pause 1 s", "set_header_route shop-v2: gone");
    let services = ["set_host eu -> v2", "set_host us -> v2"];
    let own = "set_host shop -> v2";
    let all = of(&[&start, &[&one, pause], &services, &[pause, &both, own, pause, "promote", unset], &leave]);
    assert_eq!(told("ring", &versions, &of_both), all);
    let alone = of(&[&start, &services, &[pause, "promote", own], &leave]);
    assert_eq!(told("ring", &versions, &of_services), alone, "whoever is in no ring comes last");
    let back = |settings: &Settings| {
        let back = (ring::STRATEGY.way_back)(&versions, settings);
        back.iter().map(Action::in_words).collect::<Vec<_>>()
    };
    let as_before = of(&[&start, &["set_host eu -> v1", "set_host us -> v1", "set_host shop -> v1"]]);
    assert_eq!(back(&of_services), as_before);
    assert_eq!(back(&of_both), of(&[&[unset], &as_before]));
}

#[test]
fn before_a_blue_green_switch_few_targets_are_enough_and_whoever_promotes_takes_time() {
    // Aim: what runs when, and that all of it is there before the switch. Method: one of three targets shows the new version to
    // who has a cookie; a judge is asked on each side of the switch.
    let question = |analysis| Some(Question { analysis, at_most: Duration::from_secs(4) });
    let settings = Settings {
        told: Some((Field::Cookie("group".into()), vec!["b".into()])),
        preview_targets: Some(1),
        promote_after: Duration::from_secs(3),
        pre_analysis: question(0),
        post_analysis: question(1),
        ..settings()
    };
    let versions = Versions { canary: version("v2", 3, 3, 100), ..versions(3, 3) };
    let out = ["set_target v2-1:80 = 0", "set_target v2-2:80 = 0"];
    let start = ["start", "wait_ready, at most 60 s"];
    let preview = [
        "set_header_route shop-v2: cookie group = b -> v2",
        "pause 1 s",
        "analysis, at most 4 s",
        "pause 3 s",
    ];
    let full = ["set_target v2-1:80 = 100", "set_target v2-2:80 = 100"];
    let switch = [
        "set_host shop -> v2",
        "analysis, at most 4 s",
        "promote",
        "set_header_route shop-v2: gone",
        "pause 1 s",
    ];
    let leave = ["drain, at most 1 s", "stop"];
    let expected = of(&[&out, &start, &preview, &start, &full, &switch, &leave]);
    assert_eq!(told("blue-green", &versions, &settings), expected);
    let started =
        |action: &Action| if let Action::Start(mocks) = action { Some(mocks.clone()) } else { None };
    let steps = (blue_green::STRATEGY.steps)(&versions, &settings);
    assert_eq!(steps.iter().filter_map(started).collect::<Vec<_>>(), [vec![3], vec![4, 5]]);
    let back = (blue_green::STRATEGY.way_back)(&versions, &settings);
    let back: Vec<_> = back.iter().map(Action::in_words).collect();
    let gone = "set_header_route shop-v2: gone";
    assert_eq!(back, of(&[&[gone], &start, &["set_host shop -> v1"], &full]));
    let all = Settings { preview_targets: Some(3), ..settings };
    assert!(told("blue-green", &versions, &all).iter().all(|step| !step.starts_with("set_target")));
}

#[test]
fn an_ab_test_is_watched_as_often_as_it_says() {
    let settings = Settings { iterations: 3, ..settings() };
    let steps = told("ab", &versions(1, 1), &settings);
    assert_eq!(steps[3..7], ["pause 1 s", "pause 1 s", "pause 1 s", "promote"]);
}

#[test]
fn users_are_divided_by_their_keys_where_a_canary_is_sticky() {
    let by_key = Some(ByKey { key: SplitKey::Header("x-user".into()), salt: "a".into() });
    let versions = Versions { by_key, ..versions(2, 2) };
    let (start, leave) = (["start", "wait_ready, at most 60 s"], ["drain, at most 1 s", "stop"]);
    let pause = "pause 1 s";
    let share = |percent: &str| format!("set_weight {percent} by x-user");
    let shares = [&share("5 %"), pause, &share("½"), pause, &share("100 %"), "promote"];
    let settle = ["set_host shop -> v2", "set_split shop: gone"];
    assert_eq!(told("canary", &versions, &settings()), of(&[&start, &shares, &settle, &leave]));
    let flag = [share("10 %"), pause.into(), "promote".into(), share("100 %")];
    assert_eq!(told("feature-flag", &versions, &settings()), flag);
    let back = (canary::STRATEGY.way_back)(&versions, &settings());
    assert_eq!(back[0].in_words(), "set_split shop: gone");
}

#[test]
fn a_canary_by_replicas_starts_and_stops_whole_targets_and_says_what_it_reaches() {
    let settings = Settings { scale: Scaling::Replicas, ..settings() };
    let ready = "wait_ready, at most 60 s";
    let (new, out) = (|n| format!("set_target v2-{n}:80 = 100"), ["drain, at most 1 s", "stop"]);
    let (first, second) = (new(0), new(1));
    let expected = [
        &["start", ready, &first, "set_canary_scale 1 of 3 targets, 33.33 % for 5 % asked", "pause 1 s"][..],
        &out,
        &["set_canary_scale 1 of 2 targets, 50.00 % for ½ asked", "pause 1 s"],
        &["start", ready, &second],
        &out,
        &["set_canary_scale 2 of 2 targets, 100.00 % for 100 % asked", "promote"],
    ];
    assert_eq!(told("canary", &versions(2, 2), &settings), of(&expected));
}

#[test]
fn a_canary_grows_with_its_share_or_has_so_many_targets_until_it_has_everything() {
    let scaled = |scale| {
        let steps = told("canary", &versions(4, 4), &Settings { scale, ..settings() });
        steps.into_iter().filter(|step| step.contains("scale") || step.contains("weight")).collect::<Vec<_>>()
    };
    // Before a share is set its targets are there; those that are new share what the others had.
    let expected = [
        "set_canary_scale 1 of 5 targets",
        "set_weight 5 %",
        "set_weight 5 %",
        "set_canary_scale 2 of 6 targets",
        "set_weight ½",
        "set_weight ½",
        "set_canary_scale 4 of 8 targets",
        "set_weight 100 %",
    ];
    assert_eq!(scaled(Scaling::Match), expected);
    let fixed = scaled(Scaling::Fixed(3));
    assert_eq!(fixed[0], "set_canary_scale 3 of 7 targets");
    assert_eq!(fixed[fixed.len() - 2..], ["set_canary_scale 4 of 8 targets", "set_weight 100 %"]);
}

#[test]
fn rolling_keeps_within_its_limits() {
    // Aim: never more than n + surge running, never fewer than n - unavailable serving. Method: all small sizes and limits,
    // counting along the steps.
    for (n, surge, unavailable) in [(1, 1, 0), (3, 1, 0), (3, 0, 1), (4, 2, 1), (10, 3, 2), (5, 5, 5)] {
        let versions = versions(n, n);
        let limits = Settings { max_surge: surge, max_unavailable: unavailable, ..settings() };
        let (mut running, mut serving) = (n as usize, n as usize);
        let strategy = ALL.iter().find(|strategy| strategy.name == "rolling").unwrap();
        for action in (strategy.steps)(&versions, &limits) {
            match action {
                Action::Start(mocks) => running += mocks.len(),
                Action::SetTarget(TargetWeight { weight, .. }) => serving += usize::from(weight > 0),
                Action::Drain { mocks, .. } => serving -= mocks.len(),
                Action::Stop(mocks) => running -= mocks.len(),
                _ => {}
            }
            assert!(
                running <= n as usize + surge && serving + unavailable >= n as usize,
                "{n} {surge} {unavailable}"
            );
        }
        assert_eq!((running, serving), (n as usize, n as usize), "everything was replaced");
    }
}

#[test]
fn without_a_drain_a_target_just_ends() {
    let abrupt = Settings { drain: Duration::ZERO, ..settings() };
    let steps = told("rolling", &versions(1, 1), &abrupt);
    assert_eq!(steps[3..5], ["stop", "drain, at most 0 s"]);
}
