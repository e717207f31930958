//! Rollouts as people write them: the steps they stand for, and what each mistake is told.

use super::*;
use crate::rollout::judge::{Kind, MannWhitneyRule, Reference, Side, Unit};
use crate::rollout::{Action, When};

const CANARY: &str = include_str!("../../../../scenarios/canary_bad.toml");

pub(super) fn told(text: &str) -> Vec<String> {
    let mistakes = read(&input(text, &[])).unwrap_err();
    mistakes.into_iter().map(|mistake| mistake.message).collect()
}

pub(super) fn words_of(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.in_words()).collect()
}

#[test]
fn a_strategy_unfolds_into_steps_that_can_be_written_by_hand() {
    let plan = read(&input(CANARY, &[])).unwrap();
    let unfolded = words_of(&plan);
    assert_eq!(unfolded[..4], ["start", "wait_ready, at most 60 s", "set_weight 5 %", "pause 10 s"]);
    assert_eq!(plan.rollout.sides, [Some(Side::Stable), Some(Side::Stable), Some(Side::Canary)]);
    assert_eq!(plan.there_at_start(), [true, true, false]);
    let by_hand = r#"
        [[steps]]
        at    = "4s"
        start = "v2-*"
        [[steps]]
        wait_ready = "v2-*"
        [[steps]]
        set_weight = 5
        [[steps]]
        pause = "10s"
        [[steps]]
        set_weight = 20
        [[steps]]
        pause = "3s"
        [[steps]]
        set_weight = 50
        [[steps]]
        pause = "2s"
        [[steps]]
        set_weight = 100
        [[steps]]
        promote = true
    "#;
    let written = read(&input(&format!("{CANARY}\n{by_hand}"), &[])).unwrap();
    assert_eq!(words_of(&written), unfolded[..unfolded.len() - 2]);
    assert_eq!(written.steps[0].when, When::At(Duration::from_secs(4)));
    assert_eq!(written.rollout.way_back, plan.rollout.way_back);
}

#[test]
fn two_upstreams_share_one_where_weights_divide_requests() {
    // Aim: Kong has no weights between Upstreams. Method: a canary whose versions have one each; the new one's targets are
    // listed in the old one's at weight 0.
    let apart = CANARY
        .replace("name    = \"shop\"\ntargets", "name    = \"v1\"\ntargets")
        .replace("    { target = \"v2-1:80\", weight = 0 },\n", "")
        .replace("host = \"shop\"", "host = \"v1\"")
        .replace("weights{upstream:shop}", "weights{upstream:v1}")
        .replace("[[mocks]]\nmatch   = \"v1-*\"", "[[upstreams]]\nname = \"v2\"\ntargets = [{ target = \"v2-1:80\", weight = 100, tags = [\"team:web\"] }]\n\n[[mocks]]\nmatch   = \"v1-*\"");
    let plan = read(&input(&apart, &[])).unwrap();
    let (v1, _) = plan.gateway.config.upstream_named("v1").unwrap();
    let listed: Vec<_> =
        plan.gateway.config.targets_of(v1).map(|(_, t)| (t.target.to_string(), t.weight.get())).collect();
    let expected = [("v1-1:80", 100), ("v1-2:80", 100), ("v2-1:80", 0)];
    assert_eq!(listed, expected.map(|(name, weight)| (name.to_owned(), weight)));
    let (_, new) = plan.gateway.config.targets_of(v1).last().unwrap();
    assert_eq!(new.tags, ["team:web", "version:canary"], "what a target says of itself it says there too");
    let Action::SetWeight { weights, .. } = &plan.steps[2].action else { panic!() };
    assert!(weights.iter().all(|weight| weight.upstream == "v1"), "{weights:?}");
}

#[test]
fn targets_that_versions_share_say_of_which_they_are() {
    // Aim: the gateway is told of the versions, so that it keeps their shares; whoever says something keeps it, and nobody else is told.
    let plan = read(&input(
        &CANARY.replace("v1-2:80\", weight = 100", "v1-2:80\", weight = 100, tags = [\"version:old\"]"),
        &[],
    ));
    let plan = plan.unwrap();
    let versions: Vec<_> = plan.gateway.config.targets().map(|(_, target)| target.version()).collect();
    assert_eq!(versions, [Some("stable"), Some("old"), Some("canary")]);
    let blue_green =
        read(&input(include_str!("../../../../scenarios/blue_green_rollback.toml"), &[])).unwrap();
    assert!(blue_green.gateway.config.targets().all(|(_, target)| target.version().is_none()));
}

