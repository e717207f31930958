//! Runs played in virtual time, and every figure of their summaries.

use super::*;
use crate::measure::rehearsal::{change, how_to, measure, play, quiet};
use crate::measure::{Cause, Conditions, Ending, Observation, Record, Recorder, StepMoments};
use gateway_core::time::Instant;

fn twice() -> Plan {
    how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")])
}

fn summary(plan: &Plan, said: &[Observation]) -> Summary {
    summarise(plan, &measure(plan, said), Facts::default())
}

fn refuse(said: &mut [Observation], which: std::ops::Range<u64>) {
    change(
        said,
        |r| which.contains(&r.index),
        |r| {
            r.ending = Ending::Dropped(Cause::Refused);
            r.target = None;
        },
    );
}

/// The ledger again, as an outside program would check it: from the JSON text alone.
fn assert_ledger(json: &str) {
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    let n = |page: &serde_json::Value, name: &str| page[name].as_u64().unwrap();
    let balance = |page: &serde_json::Value| {
        let causes: u64 =
            page["dropped_by_cause"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(n(page, "intended"), n(page, "answered") + n(page, "dropped"));
        assert_eq!(n(page, "dropped"), causes);
    };
    let whole = &report["requests"];
    balance(whole);
    let phases = report["phases"].as_array().unwrap();
    for phase in phases {
        balance(&phase["requests"]);
    }
    for name in ["intended", "answered", "dropped", "duplicates", "lost", "wrong_version", "target_5xx"] {
        let sum: u64 = phases.iter().map(|phase| n(&phase["requests"], name)).sum();
        assert_eq!(sum, n(whole, name), "{name}");
        for rows in ["streams", "request_kinds"] {
            let sum: u64 = report[rows].as_array().unwrap().iter().map(|row| n(&row["requests"], name)).sum();
            assert_eq!(sum, n(whole, name), "{name} of {rows}");
        }
    }
    let series = &report["series"];
    let sum =
        |bins: &serde_json::Value| bins.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&series["intended"]), n(whole, "intended"));
    let answered: u64 = series["answered"].as_array().unwrap().iter().map(sum).sum();
    assert_eq!(answered, n(whole, "answered"));
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.iter().map(|target| n(target, "answered")).sum::<u64>(), answered);
}

#[test]
fn a_report_comes_back_from_json_as_it_was_and_its_ledger_balances() {
    let plan = twice();
    let mut said = play(&plan);
    for disturbed in [false, true] {
        if disturbed {
            refuse(&mut said, 6_010..6_224);
            said.push(Observation::Served { request: 9, mock: 0, at: Instant::ZERO });
        }
        let summary = summary(&plan, &said);
        let json = serde_json::to_string(&summary).unwrap();
        assert_ledger(&json);
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }
}

#[test]
fn the_how_to_says_what_the_issue_promises() {
    let plan = twice();
    let summary = summary(&plan, &play(&plan));
    assert_eq!((summary.verdict.result, summary.verdict.exit_code), (Outcome::Pass, 0));
    assert_eq!(summary.validity.result, Trust::Valid, "{:?}", summary.validity.reasons);
    let names: Vec<_> = summary.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["warmup", "before", "switch-1", "after-1", "switch-2", "after-2"]);
    assert!(summary.phases.windows(2).all(|w| (w[0].to_ms - w[1].from_ms).abs() < 1e-9));
    assert!((summary.phases[5].to_ms - 30_000.0).abs() < 1e-9);
    let picks: Vec<Vec<u64>> =
        summary.weights.iter().map(|row| row.targets.iter().map(|t| t.picks).collect()).collect();
    assert_eq!(picks.iter().flatten().sum::<u64>(), 18_000);
    assert_eq!((picks[0][0] + picks[2][0], picks[0][1] + picks[2][1]), (8_000, 4_000));
    assert_eq!(picks[1], [3_000, 3_000]);
    assert_eq!(
        summary.weights.iter().map(|row| (row.upstream.as_str(), row.phase.as_str())).collect::<Vec<_>>(),
        [("blue", "warmup"), ("green", "switch-1"), ("blue", "switch-2")]
    );
    for switch in &summary.switches {
        assert_eq!((switch.stale_picks, switch.mixed_picks_ms), (0, Some(0.0)));
        assert!((switch.applied_ms.unwrap() - switch.requested_ms - 1.3).abs() < 1e-6);
        assert!(switch.drain_ms > Some(0.0) && switch.mixed_ms >= Some(0.0));
        let cost = switch.latency_cost_us.unwrap();
        assert!(cost.low < cost.p50 && cost.p50 < cost.high && cost.n == 600, "{cost:?}");
    }
    assert_eq!(
        summary.spectrum.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["before", "switch", "after-1", "after-2"]
    );
    assert_eq!(summary.slowest.len(), 3);
    assert!(summary.slowest[0].id.starts_with("42-") && summary.slowest[0].id.len() == 8);
    assert!(summary.slowest.windows(2).all(|w| w[0].response_time_us >= w[1].response_time_us));
    let slow = &summary.slowest[0];
    let parts = slow.lag_us + slow.client_wait_us + slow.service_time_us;
    assert!((parts - slow.response_time_us).abs() < 1e-6);
}

