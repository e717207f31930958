//! Warns of pauses that are too short for their judge: whatever happens in them, it could not be sure in time. A pause of that
//! kind watches nothing (reference/rollouts.md calls it theatre).

use std::time::Duration;

use super::reader::Section;
use crate::rollout::judge::{Analysis, Kind, MannWhitneyRule, Reference, SequentialRule};
use crate::rollout::{Action, Rollout, Step};
use crate::words;

/// Warns at `[rollout]`; `rate` is of the load, per second.
pub(super) fn warn(root: &Section<'_>, steps: &[Step], rollout: &Rollout, rate: f64) {
    for analysis in &rollout.analyses {
        match &analysis.kind {
            _ if !analysis.in_background => {}
            Kind::Sequential(rule) if analysis.reference != Reference::Before => {
                steps.windows(2).for_each(|pair| of_step(root, pair, (analysis, rule), rate));
            }
            Kind::MannWhitney(rule) => of_all(root, steps, (analysis, rule)),
            Kind::Sequential(_) | Kind::Threshold(_) => {}
        }
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

fn of_step(root: &Section<'_>, pair: &[Step], (analysis, rule): (&Analysis, &SequentialRule), rate: f64) {
    let [Step { action: Action::SetWeight { share, .. }, .. }, Step { action: Action::Pause(pause), .. }] =
        pair
    else {
        return;
    };
    let share = *share;
    if share <= 0.0 || share >= 1.0 {
        return;
    }
    // Against a baseline it is a share of the two.
    let of_both = if analysis.reference == Reference::Baseline {
        share / (share + share.min(1.0 - share))
    } else {
        share
    };
    let needed = bad_needed(rule, of_both);
    let each_second = rate * share * rule.effect_min;
    let time = needed as f64 / each_second;
    if !time.is_finite() || Duration::from_secs_f64(time.min(1e9)) <= *pause {
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