#[test]
fn a_baseline_starts_with_the_canary_and_is_refused_where_it_makes_no_sense() {
    let base = "{ target = \"v2-1:80\", weight = 0 },\n    { target = \"base-1:80\", weight = 0 },";
    let mock = "[[mocks]]\nmatch = \"base-*\"\nversion = \"base\"\n\n[rollout]";
    let with = CANARY
        .replace("{ target = \"v2-1:80\", weight = 0 },", base)
        .replace("[rollout]", mock)
        .replace("drain    = \"2s\"", "drain = \"2s\"\nbaseline = \"base\"")
        .replace("name    = \"errors\"", "name = \"errors\"\nreference = \"baseline\"");
    let plan = read(&input(&with, &[])).unwrap();
    let (stable, canary, baseline) = (Some(Side::Stable), Some(Side::Canary), Some(Side::Baseline));
    assert_eq!(plan.rollout.sides, [stable, stable, canary, baseline]);
    assert_eq!(plan.there_at_start(), [true, true, false, false]);
    let Action::SetWeight { weights, .. } = &plan.steps[2].action else { panic!() };
    let weights: Vec<_> = weights.iter().map(|w| (w.target.as_str(), w.weight)).collect();
    assert_eq!(weights, [("base-1:80", 10), ("v2-1:80", 10), ("v1-2:80", 90), ("v1-1:80", 90)]);
    let no_baseline = "there is no baseline to hold the new version against";
    let blue_green = include_str!("../../../../scenarios/blue_green_rollback.toml");
    assert_eq!(told(&blue_green.replace("\"before\"", "\"baseline\"")), [no_baseline]);
    for (text, said) in [
        (with.replace("baseline = \"base\"", ""), no_baseline),
        (with.replace("baseline = \"base\"", "baseline = \"v2\""), "the baseline is the new version"),
        (
            with.replace("baseline = \"base\"", "baseline = \"base\"\nscale = \"replicas\""),
            "whole targets divide requests in two, not in three",
        ),
        (with.replace("baseline = \"base\"", "baseline = \"v1\""), "the baseline is the old version"),
    ] {
        assert!(told(&text).contains(&said.to_owned()), "{said}: {:?}", told(&text));
    }
}

#[test]
fn limits_are_numbers_or_parts_of_the_old_targets_rounded_as_kubernetes_does() {
    let rolling = include_str!("../../../../scenarios/rolling.toml");
    let limits = |surge: &str, unavailable: &str| {
        let surge = rolling.replace("max_surge       = 1", surge);
        let text = surge.replace("max_unavailable = 0", unavailable);
        let limits = read(&input(&text, &[])).map(|plan| plan.rollout.limits.unwrap());
        limits
            .map(|limits| (limits.surge, limits.unavailable))
            .map_err(|mistakes| mistakes[0].message.clone())
    };
    let old = read(&input(rolling, &[])).unwrap().targets_of(Side::Stable).len();
    assert_eq!(limits("", ""), Ok((old.div_ceil(4), old / 4)));
    assert_eq!(limits("max_surge = \"100%\"", "max_unavailable = \"50%\""), Ok((old, old / 2)));
    assert_eq!(limits("max_surge = 0", "max_unavailable = \"1%\""), Ok((0, 1)), "something must move");
    assert_eq!(limits("max_surge = \"a quarter\"", ""), Err("`max_surge` cannot be read".to_owned()));
    assert_eq!(
        limits("max_surge = 0", "max_unavailable = 0"),
        Err("a rolling update cannot move".to_owned())
    );
}

#[test]
fn a_weight_for_targets_that_do_not_run_yet_is_warned_of() {
    let steps = |order: &[&str]| {
        let steps = order.join("\n[[steps]]\n");
        let (_, warnings) = check(&input(&format!("{CANARY}\n[[steps]]\n{steps}\n"), &[])).unwrap();
        warnings.into_iter().map(|warning| (warning.message, warning.label)).collect::<Vec<_>>()
    };
    let (start, ready, weight) = ("start = \"v2-*\"", "wait_ready = \"v2-*\"", "set_weight = 50");
    assert_eq!(steps(&[start, ready, weight]), []);
    let [(message, label)] = &steps(&[weight, start, ready])[..] else { panic!() };
    assert_eq!(message, "`set_weight` is for targets that do not run yet");
    assert!(label.ends_with("`v2-1:80` start later"), "{label}");
}

