//! The judges against chance: how often each is wrong, and how soon it is right.

use super::*;

fn rule() -> SequentialRule {
    SequentialRule { tolerated: 1.5, excluded: 2.0, alpha: 0.01, beta: 0.05, bad_min: 5, effect_min: 0.001 }
}

fn analysis(kind: Kind) -> Analysis {
    Analysis {
        name: "errors".into(),
        kind,
        bad: Bad(vec![BadTerm::Status(500, 599), BadTerm::Timeout]),
        reference: Reference::Concurrent,
        on_unclear: Otherwise::Promote,
        on_no_data: Otherwise::Abort,
        dry_run: false,
        in_background: true,
    }
}

fn sample(side: Side, status: u16) -> Sample {
    let latency = Duration::from_millis(4);
    Sample { at: Instant::ZERO, side, share: 0.05, outcome: Outcome::Answered { status }, latency }
}

/// One canary request after nineteen of the other, `rounds` times; each n-th canary request is bad.
fn rounds(judge: &mut Judge, rounds: u64, each: u64) -> Option<Verdict> {
    for round in 1..=rounds {
        (0..19).for_each(|_| judge.see(&sample(Side::Stable, 200)));
        judge.see(&sample(Side::Canary, if round % each == 0 { 503 } else { 200 }));
        if let Some(verdict) = judge.verdict(Instant::ZERO) {
            return Some(verdict);
        }
    }
    None
}

#[test]
fn the_sequential_judge_waits_for_enough_bad_answers() {
    let mut judge = Judge::new(&analysis(Kind::Sequential(rule())), Count::default(), Instant::ZERO);
    assert_eq!(rounds(&mut judge, 99, 20), None, "four bad ones, and five are asked for");
    assert_eq!(rounds(&mut judge, 20, 20), Some(Verdict::Fail));
    let Evidence { canary, stable, text } = judge.evidence();
    assert_eq!((canary.bad, stable.bad), (5, 0));
    assert!(text.ends_with("needed 100"), "{text}");
}

#[test]
fn enough_without_a_bad_answer_pass_and_fewer_are_unclear() {
    let mut judge = Judge::new(&analysis(Kind::Sequential(rule())), Count::default(), Instant::ZERO);
    assert_eq!(judge.last_verdict(Instant::ZERO), Verdict::NoData);
    assert_eq!(rounds(&mut judge, 2995, 10_000), None);
    assert_eq!(judge.last_verdict(Instant::ZERO), Verdict::Unclear);
    assert_eq!(rounds(&mut judge, 1, 10_000), Some(Verdict::Pass));
}

#[test]
fn before_is_what_the_old_version_did_alone() {
    let alone = Analysis { reference: Reference::Before, ..analysis(Kind::Sequential(rule())) };
    let mut judge = Judge::new(&alone, Count { n: 10_000, bad: 9 }, Instant::ZERO);
    let failed = (1..1000).find(|n| {
        judge.see(&sample(Side::Canary, if n % 10 == 0 { 500 } else { 200 }));
        judge.verdict(Instant::ZERO) == Some(Verdict::Fail)
    });
    assert_eq!(failed, Some(50));
    assert!(judge.evidence().text.contains("shared outage"));
}

#[test]
fn the_threshold_judge_counts_measurements_as_argo_does() {
    let second = Duration::from_secs(1);
    let rule = ThresholdRule {
        rate_max: 0.01,
        interval: second,
        initial_delay: second,
        count: Some(4),
        failure_limit: 1,
    };
    let kind = analysis(Kind::Threshold(rule));
    let run = |bad: [u64; 5]| {
        let mut judge = Judge::new(&kind, Count::default(), Instant::ZERO);
        for (second, bad) in (2..).zip(bad) {
            (0..100).for_each(|n| judge.see(&sample(Side::Canary, if n < bad { 500 } else { 200 })));
            let now = Instant::from_millis(second * 1000);
            assert_eq!(judge.next_time(), now);
            if let Some(verdict) = judge.verdict(now) {
                return (second, verdict);
            }
        }
        (0, judge.last_verdict(Instant::MAX))
    };
    assert_eq!(run([1, 1, 1, 1, 9]), (5, Verdict::Pass), "one in a hundred is fine");
    assert_eq!(run([2, 0, 0, 0, 0]), (5, Verdict::Pass), "one failed measurement is allowed");
    assert_eq!(run([2, 0, 2, 0, 0]), (4, Verdict::Fail), "and the count never starts anew");
}

#[test]
fn who_goes_away_says_nothing_and_slowness_can_be_bad() {
    let bad = Bad(vec![BadTerm::Slower(Duration::from_millis(3)), BadTerm::Failed]);
    let gone = Sample { outcome: Outcome::ClientGone, ..sample(Side::Canary, 200) };
    assert_eq!((bad.is(&gone), bad.is(&sample(Side::Canary, 200))), (None, Some(true)));
    let quick = Sample { latency: Duration::from_millis(1), ..sample(Side::Canary, 500) };
    assert_eq!(bad.is(&quick), Some(false));
}
