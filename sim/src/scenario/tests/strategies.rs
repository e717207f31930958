//! Strategies and all their keys: the same steps written by hand, and what each misuse is told.

use super::rollout::{told, words_of};
use super::*;
use gateway_core::entity::{SplitCookie, SplitKey};

use crate::rollout::{Action, Field, HeaderRoute, MirrorRoute, SplitRoute};

/// Two versions with an Upstream each, and this rollout between them.
fn between(rollout: &str) -> String {
    let file = include_str!("../../../../scenarios/sticky_canary.toml");
    let head = &file[..file.find("[rollout]").unwrap()];
    let common = "service = \"shop\"\nstable = \"v1\"\ncanary = \"v2\"\nat = \"1s\"";
    let head = head.replace("users  = 2000", "users = 2000\ncookies = true");
    format!("{head}[rollout]\n{common}\n{rollout}\n[[analysis]]\nname = \"errors\"\n")
}

/// The same with two Services more.
fn of_three(rollout: &str) -> String {
    let more = ["eu", "us"].map(|name| {
        format!(
            "[[services]]\nname = \"{name}\"\nhost = \"v1\"\n[[routes]]\npaths = [\"/{name}\"]\nservice = {{ name = \"{name}\" }}\n"
        )
    });
    between(rollout).replace("[rollout]", &format!("{}[rollout]", more.concat()))
}