#[test]
fn the_series_has_one_entry_for_each_bin() {
    let plan = twice();
    let series = summary(&plan, &play(&plan)).series;
    let n = series.t_ms.len();
    assert_eq!((series.bin_ms, n), (500, 60));
    assert!(series.intended.iter().all(|&intended| intended == 300));
    for of_targets in [&series.answered, &series.picks] {
        assert_eq!(of_targets.len(), 4);
        assert!(of_targets.iter().all(|bins| bins.len() == n));
    }
    let lengths = [series.p50_us.len(), series.max_us.len(), series.lag_p99_us.len(), series.cpu.len()];
    assert_eq!(lengths, [n; 4]);
    // Little's law: 600 per second at the mean time in the gateway.
    let mean: f64 = series.in_flight.iter().flatten().sum::<f64>() / n as f64;
    let time: f64 =
        (0..18_000).map(|k| crate::measure::rehearsal::service_time(42, k).as_secs_f64()).sum::<f64>()
            / 18_000.0;
    assert!((mean - 600.0 * time).abs() < 0.02, "{mean} for {}", 600.0 * time);
    assert!(series.lag_range["blue"].iter().flatten().all(|(low, high)| *low > -0.34 && *high < 0.34));
    assert!(series.cpu[0].gateway.is_some_and(|cores| (cores - 0.02).abs() < 1e-9));
    assert_eq!(series.cpu[0].targets, None);
}

#[test]
fn the_sentence_names_the_worst_true_thing() {
    let plan = twice();
    let sentence = |said: &[Observation]| summary(&plan, said).verdict.sentence;
    let quiet = sentence(&play(&plan));
    assert!(quiet.starts_with("All 18,000 requests were answered once, by the right version; "), "{quiet}");
    let mut refused = play(&plan);
    refuse(&mut refused, 6_010..6_224);
    assert_eq!(sentence(&refused), "214 requests were refused in the 371.2 ms after the first switch.");
    refused.push(Observation::Served { request: 9, mock: 0, at: Instant::ZERO });
    assert!(sentence(&refused).starts_with("214 requests"), "a drop weighs more than a second service");
    refused.retain(|seen| !matches!(seen, Observation::Served { request: 77, .. }));
    assert_eq!(sentence(&refused), "1 request was answered but stands in no target's book.");
    let mut early = play(&plan);
    refuse(&mut early, 3_000..3_601);
    assert_eq!(sentence(&early), "601 requests were refused between 5.0 s and 6.0 s.");
}

#[test]
fn a_failed_switch_is_said_and_is_an_event() {
    let plan = how_to(600.0, 10, &[(5_000, "green")]);
    let mut said = play(&how_to(600.0, 10, &[]));
    let requested = Instant::from_millis(5_000);
    said.push(Observation::Stepped(StepMoments { step: 0, requested, acked: None, applied: None }));
    let summary = summary(&plan, &said);
    assert_eq!(summary.verdict.sentence, "The switch, from blue to green, failed.");
    assert!(summary.events.iter().any(|e| e.kind == "warning" && e.text.ends_with("blue -> green failed")));
    assert_eq!(summary.switches[0].applied_ms, None);
    assert_eq!(summary.weights.len(), 1);
}

#[test]
fn one_switch_is_not_numbered_and_none_leaves_none() {
    let plan = how_to(600.0, 10, &[(5_000, "green")]);
    let names = |s: &Summary| s.phases.iter().map(|phase| phase.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&summary(&plan, &play(&plan))), ["warmup", "before", "switch", "after"]);
    let plan = how_to(600.0, 10, &[]);
    let quiet = summary(&plan, &play(&plan));
    assert_eq!(names(&quiet), ["warmup", "before"]);
    assert_eq!(quiet.phases[1].upstream.as_deref(), Some("blue"));
    assert_eq!(quiet.verdict.sentence, "All 6,000 requests were answered once, by the right version.");
}