#[test]
fn what_counts_is_a_request_or_a_user() {
    let unit = |text: &str| read(&input(text, &[])).unwrap().rollout.analyses[0].unit;
    assert_eq!(unit(CANARY), Unit::Requests);
    let keys = CANARY.replace("name    = \"errors\"", "name = \"errors\"\nunit = \"keys\"");
    assert_eq!(unit(&keys), Unit::Keys);
    let one_user = keys.replace("users  = 1000", "users = 1");
    assert_eq!(told(&one_user), ["users cannot count one by one"]);
    let before = keys.replace("unit =", "reference = \"before\"\nunit =");
    assert_eq!(told(&before), ["users count against the old version at the same time"]);
    assert_eq!(
        unit(include_str!("../../../../scenarios/sticky_canary.toml")),
        Unit::Keys,
        "users are divided"
    );
}

#[test]
fn a_pause_in_which_nobody_could_be_sure_is_warned_of_with_the_arithmetic() {
    assert!(check(&input(CANARY, &[])).unwrap().1.is_empty());
    let short = CANARY.replace("pause = \"10s\"", "pause = \"5s\"");
    let (_, warnings) = check(&input(&short, &[])).unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(warning.message, "a pause of 5 s at 5 % is too short for the judge `errors`");
    assert_eq!(warning.label, "5 bad answers are needed, and 600 /s x 5 % x 3.00 % are 0.9 /s: 5.6 s");
}

#[test]
fn whoever_is_watched_by_keys_after_a_switch_or_by_a_question_is_warned_of_as_well() {
    // Aim: not only pauses after weights are too short. Method: a canary by users; a switch that is watched; a judge that is asked.
    let told = |text: &str| {
        let (_, warnings) = check(&input(text, &[])).unwrap();
        warnings.into_iter().map(|warning| warning.label).collect::<Vec<_>>()
    };
    let sticky = include_str!("../../../../scenarios/sticky_canary.toml");
    assert_eq!(told(sticky), [""; 0]);
    let of_users = told(&sticky.replace("min_effect = 0.04", "min_effect = 0.02"));
    assert_eq!(of_users, ["5 bad answers are needed, and 500 /s x 5 % x 2.00 % are 0.5 /s: 10 s"]);
    let switched = include_str!("../../../../scenarios/blue_green_rollback.toml");
    assert_eq!(told(switched), [""; 0]);
    let of_switch = told(&switched.replace("min_effect = 0.01", "min_effect = 0.001"));
    assert_eq!(of_switch, ["5 bad answers are needed, and 400 /s x 100 % x 0.10 % are 0.4 /s: 12.5 s"]);
    let asked = "[[steps]]\nat = \"4s\"\nset_weight = 20\n[[steps]]\nanalysis = { name = \"errors\", for = \"1s\" }\n";
    assert_eq!(
        told(&format!("{CANARY}\n{asked}")),
        ["5 bad answers are needed, and 600 /s x ⅕ x 3.00 % are 3.6 /s: 1.4 s"]
    );
}

#[test]
fn a_share_that_is_more_than_its_targets_can_serve_is_warned_of() {
    let told = |capacity: &str| {
        let mock = format!(
            "[[mocks]]\nmatch = \"v2-*\"\nversion = \"v2\"\nlatency = \"5ms\"\n{capacity}\n[rollout]"
        );
        let (_, warnings) = check(&input(&CANARY.replace("[rollout]", &mock), &[])).unwrap();
        warnings.into_iter().map(|warning| (warning.message, warning.label)).collect::<Vec<_>>()
    };
    assert_eq!(told(""), []);
    assert_eq!(told("capacity = 3"), []);
    let expected = (
        "set_weight 100 % gives `v2-1:80` more than it can serve",
        "it gets 600 /s of at most 400 /s: 150 %",
    );
    assert_eq!(told("capacity = 2"), [(expected.0.to_owned(), expected.1.to_owned())]);
}

