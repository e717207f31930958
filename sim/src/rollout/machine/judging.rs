//! The machine's judges: which of them watch, and what each attempt is to them.

use gateway_core::gateway::{Finished, NewEpoch};
use gateway_core::id::{Epoch, UpstreamId};
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use crate::mock::Behind;
use crate::rollout::Rollout;
use crate::rollout::judge::{
    Analysis, Before, Evidence, Judge, On, Reference, Sample, Side, Unit, User, Verdict,
};

/// Whose each request is, by its number.
pub struct Users(Box<dyn Fn(u64) -> User + Send>);

impl Users {
    /// As this function says.
    pub fn new(user: impl Fn(u64) -> User + Send + 'static) -> Self {
        Self(Box::new(user))
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Users")
    }
}

/// All analyses of a rollout.
#[derive(Debug)]
pub(super) struct Judging {
    watches: Vec<Watch>,
    users: Users,
    sides: Vec<Option<Side>>,
    /// The Upstream whose weights divide requests.
    shared: Option<UpstreamId>,
    /// The canary's share of its picks before anything has changed.
    initial_share: f64,
    /// The canary's share in each epoch that has begun since at each node.
    shares: FxHashMap<(u16, UpstreamId, Epoch), Share>,
    /// The canary's share of attempts from each moment on, as steps set it where no weights do; in order.
    by_steps: Vec<(Instant, f64)>,
    /// First tries so far, of both and of the canary.
    tries: (u64, u64),
    /// Since when requests go where they go now, where no share is set; and first tries made since, of both and of the canary.
    unchanged: (Instant, u64, u64),
    /// The analysis that the step under way waits for.
    asked: Option<usize>,
    /// Somebody was seen to have a verdict.
    has_word: bool,
}

/// The canary's share of picks, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    of_all: f64,
    /// Of those of the canary and the baseline alone.
    of_fresh: f64,
}

impl Share {
    /// Where there is no baseline.
    fn of_two(share: f64) -> Self {
        Self { of_all: share, of_fresh: 1.0 }
    }
}

#[derive(Debug)]
struct Watch {
    analysis: Analysis,
    /// What the old version did before the new one was asked anything.
    before: Before,
    judge: Option<Judge>,
    /// Its verdict was told.
    is_told: bool,
}

impl Judging {
    pub(super) fn new(rollout: &Rollout, users: Users) -> Self {
        let watch = |analysis: &Analysis| Watch {
            analysis: analysis.clone(),
            before: Before::of(analysis),
            judge: None,
            is_told: false,
        };
        Self {
            watches: rollout.analyses.iter().map(watch).collect(),
            users,
            sides: rollout.sides.clone(),
            shared: rollout.shared,
            initial_share: rollout.initial_share,
            shares: FxHashMap::default(),
            by_steps: Vec::new(),
            tries: (0, 0),
            unchanged: (Instant::ZERO, 0, 0),
            asked: None,
            has_word: false,
        }
    }

    pub(super) fn analysis(&self, at: usize) -> &Analysis {
        &self.watches[at].analysis
    }

    /// First tries at the new version that are over.
    pub(super) fn canary_tries(&self) -> u64 {
        self.tries.1
    }

    fn side(&self, mock: u32) -> Option<Side> {
        self.sides.get(mock as usize).copied().flatten()
    }

    /// Who may be picked from now on, and so the share of each version.
    pub(super) fn began(&mut self, epoch: &NewEpoch, mocks: &Behind) {
        let (mut canary, mut baseline, mut all) = (0_u64, 0_u64, 0_u64);
        for member in epoch.members.iter().filter(|member| member.available) {
            let Some(side) = mocks.get(member.target).and_then(|mock| self.side(mock)) else { continue };
            let weight = u64::from(member.weight);
            all += weight;
            match side {
                Side::Canary => canary += weight,
                Side::Baseline => baseline += weight,
                Side::Stable => {}
            }
        }
        if all > 0 {
            let of = |all: u64| canary as f64 / all.max(1) as f64;
            let share = Share { of_all: of(all), of_fresh: of(canary + baseline) };
            self.shares.insert((epoch.node, epoch.upstream, epoch.epoch), share);
        }
    }