/// A step as a file says it.
fn written(action: &Action, plan: &Plan) -> String {
    let among = |mocks: &[u32]| {
        let names: Vec<_> = mocks.iter().map(|&mock| plan.mocks[mock as usize].name.as_str()).collect();
        format!("match = \"{{{}}}\"", names.join(","))
    };
    let at_most = |time: &Duration| format!("at_most = \"{}s\"", time.as_secs_f64());
    match action {
        Action::SetHost { service_name, host, .. } => {
            format!("set_host = {{ service = \"{service_name}\", host = \"{host}\" }}")
        }
        Action::SetWeight { share, .. } => format!("set_weight = {}", share * 100.0),
        Action::SetSplit(SplitRoute { to: Some(to), .. }) => format!("set_weight = {}", to.percent),
        Action::SetSplit(SplitRoute { service_name, to: None }) => {
            format!("set_split = {{ service = \"{service_name}\" }}")
        }
        Action::SetTarget(to) => {
            format!(
                "set_target = {{ upstream = \"{}\", target = \"{}\", weight = {} }}",
                to.upstream, to.target, to.weight
            )
        }
        Action::SetHeaderRoute(HeaderRoute { name, to: None, .. }) => {
            format!("set_header_route = {{ name = \"{name}\" }}")
        }
        Action::SetHeaderRoute(HeaderRoute { name, to: Some(to), .. }) => {
            let field = match &to.field {
                Field::Header(name) => format!("header = \"{name}\""),
                Field::Cookie(name) => format!("cookie = \"{name}\""),
            };
            format!(
                "set_header_route = {{ name = \"{name}\", service = \"shop\", upstream = \"{}\", {field}, values = {:?} }}",
                to.host, to.values
            )
        }
        Action::SetMirrorRoute(MirrorRoute { service_name, to: None }) => {
            format!("set_mirror_route = {{ service = \"{service_name}\" }}")
        }
        Action::SetMirrorRoute(MirrorRoute { service_name, to: Some(to) }) => format!(
            "set_mirror_route = {{ service = \"{service_name}\", upstream = \"{}\", fraction = {}, methods = {:?}, compare = {:?}, timeout = \"{}ms\" }}",
            to.host,
            to.percent / 100.0,
            to.methods,
            to.compare,
            to.timeout.unwrap_or_default().as_millis()
        ),
        Action::Start(mocks) => format!("start = {{ {} }}", among(mocks)),
        Action::Stop(mocks) => format!("stop = {{ {} }}", among(mocks)),
        Action::WaitReady { mocks, at_most: time } => {
            format!("wait_ready = {{ {}, {} }}", among(mocks), at_most(time))
        }
        Action::Drain { mocks, at_most: time, .. } => {
            format!("drain = {{ {}, {} }}", among(mocks), at_most(time))
        }
        Action::Pause(time) => format!("pause = \"{}s\"", time.as_secs_f64()),
        Action::Analysis { analysis, at_most } => {
            let name = &plan.rollout.analyses[*analysis].name;
            format!("analysis = {{ name = \"{name}\", for = \"{}s\" }}", at_most.as_secs_f64())
        }
        Action::Promote => "promote = true".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_strategy_can_be_written_by_hand_step_by_step() {
    // Aim: the short form hides nothing. Method: each strategy with all its keys, unfolded, written out as a person would and
    // read again: the same steps and, but for drains, the same calls.
    for strategy in [
        "strategy = \"recreate\"\nevery = \"2s\"\nprogress_deadline = \"9s\"",
        "strategy = \"blue-green\"\ncookie = \"group\"\nvalues = [\"b\", \"c\"]\npreview = \"2s\"\npreview_replicas = 1\n\
         auto_promote = false\npromote_after = \"3s\"\npre_analysis = { name = \"errors\", for = \"1s\" }\n\
         post_analysis = { name = \"errors\", for = \"4s\" }\nscale_down_delay = \"1s\"\ndrain = \"1500ms\"",
        "strategy = \"canary\"\nsteps = [{ weight = 5, pause = \"1s\" }, { weight = 12.5, pause = \"2s\" }]",
        "strategy = \"canary\"\nsticky_cookie = \"group\"\nmax_age = \"9s\"\nsteps = [{ weight = 5, pause = \"1s\" }]",
        "strategy = \"linear\"\nstep = 25\nevery = \"1s\"\nuntil = 75",
        "strategy = \"rolling\"\nmax_surge = \"50%\"\nmax_unavailable = 1\nmin_ready = \"1s\"",
        "strategy = \"ab\"\nheader = \"x-user\"\nvalues = [\"0001\"]\nevery = \"1s\"\niterations = 3",
        "strategy = \"dark\"\ncookie = \"uid\"\nevery = \"1s\"",
        "strategy = \"shadow\"\nfraction = 0.25\nmethods = [\"GET\"]\ncompare = [\"status\", \"content-type\"]\ntimeout = \"250ms\"\nevery = \"1s\"",
        "strategy = \"ring\"\ncookie = \"uid\"\nrings = [{ values = [\"1\"], soak = \"1s\" }, { values = [\"2\"], soak = \"2s\" }]",
        "strategy = \"ring\"\nrings = [{ services = [\"eu\"], soak = \"1s\" }, { services = [\"us\", \"shop\"], soak = \"2s\" }]",
        "strategy = \"ring\"\nheader = \"x-user\"\nrings = [{ values = [\"1\"], services = [\"eu\", \"us\"], soak = \"1s\" }]",
        "strategy = \"feature-flag\"\nsticky = \"x-user\"\npercent = 5\nevery = \"1s\"",
    ] {
        let text = if strategy.contains("services") { of_three(strategy) } else { between(strategy) };
        let plan = read(&input(&text, &[])).unwrap_or_else(|mistakes| panic!("{strategy}: {mistakes:?}"));
        let steps: Vec<_> = plan.steps.iter().map(|step| written(&step.action, &plan)).collect();
        let by_hand = format!("{text}[[steps]]\nat = \"1s\"\n{}\n", steps.join("\n[[steps]]\n"));
        let again = read(&input(&by_hand, &[])).unwrap_or_else(|mistakes| panic!("{by_hand}: {mistakes:?}"));
        assert_eq!(words_of(&again), words_of(&plan), "{strategy}");
        for (again, step) in again.steps.iter().zip(&plan.steps) {
            // By hand a header route leads through a Service that is called otherwise.
            if !matches!(step.action, Action::Drain { .. } | Action::SetHeaderRoute(_)) {
                assert_eq!(again.action, step.action, "{strategy}");
            }
        }
        assert_eq!(again.there_at_start(), plan.there_at_start(), "{strategy}");
    }
}

#[test]
fn what_a_strategy_cannot_do_is_told_once_and_with_what_to_do() {
    let blue_green = |more: &str| between(&format!("strategy = \"blue-green\"\n{more}"));
    let shadow = |more: &str| between(&format!("strategy = \"shadow\"\n{more}"));
    let ab = |more: &str| between(&format!("strategy = \"ab\"\n{more}"));
    for (text, said) in [
        (between("strategy = \"canary\""), "canary needs `steps`"),
        (blue_green("auto_promote = false"), "nobody promotes the new version"),
        (blue_green("preview_replicas = 4"), "the new version has fewer targets"),
        (blue_green("preview_replicas = \"some\""), "`some` is not a value of `preview_replicas`"),
        (blue_green("preview_replicas = 0"), "`preview_replicas` is out of range"),
        (
            blue_green("pre_analysis = { name = \"errors\", for = \"1s\" }"),
            "nobody meets the new version before the switch",
        ),
        (
            blue_green("post_analysis = { name = \"latency\", for = \"1s\" }"),
            "`post_analysis` asks a judge that does not exist",
        ),
        (blue_green("start_time = \"60s\""), "targets take longer to start than they may"),
        (blue_green("progress_deadline = \"0s\""), "`progress_deadline` is zero"),
        (shadow("compare = []"), "nothing of the answers is compared"),
        (shadow("compare = [\"etag\"]"), "no mock answers with the header field `etag`"),
        (shadow("timeout = \"61s\""), "a copy is waited for longer than its request"),
        (shadow("timeout = \"1500us\""), "`timeout` is no whole number of milliseconds"),
        (blue_green("timeout = \"1s\""), "`timeout` means nothing to blue-green"),
        (blue_green("iterations = 2"), "`iterations` means nothing to blue-green"),
        (ab("every = \"1s\""), "ab needs `header`"),
        (
            ab("header = \"x-user\"\ncookie = \"uid\""),
            "requests are told apart by a header field or by a cookie",
        ),
        (ab("cookie = \"u id\""), "`u id` is not the name of a header field"),
        (ab("cookie = \"uid\"\nvalues = [\"a b\"]"), "`a b` is not the value of a cookie"),
        (ab("cookie = \"uid\"\niterations = 0"), "`iterations` is out of range"),
        (ab("cookie = \"uid\"\npromote_after = \"1s\""), "`promote_after` means nothing to ab"),
    ] {
        assert_eq!(told(&text), [said], "{text}");
    }
}

#[test]
fn users_are_divided_by_a_cookie_that_somebody_keeps() {
    let canary = |more: &str| {
        between(&format!("strategy = \"canary\"\nsteps = [{{ weight = 5, pause = \"5s\" }}]\n{more}"))
    };
    let plan = read(&input(&canary("sticky_cookie = \"group\"\nmax_age = \"90s\""), &[])).unwrap();
    let cookie = |max_age, primary_sticky| {
        Some(SplitKey::Cookie(SplitCookie { name: "group".into(), max_age, primary_sticky }))
    };
    assert_eq!(plan.rollout.key, cookie(Duration::from_secs(90), true));
    let calls = crate::rollout::calls(&plan.steps[2].action);
    let expected = "PATCH /services/shop  {\"split\":{\"cookie\":\"group\",\"host\":\"v2\",\"max_age\":90,\"percent\":5.0,\
                    \"primary_sticky\":true,\"salt\":\"shop\"}}";
    assert_eq!(calls.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    assert_eq!(words_of(&plan)[2], "set_weight 5 % by cookie group");
    let absorbing = canary("sticky_cookie = \"group\"\nprimary_sticky = false");
    let before = absorbing.replace("name = \"errors\"", "name = \"errors\"\nreference = \"before\"");
    assert_eq!(read(&input(&before, &[])).unwrap().rollout.key, cookie(SplitCookie::MAX_AGE, false));
    for (text, said) in [
        (absorbing, "without primary_sticky nobody knows the new version's share"),
        (
            canary("sticky_cookie = \"group\"").replace("cookies = true", ""),
            "no user keeps the cookie `group`",
        ),
        (
            canary("sticky = \"x-user\"\nsticky_cookie = \"group\""),
            "users are divided by a header field or by a cookie",
        ),
        (canary("sticky = \"x-user\"\nmax_age = \"9s\""), "`max_age` is of a cookie that the gateway gives"),
        (
            canary("sticky_cookie = \"group\"\nmax_age = \"1500ms\""),
            "`max_age` is no whole number of seconds",
        ),
        (
            canary("sticky_cookie = \"group\"\nscale = 1"),
            "who is divided by keys may go to any target of the new version",
        ),
        (
            between("strategy = \"rolling\"\nsticky_cookie = \"group\""),
            "`sticky_cookie` means nothing to rolling",
        ),
        (between("strategy = \"feature-flag\""), "feature-flag needs `sticky`"),
    ] {
        assert_eq!(told(&text), [said], "{text}");
    }
}

#[test]
fn a_split_is_a_step_and_needs_no_rollout() {
    let step =
        |split: &str| with("[thresholds]", &format!("[[steps]]\nset_split = {{ {split} }}\n[thresholds]"));
    let service = "service = \"example-service\", upstream = \"green\", percent = 12.5";
    let plan = read(&input(&step(&format!("{service}, cookie = \"group\", max_age = \"9s\"")), &[])).unwrap();
    let split = plan.steps.iter().find(|step| step.action.verb() == "set_weight").unwrap();
    assert_eq!(split.action.in_words(), "set_weight 12.5 % by cookie group");
    for (split, said) in [
        (service, "a split needs `header`"),
        (
            "service = \"example-service\", upstream = \"v9\", percent = 1, header = \"x\"",
            "a split leads to an upstream that does not exist",
        ),
        (
            "service = \"example-service\", upstream = \"green\", percent = 101, header = \"x\"",
            "`percent` is out of range",
        ),
    ] {
        assert_eq!(told(&step(split)), [said]);
    }
}

#[test]
fn a_ring_that_nobody_could_be_in_is_told_and_so_is_who_is_left_behind() {
    let ring = |rings: &str| of_three(&format!("strategy = \"ring\"\nrings = [{rings}]"));
    let all = "{ services = [\"eu\", \"us\"], soak = \"1s\" }";
    assert!(read(&input(&ring(all), &[])).is_ok());
    for (text, said) in [
        (ring(&format!("{all}, {{ soak = \"1s\" }}")), "a ring needs `values`"),
        (ring(&all.replace("\"us\"", "\"us\", \"uk\"")), "a ring names a Service that does not exist"),
        (ring(&format!("{all}, {{ services = [\"eu\"], soak = \"1s\" }}")), "`eu` is in two rings"),
        (ring(&all.replace(", \"us\"", "")), "`us` is in no ring"),
        (ring(&format!("{all}, {{ values = [\"1\"], soak = \"1s\" }}")), "ring needs `header`"),
        (
            ring(all).replace("name = \"eu\"\nhost = \"v1\"", "name = \"eu\"\nhost = \"v2\""),
            "`eu` does not have the old version",
        ),
    ] {
        assert_eq!(told(&text), [said]);
    }
}

#[test]
fn a_rollout_may_say_how_long_starts_take_for_both_versions() {
    let ready = |more: &str| {
        let plan = read(&input(&between(&format!("strategy = \"recreate\"\n{more}")), &[])).unwrap();
        plan.mocks.iter().map(|mock| mock.behaviour.ready_after.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(ready(""), [0; 6]);
    assert_eq!(ready("start_time = \"10s\""), [10; 6]);
}

#[test]
fn a_preview_is_for_those_who_are_told_apart_unless_it_is_switched_off() {
    let steps = |preview: &str| {
        let rollout = format!("strategy = \"blue-green\"\nheader = \"x-user\"\n{preview}");
        words_of(&read(&input(&between(&rollout), &[])).unwrap())[2..4].to_vec()
    };
    let route = "set_header_route shop-v2: x-user = yes -> v2";
    assert_eq!(steps(""), [route, "pause 30 s"]);
    assert_eq!(steps("preview = true"), [route, "pause 30 s"]);
    assert_eq!(steps("preview = \"2s\""), [route, "pause 2 s"]);
    assert_eq!(steps("preview = false"), ["set_host shop -> v2", "pause 60 s"]);
}