#[test]
fn a_judge_that_looks_once_is_read_and_must_be_there_when_it_looks() {
    let judge = "judge = \"mann-whitney\"\ninterval = \"200ms\"";
    let canary = CANARY.replace("fail_if = \"risk_ratio > 1.5\"", judge);
    let (plan, warnings) = check(&input(&canary, &[])).unwrap();
    let interval = Duration::from_millis(200);
    let rule = MannWhitneyRule { interval, count: 50, confidence: 0.98, effect_min: 0.03 };
    assert_eq!((&plan.rollout.analyses[0].kind, warnings.len()), (&Kind::MannWhitney(rule), 0));
    let (_, warnings) = check(&input(&canary.replace("200ms", "30s"), &[])).unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(warning.message, "the steps are over before the judge `errors` has looked");
    assert_eq!(warning.label, "50 points of 30 s take 1,500 s, and all pauses are 15 s");
}

#[test]
fn the_calls_of_all_steps_can_be_printed() {
    let told = deck(&read(&input(CANARY, &[])).unwrap());
    assert!(told.contains("# then: set_weight 5 %\nPATCH /upstreams/shop/targets/"), "{told}");
    assert!(
        told.contains("# or back: set_weight 0 %\nPATCH /upstreams/shop/targets/v2-1:80  {\"weight\":0}"),
        "{told}"
    );
}

