//! A canary without a router: its share is that of whole targets, as with Argo's canary that routes no traffic. What is asked is
//! seldom reachable; the nearest that is, is taken, and said.

use super::Settings;
use super::rolling::{bring_in, take_out};
use crate::rollout::{Action, Scale, Versions};

/// Targets of both versions that come nearest to a share of the new one.
///
/// Of `n` old targets, with one more at most where `may_surge`; never none of the new version and never all of it, unless that is
/// what is asked (Argo's rule counts the same candidates, and loses 95 % of ten: <https://github.com/argoproj/argo-rollouts>,
/// `utils/replicaset/canary.go`).
fn nearest(share: f64, n: usize, most: usize, may_surge: bool) -> Scale {
    let totals = n..=n + usize::from(may_surge && share < 1.0);
    let candidates = totals.flat_map(|total| {
        let exact = share * total as f64;
        [exact.floor(), exact.ceil()].map(|canary| (canary as usize, total))
    });
    let is_fair = |&(canary, total): &(usize, usize)| {
        canary <= most && (share == 0.0 || canary > 0) && (share >= 1.0 || canary < total)
    };
    let off = |&(canary, total): &(usize, usize)| (canary as f64 / total as f64 - share).abs();
    let best = candidates.filter(is_fair).min_by(|a, b| off(a).total_cmp(&off(b)));
    // One target cannot be divided: it is the old one until everything is asked for.
    let (canary, total) = best.unwrap_or(if share >= 1.0 { (most, most) } else { (0, n) });
    Scale { asked: Some(share), canary, stable: total - canary }
}

/// The steps to each share in turn, target by target and within `max_surge`.
pub(super) fn steps(
    versions: &Versions,
    settings: &Settings,
    shares: &[(f64, std::time::Duration)],
) -> Vec<Action> {
    let (old, new) = (&versions.stable.members, &versions.canary.members);
    let most = old.len() + settings.max_surge.max(usize::from(settings.max_unavailable == 0));
    let (mut canary, mut gone, mut steps) = (0, 0, Vec::new());
    let mut to = |share: f64, steps: &mut Vec<Action>| {
        let scale = nearest(share, old.len(), new.len(), settings.max_surge > 0);
        while canary < scale.canary || old.len() - gone > scale.stable {
            if canary < scale.canary && canary + old.len() - gone < most {
                steps.extend(bring_in(versions, &new[canary..=canary], settings));
                canary += 1;
            } else {
                steps.extend(take_out(versions, &old[gone..=gone], settings));
                gone += 1;
            }
        }
        steps.push(Action::Scaled(scale));
    };
    for &(share, pause) in shares {
        to(share, &mut steps);
        steps.push(Action::Pause(pause));
    }
    to(1.0, &mut steps);
    steps.push(Action::Promote);
    steps
}

/// Whoever has left comes back, as after a rolling update.
pub(super) const WAY_BACK: fn(&Versions, &Settings) -> Vec<Action> = super::rolling::STRATEGY.way_back;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_share_of_whole_targets_is_taken_and_nobody_is_forgotten() {
        for (share, n, may_surge, expected) in [
            // Those of the reference: 5 % of ten and of three, with one more and without.
            (0.05, 10, true, (1, 10)),
            (0.05, 10, false, (1, 9)),
            (0.05, 3, true, (1, 3)),
            (0.05, 3, false, (1, 2)),
            (0.5, 4, true, (2, 2)),
            (0.95, 10, false, (9, 1)),
            (0.99, 10, true, (10, 1)),
            (1.0, 10, true, (10, 0)),
            (0.0, 10, true, (0, 10)),
            (0.3, 1, true, (1, 1)),
            (0.3, 1, false, (0, 1)),
        ] {
            let Scale { canary, stable, .. } = nearest(share, n, n, may_surge);
            assert_eq!((canary, stable), expected, "{share} of {n}, surge {may_surge}");
        }
    }
}
