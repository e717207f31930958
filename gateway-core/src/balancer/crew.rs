//! Those who may be picked together with their loads, and the two ways of looking at them that the load-aware algorithms
//! share: at all of them, and at some that are drawn. The smallest score wins.

use std::hint::select_unpredictable;

use super::draw::{self, Draw};
use super::estimate::{Estimate, Learned};
use super::{Ask, Choice, Ended, Load, Member, NoChoice, Setup};
use crate::id::TargetId;
use crate::time::Instant;

/// What a target is taken to need when nobody has answered yet: linkerd's default, 30 ms.
const SECONDS_BY_DEFAULT: f64 = 0.03;

/// What one more answer counts where an average goes by their number: C3's 0.1.
const ANSWER_SHARE: f64 = 0.1;

/// The available members of one epoch.
#[derive(Debug)]
pub(super) struct Crew {
    members: Box<[Member]>,
    seats: Box<[Seat]>,
}

/// What is looked at of one member.
#[derive(Debug)]
pub(super) struct Seat {
    /// With its weight noted.
    pub(super) load: Load<u32>,
}

/// Requests for each weight. Compared without rounding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowding {
    requests: u32,
    weight: u32,
}

/// What the smallest of is wanted.
pub(super) trait Score: Copy {
    /// Nobody's: more than any other.
    const WORST: Self;

    /// Without a branch: which is less, and why, is chance and would be guessed wrong.
    fn is_less(self, other: Self) -> bool;
}

impl Score for f64 {
    const WORST: Self = Self::INFINITY;

    fn is_less(self, other: Self) -> bool {
        self < other
    }
}

impl Score for Learned {
    const WORST: Self = Self::new(f64::INFINITY);

    fn is_less(self, other: Self) -> bool {
        self.is_less(other)
    }
}

impl Score for Crowding {
    const WORST: Self = Self { requests: 1, weight: 0 };

    fn is_less(self, other: Self) -> bool {
        let crossed = |one: Self, other: Self| u64::from(one.requests) * u64::from(other.weight);
        crossed(self, other) < crossed(other, self)
    }
}

impl Crew {
    pub(super) fn new(setup: Setup<'_>) -> Self {
        let Setup { members, loads, .. } = setup.available();
        let seat = |(member, load): (&Member, Load)| Seat::new(load, member.weight);
        let seats = members.iter().zip(loads).map(seat).collect();
        Self { members: members.into(), seats }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn seat(&self, member: usize) -> &Seat {
        &self.seats[member]
    }

    pub(super) fn seats(&self) -> impl ExactSizeIterator<Item = &Seat> {
        self.seats.iter()
    }

    /// Index of a target.
    pub(super) fn index(&self, target: TargetId) -> Option<usize> {
        self.members.binary_search_by_key(&target, |member| member.target).ok()
    }

    /// Looks at all, from `start` on, preferring who was not tried. Of equals the first wins. O(members).
    pub(super) fn scan<K: Score>(
        &self,
        start: usize,
        tried: &[TargetId],
        score: impl Fn(&Seat) -> K,
    ) -> Result<Choice, NoChoice> {
        self.least(start, tried, &score)
            .or_else(|| self.least(start, &[], &score))
            .map(Choice::of)
            .ok_or(NoChoice)
    }

    /// The least crowded of all, of equals the first. Four at a time, the best of which meets the best so far: a comparison waits
    /// for one in four of those before it.
    pub(super) fn least_crowded(&self) -> Option<usize> {
        let better = |one: (usize, Crowding), other: (usize, Crowding)| {
            if other.1.is_less(one.1) { other } else { one }
        };
        let (fours, rest) = self.seats.as_chunks::<4>();
        let (mut best, mut at) = ((usize::MAX, Crowding::WORST), 0);
        for four in fours {
            let [a, b, c, d] = four.each_ref().map(Seat::crowding);
            best = better(best, better(better((at, a), (at + 1, b)), better((at + 2, c), (at + 3, d))));
            at += 4;
        }
        for seat in rest {
            best = better(best, (at, seat.crowding()));
            at += 1;
        }
        (best.0 < at).then_some(best.0)
    }

    /// Looks at `choices` different ones that are drawn, preferring who was not tried; at all when there are no more. Of
    /// equals the first drawn wins. O(choices).
    #[inline]
    pub(super) fn best_of<K: Score>(
        &self,
        (choices, draw): (usize, &Draw),
        ask: &mut Ask<'_>,
        score: impl Fn(&Seat) -> K,
    ) -> Result<Choice, NoChoice> {
        // What nearly always comes, and nothing else, in line.
        if choices != 2 || self.len() < 2 || !ask.tried.is_empty() {
            return self.best_of_some((choices, draw), ask, score);
        }
        let (first, second) = draw.two(ask.rng);
        if first == second {
            return Ok(self.best_beside((first, draw), ask, score));
        }
        Ok(Choice::of(self.better((first, second), score)))
    }

    /// As [`Self::best_of`], of two where the same was drawn twice.
    #[cold]
    #[inline(never)]
    fn best_beside<K: Score>(
        &self,
        (first, draw): (usize, &Draw),
        ask: &mut Ask<'_>,
        score: impl Fn(&Seat) -> K,
    ) -> Choice {
        let second = draw.beside(first, ask.rng);
        Choice::of(self.better((first, second), score))
    }

    /// Of two the one with the smaller score, of equals the first.
    #[inline]
    fn better<K: Score>(&self, (first, second): (usize, usize), score: impl Fn(&Seat) -> K) -> usize {
        let scores = (score(&self.seats[first]), score(&self.seats[second]));
        select_unpredictable(scores.1.is_less(scores.0), second, first)
    }

    /// As [`Self::best_of`], for any number.
    #[inline(never)]
    pub(super) fn best_of_some<K: Score>(
        &self,
        (choices, draw): (usize, &Draw),
        ask: &mut Ask<'_>,
        score: impl Fn(&Seat) -> K,
    ) -> Result<Choice, NoChoice> {
        let is_fit = |member: usize| !ask.tried.contains(&self.members[member].target);
        if self.len() > choices
            && let Some(member) = draw.best(choices, ask.rng, is_fit, |member| score(&self.seats[member]))
        {
            return Ok(Choice::of(member));
        }
        self.scan(draw::below(self.len(), ask.rng), ask.tried, score)
    }

    /// Seconds that the members were last known to need, those of whom anything is known.
    pub(super) fn response_times(&self) -> Vec<f64> {
        let known = |seat: &Seat| seat.load.response_time().at(Instant::ZERO).map(|known| known.value);
        self.seats.iter().filter_map(known).collect()
    }

    /// What one of whom nothing is known is taken to need: the median of the others.
    pub(super) fn usual_seconds(&self) -> f64 {
        let mut known = self.response_times();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).copied().unwrap_or(SECONDS_BY_DEFAULT)
    }