#[test]
fn header_routes_and_conditions_are_steps() {
    let steps = "
        [[steps]]
        at = \"4s\"
        set_header_route = { name = \"testers\", service = \"shop\", upstream = \"shop\", header = \"x-tester\" }
        [[steps]]
        wait_until = { requests = 100, at_most = \"5s\" }
        [[steps]]
        set_header_route = { name = \"testers\" }
    ";
    let plan = read(&input(&format!("{CANARY}\n{steps}"), &[])).unwrap();
    let expected = [
        "set_header_route testers: x-tester = yes -> shop",
        "wait_until the new version has had 100 requests, at most 5 s",
        "set_header_route testers: gone",
    ];
    assert_eq!(words_of(&plan), expected);
}

#[test]
fn a_header_route_stands_before_each_route_and_goes_with_all_that_came_with_it() {
    // Aim: what a step adds is what another takes away, in the file's own steps and on the way back. Method: a Service with two
    // Routes and two header routes to one more Service, which stays until the second of them goes.
    let set = |name: &str| {
        format!(
            "[[steps]]\nset_header_route = {{ name = \"{name}\", service = \"shop\", upstream = \"shop\", header = \"x-tester\" }}\n"
        )
    };
    let more = "[[routes]]\nname = \"eu\"\npaths = [\"/eu\"]\nheaders = { x-eu = [\"1\"] }\nservice = { name = \"shop\" }\n";
    let steps = format!(
        "{more}{}{}[[steps]]\nset_header_route = {{ name = \"testers\" }}\n",
        set("testers").replace("]]\n", "]]\nat = \"4s\"\n"),
        set("staff")
    );
    let told = deck(&read(&input(&format!("{CANARY}\n{steps}"), &[])).unwrap());
    let twin = r#"PUT /routes/staff-2  {"headers":{"x-eu":["1"],"x-tester":["yes"]}"#;
    assert!(told.contains("PUT /routes/staff  {") && told.contains(twin), "{told}");
    let gone = "DELETE /routes/testers\nDELETE /routes/testers-2\n";
    let (testers, staff) = ("set_header_route testers: gone", "set_header_route staff: gone");
    let others = gone.replace("testers", "staff");
    let expected = format!(
        "# then: {testers}\n{gone}# or back: {staff}\n{others}# or back: {testers}\n{gone}DELETE /services/shop-shop\n"
    );
    assert!(told.contains(&expected), "{told}");
    assert_eq!(told.matches("DELETE").count(), 7, "{told}");
}

#[test]
fn a_regex_that_is_none_is_told_before_the_gateway_refuses_it() {
    let ab = include_str!("../../../../scenarios/blue_green_rollback.toml");
    let ab = &ab[..ab.find("[rollout]").unwrap()];
    let with = |values: &str| {
        let rollout =
            "strategy = \"ab\"\nservice = \"shop\"\nstable = \"blue\"\ncanary = \"green\"\nat = \"5s\"";
        format!("{ab}[rollout]\n{rollout}\nheader = \"x-user\"\nvalues = [{values}]\n")
    };
    assert_eq!(told(&with("\"~*00[\"")), ["`~*00[` is no regex"]);
    for values in ["\"~*^00[1-3]$\"", "\"~*00[\", \"001\""] {
        assert!(read(&input(&with(values), &[])).is_ok(), "{values}");
    }
}

#[test]
fn a_ramp_is_many_small_steps() {
    let ramp = format!("{CANARY}\n[[steps]]\nat = \"4s\"\nramp = {{ to = 50, over = \"5s\", steps = 5 }}\n");
    let plan = read(&input(&ramp, &[])).unwrap();
    assert_eq!(words_of(&plan)[..3], ["set_weight 10 %", "pause 1 s", "set_weight ⅕"]);
    assert_eq!(plan.steps.len(), 10);
}

#[test]
fn each_mistake_of_a_rollout_is_told_for_what_it_is() {
    let steps = |step: &str| format!("{CANARY}\n[[steps]]\n{step}\n");
    for (text, said) in [
        (CANARY.replace("\"canary\"", "\"canarie\""), "`canarie` is not a value of `strategy`"),
        (CANARY.replace("canary   = \"v2\"", "canary   = \"v3\""), "a version has no targets"),
        (CANARY.replace("canary   = \"v2\"", "canary   = \"v1\""), "old and new are the same"),
        (CANARY.replace("drain    =", "every    ="), "`every` means nothing to canary"),
        (CANARY.replace("risk_ratio > 1.5", "ratio > 1.5"), "`fail_if` cannot be read"),
        (CANARY.replace("status >= 500 || failed", "status > 500"), "`bad` cannot be read"),
        (
            CANARY.replace("fail_if = \"risk", "interval = \"5s\"\nfail_if = \"risk"),
            "`interval` means nothing to the judge `sequential`",
        ),
        (
            CANARY.replace("fail_if", "judge = \"mann-whitney\"\nfail_if"),
            "`fail_if` means nothing to the judge `mann-whitney`",
        ),
        (CANARY.replace("drain    =", "scale = 2\ndrain    ="), "the new version has fewer targets"),
        (CANARY.replace("drain    =", "scale = \"half\"\ndrain    ="), "`half` is not a value of `scale`"),
        (steps("set_weight = 101"), "`set_weight` is out of range"),
        (steps("stop = \"v9-*\""), "a step is about nobody"),
        (steps("promote = false"), "a step does nothing"),
        (steps("pause = \"1s\"\nabort = true"), "a step is one thing"),
        (steps("analysis = { name = \"latency\", for = \"5s\" }"), "a step asks a judge that does not exist"),
    ] {
        assert_eq!(told(&text), [said]);
    }
    let alone = with("[thresholds]", "[[analysis]]\nname = \"errors\"\n[thresholds]");
    assert_eq!(told(&alone), ["an analysis needs two versions"]);
    let no_versions = with("[thresholds]", "[[steps]]\nset_weight = 5\n[thresholds]");
    assert_eq!(told(&no_versions), ["a share needs two versions that share an Upstream"]);
    // Which switches there would be is not known, so no threshold about them is wrong.
    let switched = include_str!("../../../../scenarios/blue_green_rollback.toml");
    assert_eq!(
        told(&switched.replace("every            =", "auto_promote = false\nevery =")),
        ["nobody promotes the new version"]
    );
}

#[test]
fn who_is_asked_on_both_sides_of_a_switch_judges_by_what_there_is_on_each() {
    // Aim: before the switch the old version answers beside the new one, after it there is what it did until then. Method: one judge is
    // asked twice, or after the switch only; and the file says by what.
    let file = include_str!("../../../../scenarios/blue_green_rollback.toml");
    let head = &file[..file.find("[rollout]").unwrap()];
    let asked = |questions: &str, reference: &str| {
        let text = format!(
            "{head}[rollout]\nstrategy = \"blue-green\"\nservice = \"shop\"\nstable = \"blue\"\ncanary = \"green\"\n\
             header = \"x-user\"\nvalues = [\"001\"]\n{questions}\n[[analysis]]\nname = \"errors\"\n{reference}\n"
        );
        let plan = read(&input(&text, &[])).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let by = |step: &Step| {
            let Action::Analysis { analysis, .. } = step.action else { return None };
            Some(plan.rollout.analyses[analysis].reference)
        };
        (plan.steps.iter().filter_map(by).collect::<Vec<_>>(), plan.rollout.analyses.len())
    };
    let post = "post_analysis = { name = \"errors\", for = \"5s\" }";
    let both = format!("pre_analysis = {{ name = \"errors\", for = \"5s\" }}\n{post}");
    assert_eq!(asked(&both, ""), (vec![Reference::Concurrent, Reference::Before], 2));
    assert_eq!(asked(post, ""), (vec![Reference::Before], 1));
    assert_eq!(asked(&both, "reference = \"before\""), (vec![Reference::Before; 2], 1));
}