#[test]
fn a_run_without_requests_is_invalid() {
    let plan = how_to(0.01, 1, &[]);
    let summary = summary(&plan, &play(&plan));
    assert_eq!((summary.verdict.result, summary.verdict.exit_code), (Outcome::Invalid, 97));
    assert_eq!(summary.verdict.sentence, "No request was intended, so nothing was measured.");
    assert_ledger(&serde_json::to_string(&summary).unwrap());
}

#[test]
fn a_stopped_run_says_where_it_stopped() {
    let plan = twice();
    let mut said = play(&plan);
    said.retain(|seen| !matches!(seen, Observation::Stepped(moments) if moments.step == 1));
    change(
        &mut said,
        |r| r.index >= 9_000,
        |r| {
            *r = Record {
                released: r.intended,
                on_wire: None,
                first_byte: None,
                done: r.intended,
                ending: Ending::Dropped(Cause::Unsent),
                target: None,
                ..*r
            };
        },
    );
    said.retain(|seen| match seen {
        Observation::Picked(pick) => pick.request < 9_000,
        Observation::Served { request, .. } => *request < 9_000,
        _ => true,
    });
    let mut recorder = Recorder::new(&plan);
    for seen in &said {
        recorder.record(seen);
    }
    let aborted_at = Some(Instant::from_millis(15_000));
    let measured = recorder.finish(Conditions { aborted_at, ..quiet(&plan) });
    let summary = summarise(&plan, &measured, Facts::default());
    assert!(summary.verdict.aborted);
    assert_eq!((summary.verdict.aborted_at_ms, summary.requests.not_sent()), (Some(15_000.0), 9_000));
    assert_eq!(summary.validity.result, Trust::Valid, "{:?}", summary.validity.reasons);
    let expected = "Stopped at 15.0 s: 9,000 of 18,000 requests were never sent.";
    assert!(summary.verdict.sentence.starts_with(expected), "{}", summary.verdict.sentence);
    assert!(summary.events.iter().any(|event| event.text.contains("1 step never carried out")));
    assert_ledger(&serde_json::to_string(&summary).unwrap());
}

#[test]
fn a_degraded_measurement_passes_with_a_warning_and_fails_when_strict() {
    let plan = twice();
    let mut recorder = Recorder::new(&plan);
    for seen in &play(&plan) {
        recorder.record(seen);
    }
    let measured = recorder.finish(Conditions { foreign_cpu: Some(0.6), ..quiet(&plan) });
    let loose = summarise(&plan, &measured, Facts::default());
    assert_eq!((loose.validity.result, loose.verdict.exit_code), (Trust::Degraded, 0));
    assert!(loose.verdict.sentence.contains("Read it with care: 60.0 % of the machine's CPU time"));
    let strict = summarise(&plan, &measured, Facts { strict: true, ..Facts::default() });
    assert_eq!((strict.verdict.result, strict.verdict.exit_code), (Outcome::Invalid, 97));
}

#[test]
fn a_failed_threshold_decides_and_is_listed_first() {
    use crate::plan::{Aggregation, Comparison, Expression, Limit, Metric, Threshold};
    let threshold = |expression_text: &str, limit| Threshold {
        metric: Metric::Latency,
        tags: vec![("phase".to_owned(), "after-1".to_owned())],
        expression: Expression::Compare {
            aggregation: Aggregation::Percentile(99.0),
            comparison: Comparison::Less,
            limit: Limit::Time(std::time::Duration::from_millis(limit)),
        },
        metric_text: "latency{phase:after-1}".to_owned(),
        expression_text: expression_text.to_owned(),
        line: 3,
    };
    let mut plan = twice();
    plan.thresholds = vec![threshold("p(99) < 100ms", 100), threshold("p(99) < 5ms", 5)];
    let verdict = summary(&plan, &play(&plan)).verdict;
    assert_eq!((verdict.result, verdict.exit_code), (Outcome::Fail, 99));
    let seen: Vec<_> = verdict.thresholds.iter().map(|t| (t.ok, t.expression.as_str())).collect();
    assert_eq!(seen, [(false, "p(99) < 5ms"), (true, "p(99) < 100ms")]);
    assert!(verdict.thresholds[0].used > Some(2.0) && verdict.thresholds[0].margin.ends_with("over"));
    let expected = "latency{phase:after-1} should be p(99) < 5ms but was 11.6 ms (5,995 requests).";
    assert_eq!(verdict.sentence, expected);
}