    fn least<K: Score>(&self, start: usize, tried: &[TargetId], score: impl Fn(&Seat) -> K) -> Option<usize> {
        let (mut best, mut least) = (None, K::WORST);
        for step in start..start + self.len() {
            let member = if step < self.len() { step } else { step - self.len() };
            let score = score(&self.seats[member]);
            if score.is_less(least) && !tried.contains(&self.members[member].target) {
                (best, least) = (Some(member), score);
            }
        }
        best
    }
}

impl Seat {
    pub(super) fn new(load: Load, weight: u32) -> Self {
        Self { load: load.with(weight) }
    }

    /// Requests per weight if it got one more: (in flight + 1) / weight.
    pub(super) fn crowding(&self) -> Crowding {
        self.crowding_with(1)
    }

    /// Seconds it is thought to need at `now`, which fade; who is new starts with `start`.
    pub(super) fn seconds(&self, now: Instant, start: f64) -> Learned {
        let response_time = self.load.response_time();
        response_time.at(now).unwrap_or_else(|| newcomer(response_time, now, start))
    }

    /// Seconds that its answers took and requests that were in flight when they came, both averaged; nothing before the first.
    pub(super) fn answers(&self, now: Instant) -> Option<(f64, f64)> {
        let seconds = self.load.response_time().at(now)?.value;
        Some((seconds, self.load.queue().at(now).map_or(0.0, |known| known.value)))
    }

    /// One more answer, which counts [`ANSWER_SHARE`] in both averages, at a target that `usual` is known of when nothing else
    /// is. False when it teaches nothing.
    pub(super) fn answered(&self, ended: &Ended, usual: f64) -> bool {
        let usual = || self.answers(ended.now).map_or(usual, |(seconds, _)| seconds);
        let Some(seconds) = ended.lesson(usual) else { return false };
        let average = |estimate: &Estimate, sample: f64| {
            estimate
                .learn(ended.now, |known| known.map_or(sample, |known| known.averaged(sample, ANSWER_SHARE)));
        };
        average(self.load.response_time(), seconds);
        average(self.load.queue(), self.in_flight());
        true
    }

    pub(super) fn in_flight(&self) -> f64 {
        self.load.in_flight().into()
    }

    /// Requests per weight if it got `more`.
    pub(super) fn crowding_with(&self, more: u32) -> Crowding {
        Crowding { requests: self.load.in_flight() + more, weight: *self.load.note() }
    }

    /// Requests if it got one more, to seven digits: for costs that are estimates anyway.
    #[inline]
    pub(super) fn requests_about(&self) -> f32 {
        (self.load.in_flight() + 1) as f32
    }

    /// Its weight, to seven digits, if it is below 2^31.
    #[inline]
    pub(super) fn weight_about(&self) -> f32 {
        self.load.note().cast_signed() as f32
    }

    /// Its weight as a number to count with.
    pub(super) fn weight(&self) -> f64 {
        f64::from(*self.load.note())
    }
}

impl Crowding {
    /// As a number to count with.
    pub(super) fn per_weight(self) -> f64 {
        f64::from(self.requests) / f64::from(self.weight)
    }
}

/// One of whom nothing is known is taken to need `start` from now on.
#[cold]
#[inline(never)]
fn newcomer(response_time: &Estimate, now: Instant, start: f64) -> Learned {
    response_time.learn(now, |known| known.map_or(start, |known| known.value));
    Learned::new(start)
}