    /// An attempt of a request that was first tried at `mock` is over.
    pub(super) fn finished(&mut self, request: u64, attempt: &Finished, mock: u32) {
        let is_first = attempt.number == 0;
        let Some(side) = self.side(mock).filter(|_| is_first || attempt.is_last) else { return };
        let shares = self.share(attempt);
        if is_first {
            self.tries.0 += 1;
            self.tries.1 += u64::from(side == Side::Canary);
            if attempt.began > self.unchanged.0 {
                self.unchanged.1 += 1;
                self.unchanged.2 += u64::from(side == Side::Canary);
            }
        }
        let Finished { at, service, outcome, .. } = *attempt;
        let latency = at.since(attempt.first.began);
        for (number, watch) in self.watches.iter_mut().enumerate() {
            let on = watch.analysis.on;
            let counts = match on {
                On::Attempts => is_first,
                On::Answers => attempt.is_last && !attempt.is_copy,
            };
            let is_fresh = watch.analysis.reference == Reference::Baseline;
            if !counts || (is_fresh && side == Side::Stable) {
                continue;
            }
            let share = if is_fresh { shares.of_fresh } else { shares.of_all };
            let user = (watch.analysis.unit == Unit::Keys).then(|| (self.users.0)(request));
            let sample = Sample { at, service, side, share, on, outcome, latency, request, user };
            let may_begin = watch.analysis.in_background || self.asked == Some(number);
            match &mut watch.judge {
                Some(judge) => {
                    judge.see(&sample);
                    let verdict = judge.verdict(at).filter(|_| !watch.is_told);
                    self.has_word |=
                        verdict.is_some_and(|verdict| verdict == Verdict::Fail || self.asked == Some(number));
                }
                None if side == Side::Canary && may_begin => {
                    let mut judge = Judge::new(&watch.analysis, &watch.before, at);
                    judge.see(&sample);
                    watch.judge = Some(judge);
                }
                None if side != Side::Canary => {
                    if let Some(is_bad) = watch.analysis.bad.is(&sample) {
                        watch.before.add(at, attempt.service, is_bad);
                    }
                }
                None => {}
            }
        }
    }

    /// A step sets the canary's share of attempts, from `now` on. While it `is_under_way` the larger of the old and the new one
    /// counts: a share that is too large only ever speaks for the canary.
    pub(super) fn share_is(&mut self, share: f64, is_under_way: bool, now: Instant) {
        let before = self.by_steps.last().map_or(0.0, |&(_, share)| share);
        self.by_steps.push((now, if is_under_way { share.max(before) } else { share }));
    }

    /// A step has led requests elsewhere that sets no share: what was seen of it so far says nothing any more.
    pub(super) fn led_elsewhere(&mut self, now: Instant) {
        self.unchanged = (now, 0, 0);
    }

    /// The canary's share of picks when a request was first tried: by weights, or by the last step that set one. Where neither
    /// divides requests it is what it was since they go where they go now; of few it is near one half, for a share that is too large
    /// only ever speaks for the canary.
    fn share(&self, attempt: &Finished) -> Share {
        let Finished { node, upstream, first, .. } = *attempt;
        let known = upstream.and_then(|upstream| self.shares.get(&(node, upstream, first.epoch)));
        let step = self.by_steps.iter().rfind(|(from, _)| *from <= first.began);
        match (known, step) {
            (Some(&share), _) if upstream == self.shared => share,
            (None, _) if upstream.is_some() && upstream == self.shared => Share::of_two(self.initial_share),
            (_, Some(&(_, share))) if share > 0.0 => Share::of_two(share),
            _ => {
                let (_, tries, canary) = self.unchanged;
                Share::of_two((canary + 1) as f64 / (tries + 2) as f64)
            }
        }
    }

    /// A step asks for a verdict from now on.
    pub(super) fn ask(&mut self, analysis: usize) {
        self.asked = Some(analysis);
        let watch = &mut self.watches[analysis];
        (watch.judge, watch.is_told) = (None, false);
    }

    /// No verdict is asked for any more.
    pub(super) fn ask_nothing(&mut self) {
        self.asked = None;
    }

    /// The next verdict, once: a fail of any judge, and whatever the one that is asked says.
    pub(super) fn decided(&mut self, now: Instant) -> Option<(usize, Verdict)> {
        let asked = self.asked;
        self.has_word = false;
        self.watches.iter_mut().enumerate().find_map(|(number, watch)| {
            let verdict = watch.judge.as_mut().filter(|_| !watch.is_told)?.verdict(now)?;
            let counts = verdict == Verdict::Fail || asked == Some(number);
            watch.is_told = counts;
            counts.then_some((number, verdict))
        })
    }

    /// What an analysis says when there is no more time.
    pub(super) fn last_verdict(&mut self, analysis: usize, now: Instant) -> Verdict {
        self.watches[analysis].judge.as_mut().map_or(Verdict::NoData, |judge| judge.last_verdict(now))
    }

    /// Analyses that watch all along and have said nothing so far.
    pub(super) fn in_background(&self) -> Vec<usize> {
        let is_open = |watch: &Watch| watch.analysis.in_background && !watch.is_told;
        (0..self.watches.len()).filter(|&number| is_open(&self.watches[number])).collect()
    }

    pub(super) fn evidence(&self, analysis: usize) -> Evidence {
        let judge = self.watches[analysis].judge.as_ref();
        judge.map_or_else(Evidence::default, Judge::evidence)
    }

    /// When a verdict may come by time alone.
    pub(super) fn next_time(&self) -> Instant {
        if self.has_word {
            return Instant::ZERO;
        }
        let judges =
            self.watches.iter().filter(|watch| !watch.is_told).filter_map(|watch| watch.judge.as_ref());
        judges.map(Judge::next_time).min().unwrap_or(Instant::MAX)
    }

    /// Everything is said: nobody watches any more.
    pub(super) fn end(&mut self) {
        self.watches.iter_mut().for_each(|watch| watch.is_told = true);
        self.asked = None;
    }
}
