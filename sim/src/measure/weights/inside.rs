//! The second level of a rollout's shares: each target against its share of what its version got. From picks alone, as everything here;
//! the gateway's balancer is not asked.

use std::collections::BTreeSet;

use gateway_core::config::Config;
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::time::Instant;

use super::epoch::{Members, owed, part};

/// The versions of an epoch, each with its targets.
#[derive(Debug)]
pub(super) struct Inside {
    /// Which version each member is of.
    of: Box<[usize]>,
    versions: Box<[Version]>,
    members: Box<[Standing]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Version {
    weight: u64,
    picks: u64,
    /// What those were owed among all whose carry is known, and how many others there are.
    carried: f64,
    unknown: usize,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    weight: u64,
    picks: u64,
    carried: Option<f64>,
    low: Extreme,
    high: Extreme,
}

/// A lag inside the version without what was carried in, and the pick at which it was that.
#[derive(Clone, Copy, Debug, Default)]
struct Extreme {
    lag: f64,
    at: Option<(Instant, u64)>,
}

impl Inside {
    /// Nobody was picked yet. `versions` are the targets of each, in the order of their ids; whoever is in none is of one more. `None`
    /// where there are no two.
    pub(super) fn new(number: u32, members: &Members, versions: &[Vec<TargetId>]) -> Option<Self> {
        let of: Box<[usize]> = members.all.iter().map(|member| version(member.target, versions)).collect();
        if of.iter().all(|version| *version == of[0]) {
            return None;
        }
        let mut all = vec![Version::default(); versions.len() + 1];
        for (&version, member) in of.iter().zip(&members.all) {
            all[version].weight += u64::from(member.weight);
            all[version].unknown += usize::from(number > 0);
        }
        let standing = |weight| Standing {
            weight,
            picks: 0,
            carried: (number == 0).then_some(0.0),
            low: Extreme::default(),
            high: Extreme::default(),
        };
        let members = members.all.iter().map(|member| standing(member.weight.into())).collect();
        Some(Self { of, versions: all.into(), members })
    }

    /// How many versions have members.
    pub(super) fn versions(&self) -> usize {
        self.versions.iter().filter(|version| version.weight > 0).count()
    }

    /// This member was picked, and was owed so much among all when the epoch began. Its lag was largest just before, or rather after the
    /// pick of its version before this one, and is smallest now.
    pub(super) fn picked(&mut self, member: usize, carried: f64, at: (Instant, u64)) {
        let (version, standing) = (&mut self.versions[self.of[member]], &mut self.members[member]);
        let lag = |n, own| part(owed(n, standing.weight, own, version.weight), version.weight);
        let (before, after) =
            (lag(version.picks, standing.picks), lag(version.picks + 1, standing.picks + 1));
        if before > standing.high.lag {
            standing.high = Extreme { lag: before, at: Some(at) };
        }
        if after < standing.low.lag {
            standing.low = Extreme { lag: after, at: Some(at) };
        }
        version.picks += 1;
        standing.picks += 1;
        if standing.carried.is_none() {
            standing.carried = Some(carried);
            version.carried += carried;
            version.unknown -= 1;
        }
    }

    /// The largest distance of any member from its share of its version, what was carried in included, and at whose pick. Of versions
    /// where nobody is left whose carry is not known.
    pub(super) fn farthest(&self) -> Option<(f64, Option<(Instant, u64)>)> {
        let known = self.of.iter().zip(&self.members).filter(|(of, _)| self.versions[**of].unknown == 0);
        let off = |(of, standing): (&usize, &Standing)| {
            let Version { weight, picks, carried, .. } = self.versions[*of];
            // What of its carry is not its part of its version's.
            let own = standing.carried.unwrap_or(0.0) - carried * standing.weight as f64 / weight as f64;
            let end =
                Extreme { lag: part(owed(picks, standing.weight, standing.picks, weight), weight), at: None };
            [end, standing.low, standing.high].map(|extreme| ((extreme.lag + own).abs(), extreme.at))
        };
        known.flat_map(off).max_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

/// Which of them a target is of; whoever is of none is of one more.
fn version(target: TargetId, versions: &[Vec<TargetId>]) -> usize {
    versions.iter().position(|of| of.binary_search(&target).is_ok()).unwrap_or(versions.len())
}

/// Whether the tags of an Upstream's targets tell the gateway of the same versions.
pub(super) fn are_told(config: &Config, upstream: UpstreamId, versions: &[Vec<TargetId>]) -> bool {
    let pairs: BTreeSet<(Option<&str>, usize)> =
        config.targets_of(upstream).map(|(id, target)| (target.version(), version(id, versions))).collect();
    let tags: BTreeSet<_> = pairs.iter().map(|(tag, _)| tag).collect();
    let versions: BTreeSet<_> = pairs.iter().map(|(_, version)| version).collect();
    pairs.len() == tags.len() && pairs.len() == versions.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(number: u32) -> Inside {
        let members = Members::new([1, 2, 1].into_iter().zip(0..).map(|(weight, id)| (TargetId(id), weight)));
        Inside::new(number, &members, &[vec![TargetId(1), TargetId(2)]]).unwrap()
    }

    fn at(request: u64) -> (Instant, u64) {
        (Instant::from_millis(request), request)
    }

    #[test]
    fn a_target_is_held_against_the_picks_of_its_version_only() {
        // Two thirds and one third, however often the other version is picked.
        let mut inside = inside(0);
        for (request, member) in [1, 0, 2, 0, 0, 1, 1, 2, 1].into_iter().enumerate() {
            inside.picked(member, 0.0, at(request as u64));
        }
        let (off, _) = inside.farthest().unwrap();
        assert!((off - 1.0 / 3.0).abs() < 1e-9, "{off}");
        inside.picked(2, 0.0, at(9));
        inside.picked(2, 0.0, at(10));
        let (off, request) = inside.farthest().unwrap();
        assert!(off > 1.0, "one too many is seen: {off}");
        assert_eq!(request, Some(at(10)));
    }

    #[test]
    fn what_a_version_is_owed_is_nothing_inside() {
        // Aim: of what targets carry only their own part counts. Method: three quarters for the version, by weight, and a third more for
        // one of them at the cost of the other.
        let mut inside = inside(1);
        inside.picked(1, 0.5 + 1.0 / 3.0, at(0));
        assert_eq!(inside.farthest().map(|(off, _)| off), None, "not all carries are known");
        inside.picked(2, 0.25 - 1.0 / 3.0, at(1));
        inside.picked(0, -0.75, at(2));
        let (off, _) = inside.farthest().unwrap();
        assert!((off - 2.0 / 3.0).abs() < 1e-9, "{off}");
    }
}
