//! The two versions of a rollout, and how requests are divided between them in Kong's terms.
//!
//! Kong has no weights between two Upstreams. What anybody with curl or decK can do is to list the targets of both versions in
//! one Upstream and to change their weights; so that is what `set_weight` does. Weights are whole numbers, and each target is a
//! call: a share is met exactly where numbers up to 65535 allow it, and between two calls it lies between the old and the new.
//! Where users are divided and not requests, each version has its own Upstream and the Service says whose keys go where.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::entity::SplitKey;
use gateway_core::id::ServiceId;

use super::action::{Action, Scale, SplitRoute, SplitTo, TargetWeight};

/// Targets and their weights.
type Weights = Vec<(String, u16)>;

/// Old and new, and what is between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Versions {
    /// The Service that leads to them.
    pub service: ServiceId,
    /// Its name.
    pub service_name: String,
    /// The Upstream that lists the targets of both.
    pub upstream: String,
    /// The old one.
    pub stable: Version,
    /// The new one.
    pub canary: Version,
    /// Fresh targets of the old version, as many as the new one has: they start with those and get as much, as long as that is
    /// no more than half.
    pub baseline: Option<Version>,
    /// What users are divided by; requests are when there is nothing.
    pub by_key: Option<ByKey>,
}

/// How users are divided: who has moved stays while the share grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByKey {
    /// What is a user's key.
    pub key: SplitKey,
    /// What makes this division independent of others.
    pub salt: String,
}

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// The Upstream of its own, if it has one.
    pub upstream: Option<String>,
    /// Its targets.
    pub members: Vec<Member>,
}

/// A target of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its mock.
    pub mock: u32,
    /// `v1-1:80`
    pub target: String,
    /// What it counts among those of its version, at least 1.
    pub weight: u16,
    /// Its weight in the shared Upstream at the start.
    pub initial: u16,
}

impl Version {
    /// Its mocks.
    pub fn mocks(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.mock).collect()
    }

    /// What each member counts, in the smallest numbers that say so.
    fn units(&self) -> Vec<u64> {
        let common = self.members.iter().fold(0, |common, member| gcd(common, member.weight.into())).max(1);
        self.members.iter().map(|member| u64::from(member.weight) / common).collect()
    }
}

impl Versions {
    /// The weight of each target at which the new version has this share, 0 to 1: old ones first. A baseline gets as much as the
    /// new version, or what is left.
    fn weights(&self, share: f64) -> (Weights, Weights) {
        // Whole percents make weights that people recognise.
        let percent = share * 100.0;
        let whole = if (percent - percent.round()).abs() < 1e-9 { 100 } else { 10_000 };
        let new = (share * whole as f64).round() as u64;
        let fresh = if self.baseline.is_some() { new.min(whole - new) } else { 0 };
        let mut parts = vec![(&self.stable, whole - new - fresh), (&self.canary, new)];
        parts.extend(self.baseline.as_ref().map(|baseline| (baseline, fresh)));
        let mut weights = divide(&parts, whole != 100).into_iter();
        let (mut old, canary) = (weights.next().unwrap_or_default(), weights.next().unwrap_or_default());
        old.extend(weights.flatten());
        (old, canary)
    }

    /// The targets that start with the rollout: those of the new version and of the baseline.
    pub fn fresh(&self) -> Vec<u32> {
        self.canary.mocks().into_iter().chain(self.baseline.iter().flat_map(Version::mocks)).collect()
    }

    /// The targets that go once the new version is the stable one.
    pub fn old(&self) -> Vec<u32> {
        self.stable.mocks().into_iter().chain(self.baseline.iter().flat_map(Version::mocks)).collect()
    }

    fn weighted(&self, (target, weight): (String, u16)) -> TargetWeight {
        TargetWeight { upstream: self.upstream.clone(), target, weight }
    }

    /// Everything back to the old version, whatever the weights are now: the new one is left first.
    pub fn all_to_stable(&self) -> Action {
        if self.by_key.is_some() {
            return self.split(None);
        }
        let fresh = self.canary.members.iter().chain(self.baseline.iter().flat_map(|it| &it.members));
        let fresh = fresh.map(|member| (member.target.clone(), 0));
        let initial = |member: &Member| if member.initial > 0 { member.initial } else { member.weight };
        let stable = self.stable.members.iter().map(|member| (member.target.clone(), initial(member)));
        Action::SetWeight { share: 0.0, weights: fresh.chain(stable).map(|w| self.weighted(w)).collect() }
    }

