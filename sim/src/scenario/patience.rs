//! Warns of pauses that are too short for their judge: whatever happens in them, it could not be sure in time. A pause of that
//! kind watches nothing (reference/rollouts.md calls it theatre).

use std::time::Duration;

use super::reader::Section;
use crate::rollout::judge::{Analysis, Kind, MannWhitneyRule, Reference, SequentialRule};
use crate::rollout::{Action, Rollout, Step};
use crate::words;

/// Warns at `[rollout]`; `rate` is of the load, per second.
pub(super) fn warn(root: &Section<'_>, steps: &[Step], rollout: &Rollout, rate: f64) {
    for (number, analysis) in rollout.analyses.iter().enumerate() {
        match &analysis.kind {
            Kind::Sequential(rule) => {
                for stretch in stretches(steps, (number, analysis)) {
                    of_stretch(root, stretch, (analysis, rule), rate);
                }
            }
            Kind::MannWhitney(rule) if analysis.in_background => of_all(root, steps, (analysis, rule)),
            Kind::MannWhitney(_) | Kind::Threshold(_) => {}
        }
    }
}

/// The shares of the new version that are known, and for how long each is watched by an analysis: while steps pause, or while it is
/// asked.
fn stretches(steps: &[Step], (number, analysis): (usize, &Analysis)) -> Vec<(f64, Duration)> {
    let mut stretches: Vec<(f64, Duration)> = Vec::new();
    let mut share = None;
    let switches = steps.iter().filter(|step| matches!(step.action, Action::SetHost { .. }));
    // Of several Services nobody knows how much of the load each one has.
    let is_whole = analysis.reference == Reference::Before && switches.count() == 1;
    for step in steps {
        let watched = match step.action {
            Action::Pause(pause) if analysis.in_background => pause,
            Action::Analysis { analysis, at_most } if analysis == number => at_most,
            Action::Promote => break,
            _ => {
                if let Some(led) = led(&step.action, is_whole) {
                    share = led;
                    stretches.extend(led.map(|share| (share, Duration::ZERO)));
                }
                continue;
            }
        };
        if let Some((_, time)) = stretches.last_mut().filter(|_| share.is_some()) {
            *time += watched;
        }
    }
    stretches.retain(|(_, time)| !time.is_zero());
    stretches
}

/// The new version's share from this step on, where it leads requests somewhere else; `None` of it where nobody knows.
#[expect(clippy::option_option, reason = "no change is not an unknown one")]
fn led(action: &Action, is_whole: bool) -> Option<Option<f64>> {
    match action {
        Action::SetWeight { share, .. } => Some(Some(*share)),
        Action::SetSplit(route) => Some(Some(route.to.as_ref().map_or(0.0, |to| to.percent / 100.0))),
        Action::SetHost { .. } => Some(is_whole.then_some(1.0)),
        Action::SetHeaderRoute(_) | Action::Patch { .. } | Action::SetTarget(_) => Some(None),
        _ => None,
    }
}

/// A judge that looks once must be there until it looks.
fn of_all(root: &Section<'_>, steps: &[Step], (analysis, rule): (&Analysis, &MannWhitneyRule)) {
    let pause = |step: &Step| match step.action {
        Action::Pause(pause) => pause,
        _ => Duration::ZERO,
    };
    let (watched, needed) = (steps.iter().map(pause).sum::<Duration>(), rule.interval * rule.count);
    if watched >= needed {
        return;
    }
    let seconds = |time: Duration| format!("{} s", words::short(time.as_secs_f64(), 1));
    let message = format!("the steps are over before the judge `{}` has looked", analysis.name);
    let (points, interval) = (words::counted(rule.count.into(), "point"), seconds(rule.interval));
    let label =
        format!("{points} of {interval} take {}, and all pauses are {}", seconds(needed), seconds(watched));
    let help = "make the pauses longer, or interval or count smaller; 50 points are advised";
    root.mistakes.warn(root.place_of("rollout"), message, label, help);
}

fn of_stretch(
    root: &Section<'_>,
    (share, pause): (f64, Duration),
    (analysis, rule): (&Analysis, &SequentialRule),
    rate: f64,
) {
    let is_alone = analysis.reference == Reference::Before;
    if share <= 0.0 || (share >= 1.0 && !is_alone) {
        return;
    }
    // Against a baseline it is a share of the two.
    let of_both = if analysis.reference == Reference::Baseline {
        share / (share + share.min(1.0 - share))
    } else {
        share
    };
    let needed = if is_alone { rule.bad_min } else { bad_needed(rule, of_both) };
    let each_second = rate * share * rule.effect_min;
    let time = needed as f64 / each_second;
    if !time.is_finite() || Duration::from_secs_f64(time.min(1e9)) <= pause {
        return;
    }
    let seconds = |seconds: f64| format!("{} s", words::short(seconds, 1));
    let message = format!(
        "a pause of {} at {} is too short for the judge `{}`",
        seconds(pause.as_secs_f64()),
        words::share(share),
        analysis.name
    );
    let label = format!(
        "{needed} bad answers are needed, and {} /s x {} x {} are {} /s: {}",
        words::short(rate, 1),
        words::share(share),
        words::percent(rule.effect_min, 2),
        words::short(each_second, 3),
        seconds(time)
    );
    let help = "make the pause longer, the share larger, or min_effect what you really want to see";
    root.mistakes.warn(root.place_of("rollout"), message, label, help);
}

/// How many bad answers of the new version make the judge sure at the earliest: when the old one has none.
fn bad_needed(rule: &SequentialRule, share: f64) -> u64 {
    let null = share * rule.tolerated / (share * rule.tolerated + 1.0 - share);
    let for_alpha = ((1.0 / rule.alpha).ln() / (1.0 / null).ln()).ceil() as u64;
    for_alpha.max(rule.bad_min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_bad_answers_are_needed_the_smaller_the_share() {
        // reference/rollouts.md 3.3: at 5 % two in a row are enough for alpha 0.01, at 20 % four, at 50 % eight, where not worse
        // is what is tolerated.
        let rule = SequentialRule {
            tolerated: 1.0,
            excluded: 2.0,
            alpha: 0.01,
            beta: 0.05,
            bad_min: 1,
            effect_min: 0.001,
        };
        assert_eq!([0.05, 0.2, 0.5].map(|share| bad_needed(&rule, share)), [2, 3, 7]);
        assert_eq!(bad_needed(&SequentialRule { bad_min: 5, ..rule }, 0.05), 5);
    }
}