    /// This share of users, or none any more, goes to the new version's own Upstream.
    fn split(&self, share: Option<f64>) -> Action {
        let to = self.by_key.as_ref().zip(share).map(|(by_key, share)| SplitTo {
            host: self.canary.upstream.clone().unwrap_or_else(|| self.upstream.clone()),
            // To a hundredth of a percent, as the gateway has it.
            percent: (share * 10_000.0).round() / 100.0,
            key: by_key.key.clone(),
            salt: by_key.salt.clone(),
        });
        Action::SetSplit(SplitRoute { service_name: self.service_name.clone(), to })
    }

    /// Weight 0 for some of the targets in the shared Upstream.
    pub fn out_of_rotation(&self, members: &[Member]) -> Vec<TargetWeight> {
        members.iter().map(|member| self.weighted((member.target.clone(), 0))).collect()
    }

    /// The new version's share at the start.
    pub fn initial_share(&self) -> f64 {
        if self.by_key.is_some() {
            return 0.0;
        }
        let sum = |version: &Version| version.members.iter().map(|m| f64::from(m.initial)).sum::<f64>();
        let (stable, canary) = (sum(&self.stable), sum(&self.canary));
        if canary > 0.0 { canary / (stable + canary) } else { 0.0 }
    }
}

/// The weights as steps leave them, one after the other.
#[derive(Clone, Debug)]
pub struct Shares {
    versions: Versions,
    share: f64,
    now: BTreeMap<String, u16>,
    /// Targets of the new version that run, once a step has said so; the first of them.
    running: Option<usize>,
}

impl Shares {
    /// As they are at the start.
    pub fn new(versions: &Versions) -> Self {
        let members = versions.stable.members.iter().chain(&versions.canary.members);
        let members = members.chain(versions.baseline.iter().flat_map(|baseline| &baseline.members));
        let now = members.map(|member| (member.target.clone(), member.initial)).collect();
        Self { share: versions.initial_share(), versions: versions.clone(), now, running: None }
    }

    /// The new version's share now.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// How many targets the new version has.
    pub fn targets(&self) -> usize {
        self.versions.canary.members.len()
    }

    /// The steps to so many running targets of the new version, and of the baseline, which share what it gets: new ones are ready before they get
    /// anything, those that go are drained before they end. With none of them the share is 0.
    pub fn scale(&mut self, targets: usize, ready_at_most: Duration, drain_at_most: Duration) -> Vec<Action> {
        let before = self.running.unwrap_or(0);
        let of = |range: std::ops::Range<usize>| {
            let versions = std::iter::once(&self.versions.canary).chain(&self.versions.baseline);
            versions.flat_map(|version| version.members[range.clone()].to_vec()).collect::<Vec<_>>()
        };
        let (new, gone) = (of(before.min(targets)..targets), of(targets.min(before)..before));
        let mocks = |members: &[Member]| members.iter().map(|member| member.mock).collect::<Vec<_>>();
        let mut steps = Vec::new();
        if targets > before {
            let mocks = mocks(&new);
            steps.extend([Action::Start(mocks.clone()), Action::WaitReady { mocks, at_most: ready_at_most }]);
        }
        self.running = Some(targets);
        if self.share > 0.0 {
            let share = if targets == 0 { 0.0 } else { self.share };
            steps.push(self.set(share));
        }
        if targets < before {
            let (mocks, weights) = (mocks(&gone), self.versions.out_of_rotation(&gone));
            let drain = Action::Drain { mocks: mocks.clone(), weights, at_most: drain_at_most };
            steps.extend([drain, Action::Stop(mocks)]);
        }
        let stable = self.versions.stable.members.len();
        steps.push(Action::Scaled(Scale { asked: None, canary: targets, stable }));
        steps
    }

    /// The weight of each target at which the new version has this share: who does not run has none.
    fn weights(&self, share: f64) -> (Weights, Weights) {
        let mut versions = self.versions.clone();
        let running = self.running.unwrap_or(usize::MAX).min(self.targets());
        let mut idle = versions.canary.members.split_off(running);
        idle.extend(versions.baseline.iter_mut().flat_map(|baseline| baseline.members.split_off(running)));
        let (stable, mut canary) = if versions.canary.members.is_empty() {
            let weight = |member: &Member| (member.target.clone(), member.weight);
            (versions.stable.members.iter().map(weight).collect(), Vec::new())
        } else {
            versions.weights(share)
        };
        canary.extend(idle.into_iter().map(|member| (member.target, 0)));
        (stable, canary)
    }

    /// The step to another share. First what lowers it, then what raises it, so that the larger of the old and the new share
    /// is never overshot on the way. Those that get less do in the reverse order: of targets alike the first have their turns first, so
    /// the last are owed more, and would be owed more yet where the first had less already.
    pub fn set(&mut self, share: f64) -> Action {
        if self.versions.by_key.is_some() {
            self.share = share;
            return self.versions.split(Some(share));
        }
        let (stable, canary) = self.weights(share);
        let is_rise = |(target, weight): &(String, u16)| self.now.get(target).is_some_and(|now| weight > now);
        let (stable_up, mut stable_down): (Vec<_>, Vec<_>) = stable.into_iter().partition(is_rise);
        let (canary_up, mut canary_down): (Vec<_>, Vec<_>) = canary.into_iter().partition(is_rise);
        stable_down.reverse();
        canary_down.reverse();
        let ordered = [canary_down, stable_up, canary_up, stable_down].concat();
        let mut weights = Vec::new();
        for (target, weight) in ordered {
            if self.now.insert(target.clone(), weight) != Some(weight) {
                weights.push(self.versions.weighted((target, weight)));
            }
        }
        self.share = share;
        Action::SetWeight { share, weights }
    }
}

/// Weights of the members of each version at which these parts of a whole go to them, as small as `is_reduced` asks for. Numbers
/// are large where many weights have little in common; what no weight can say is fitted, and nobody who gets something is lost.
fn divide(parts: &[(&Version, u64)], is_reduced: bool) -> Vec<Weights> {
    const MOST: u128 = 65_535;
    let units: Vec<Vec<u64>> = parts.iter().map(|(version, _)| version.units()).collect();
    let sums: Vec<u128> =
        units.iter().map(|units| units.iter().map(|&unit| u128::from(unit)).sum()).collect();
    let common = sums.iter().fold(1, |common, &sum| common / gcd(common, sum) * sum);
    let times: Vec<u128> =
        parts.iter().zip(&sums).map(|((_, part), sum)| u128::from(*part) * (common / sum)).collect();
    let shared =
        if is_reduced { times.iter().fold(0, |shared, &times| gcd(shared, times)).max(1) } else { 1 };
    let exact = |units: &[u64], times: u128| {
        units.iter().map(|&unit| u128::from(unit) * times / shared).collect::<Vec<_>>()
    };
    let exact: Vec<_> = units.iter().zip(&times).map(|(units, &times)| exact(units, times)).collect();
    let most = exact.iter().flatten().copied().max().unwrap_or(0);
    let fit = |exact: u128| {
        let fitted = if most > MOST { (exact * MOST / most).max(u128::from(exact > 0)) } else { exact };
        u16::try_from(fitted).unwrap_or(u16::MAX)
    };
    let weights = |(version, exact): (&Version, &Vec<u128>)| {
        version
            .members
            .iter()
            .zip(exact)
            .map(|(member, &exact)| (member.target.clone(), fit(exact)))
            .collect()
    };
    parts.iter().map(|(version, _)| *version).zip(&exact).map(weights).collect()
}

fn gcd<T: Copy + PartialEq + std::ops::Rem<Output = T> + From<u8>>(a: T, b: T) -> T {
    if b == T::from(0) { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str, from: u32, targets: u32, weight: u16, initial: u16) -> Version {
        let member = |n: u32| Member { mock: from + n, target: format!("{name}-{n}:80"), weight, initial };
        Version { name: name.into(), upstream: None, members: (0..targets).map(member).collect() }
    }

    fn versions(stable: u32, canary: u32) -> Versions {
        Versions {
            service: ServiceId(0),
            service_name: "shop".into(),
            upstream: "shop".into(),
            stable: version("v1", 0, stable, 1, 100),
            canary: version("v2", stable, canary, 1, 0),
            baseline: None,
            by_key: None,
        }
    }

    /// The share after each call of a step, beginning with `now`.
    fn shares(now: &mut BTreeMap<String, u16>, action: &Action) -> Vec<f64> {
        let Action::SetWeight { weights, .. } = action else { panic!("{action:?}") };
        let share = |now: &BTreeMap<String, u16>| {
            let sum = |name: &str| {
                let of = now.iter().filter(|(target, _)| target.starts_with(name));
                of.map(|(_, weight)| f64::from(*weight)).sum::<f64>()
            };
            sum("v2") / (sum("v1") + sum("v2"))
        };
        let mut seen = vec![share(now)];
        for weight in weights {
            now.insert(weight.target.clone(), weight.weight);
            seen.push(share(now));
        }
        seen
    }

    #[test]
    fn shares_are_met_exactly_and_never_overshot() {
        // Aim: the promise of `set`. Method: many sizes, up and down, the share after every single call.
        for (stable, canary) in [(1, 1), (2, 1), (1, 7), (3, 10), (10, 10), (12, 5)] {
            let versions = versions(stable, canary);
            let (mut steps, mut now) = (Shares::new(&versions), Shares::new(&versions).now);
            for share in [0.05, 0.2, 0.125, 0.5, 1.0, 0.3, 0.0] {
                let from = steps.share();
                let seen = shares(&mut now, &steps.set(share));
                let (last, most) = (seen[seen.len() - 1], seen.iter().copied().fold(0.0, f64::max));
                assert!((last - share).abs() < 1e-12, "{stable} {canary} {share}: {seen:?}");
                assert!(most <= from.max(share) + 1e-12, "{stable} {canary} {share}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_baseline_gets_what_the_new_version_gets_and_never_more_than_is_left() {
        // Aim: w to each of both and the rest to the old targets, to the request. Method: the weights after each step, and never
        // more for the new version on the way than before or after.
        for (stable, canary) in [(3, 1), (10, 2), (7, 3)] {
            let baseline = Some(version("base", stable + canary, canary, 1, 0));
            let versions = Versions { baseline, ..versions(stable, canary) };
            let (mut steps, mut now) = (Shares::new(&versions), Shares::new(&versions).now);
            for share in [0.05, 0.2, 0.125, 0.5, 0.8, 1.0, 0.3, 0.0] {
                let from = steps.share();
                let action = steps.set(share);
                let Action::SetWeight { weights, .. } = &action else { panic!("{action:?}") };
                let mut most = 0.0_f64;
                let of = |now: &BTreeMap<String, u16>, name: &str| {
                    let weight = |name: &str| -> f64 {
                        now.iter().filter(|(t, _)| t.starts_with(name)).map(|(_, w)| f64::from(*w)).sum()
                    };
                    weight(name) / weight("")
                };
                for weight in weights {
                    now.insert(weight.target.clone(), weight.weight);
                    most = most.max(of(&now, "v2"));
                }
                let expected = [share, share.min(1.0 - share), (1.0 - 2.0 * share).max(0.0)];
                for (name, expected) in ["v2", "base", "v1"].into_iter().zip(expected) {
                    let seen = of(&now, name);
                    assert!((seen - expected).abs() < 1e-12, "{stable} {canary} {share} {name}: {seen}");
                }
                assert!(most <= from.max(share) + 1e-12, "{stable} {canary} {share}: {most}");
            }
        }
    }

    #[test]
    fn only_targets_that_run_share_what_the_new_version_gets() {
        let mut shares = Shares::new(&versions(2, 4));
        let told = |actions: &[Action]| actions.iter().map(Action::in_words).collect::<Vec<_>>();
        let second = Duration::from_secs(1);
        let up = shares.scale(2, second, second);
        assert_eq!(told(&up), ["start", "wait_ready, at most 1 s", "set_canary_scale 2 of 4 targets"]);
        let Action::SetWeight { weights, .. } = shares.set(0.2) else { panic!() };
        let of_canary: Vec<_> = weights.iter().filter(|w| w.target.starts_with("v2")).collect();
        assert!(of_canary.iter().all(|w| w.target == "v2-0:80" || w.target == "v2-1:80"), "{of_canary:?}");
        let down = shares.scale(1, second, second);
        let Action::SetWeight { share, weights } = &down[0] else { panic!("{down:?}") };
        assert!(
            (share - 0.2).abs() < 1e-12 && weights.iter().any(|w| w.target == "v2-1:80" && w.weight == 0)
        );
        assert_eq!(told(&down[1..3]), ["drain, at most 1 s", "stop"]);
    }

    #[test]
    fn whole_percents_make_plain_weights() {
        let versions = versions(2, 1);
        let action = Shares::new(&versions).set(0.05);
        let Action::SetWeight { weights, .. } = &action else { panic!() };
        let told: Vec<_> = weights.iter().map(|w| (w.target.as_str(), w.weight)).collect();
        assert_eq!(told, [("v2-0:80", 10), ("v1-1:80", 95), ("v1-0:80", 95)]);
    }

    #[test]
    fn too_large_weights_are_fitted_and_nobody_is_lost() {
        let mut versions = versions(2, 2);
        versions.stable.members[0].weight = 65_535;
        let (stable, canary) = versions.weights(0.01);
        assert!(stable.iter().chain(&canary).all(|(_, weight)| *weight > 0), "{stable:?} {canary:?}");
        assert_eq!(stable[0].1, 65_535);
    }

    #[test]
    fn the_way_back_leaves_the_new_version_first() {
        let Action::SetWeight { weights, .. } = versions(1, 2).all_to_stable() else { panic!() };
        let told: Vec<_> = weights.iter().map(|w| (w.target.as_str(), w.weight)).collect();
        assert_eq!(told, [("v2-0:80", 0), ("v2-1:80", 0), ("v1-0:80", 100)]);
    }
}
