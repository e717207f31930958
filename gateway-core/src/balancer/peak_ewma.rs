//! Peak EWMA: of two different targets drawn evenly the one with the smaller response time * (requests in flight + 1) / weight
//! (finagle's `PeakEwma`; the estimate is linkerd's, `linkerd/ewma`: reading it changes nothing). A response time above the
//! faded estimate replaces it at once; one below is blended in, 1 - exp(-dt / 10 s) of it. Estimates fade with 10 s, so a target
//! that turned slow is avoided at once and tried again little by little.
//!
//! A weight divides the cost (an addition of ours; there are none in finagle).
//!
//! O(1), no lock. Of costs within a seven-hundredth of each other either may be taken for the smaller one (see
//! [`Glance::is_less`]). Who has not answered yet is taken to need the median of the others when the epoch began, else 30 ms
//! (linkerd's default), from the first time it is drawn on; that fades like any other: after a switch to new targets a default
//! far above what they need would else keep them idle for good.
//!
//! A failure, or a 5xx, counts as an answer of twice what was known (see `estimate`), so that a target that fails at once is
//! avoided as a slow one, the more the more often it fails.
//!
//! Pathologies: one slow answer of a target that is well costs it its share for seconds.

use std::hint::select_unpredictable;

use rand::Rng as _;

use super::crew::{Crew, Seat};
use super::draw::{self, Draw};
use super::estimate::Learned;
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor};
use crate::time::Instant;

/// Targets that are compared.
const CHOICES: usize = 2;

/// The peak-ewma balancer of one epoch.
#[derive(Debug)]
pub struct PeakEwma {
    crew: Crew,
    /// Seconds that who is new is taken to need.
    usual: f64,
}

impl PeakEwma {
    /// A balancer that goes on from what is known.
    pub fn new(setup: Setup<'_>) -> Self {
        let crew = Crew::new(setup);
        Self { usual: crew.usual_seconds(), crew }
    }

    /// What a request costs there.
    fn cost(&self, seat: &Seat, now: Instant) -> Learned {
        seat.seconds(now, self.usual).times((seat.in_flight() + 1.0) / seat.weight())
    }

    /// For a request that was tried already, or where there are too few to draw.
    #[inline(never)]
    fn pick_otherwise(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let (now, draw) = (ask.now, Draw::Evenly(self.crew.len()));
        self.crew.best_of_some((CHOICES, &draw), ask, |seat| self.cost(seat, now))
    }

    /// Of two the better one, where one was never looked at before, or not for minutes.
    #[cold]
    #[inline(never)]
    fn better(&self, (first, second): (usize, usize), now: Instant) -> usize {
        let cost = |member| self.cost(self.crew.seat(member), now);
        if cost(second).is_less(cost(first)) { second } else { first }
    }
}

/// Whether [`PeakEwma::cost`] is less of `one`, at a glance; times the weights of both, so that nothing has to be divided.
#[inline]
fn is_less_at_once(one: &Seat, other: &Seat) -> Option<bool> {
    let burden = |seat: &Seat| Some(seat.load.response_time().glance()?.times(seat.requests_about()));
    let (one_burden, other_burden) = (burden(one)?, burden(other)?);
    one_burden.times(other.weight_about()).is_less(other_burden.times(one.weight_about()))
}

impl Balancer for PeakEwma {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        // What nearly always comes, and nothing else, in line.
        let members = self.crew.len();
        if members < CHOICES || !ask.tried.is_empty() {
            return self.pick_otherwise(ask);
        }
        let (first, second) = draw::two_of(members, ask.rng.next_u64());
        match is_less_at_once(self.crew.seat(second), self.crew.seat(first)) {
            Some(is_less) => Ok(Choice::of(select_unpredictable(is_less, second, first))),
            None => Ok(Choice::of(self.better((first, second), ask.now))),
        }
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.pick(ask)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }

    fn listens(&self) -> bool {
        true
    }

    fn on_finish(&self, member: usize, ended: &Ended) {
        let response_time = self.crew.seat(member).load.response_time();
        let usual = || response_time.at(ended.now).map_or(self.usual, Learned::faded);
        if let Some(seconds) = ended.lesson(usual) {
            response_time.learn(ended.now, |known| known.map_or(seconds, |known| known.peaked(seconds)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts};
    use crate::entity::Algorithm;

    const NAME: Algorithm = Algorithm::PeakEwma;

    /// Requests that each member gets in a second, which take 4 ms, but `slow` ones at member 0.
    fn second(site: &mut Site, slow: u64) -> Vec<usize> {
        site.serve(1000, |site, member| site.end(member, if member == 0 { slow } else { 4 }))
    }

    #[test]
    fn who_turns_slow_is_avoided_and_comes_back() {
        let mut site = Site::new(NAME, &[1; 4]);
        // What new ones are taken to need has faded by then.
        let well = (0..60).map(|_| second(&mut site, 4)).last().unwrap();
        assert!(well.iter().all(|&n| n > 100), "{well:?}");
        let sick = second(&mut site, 400);
        assert!(sick[0] <= 2, "{sick:?}");
        // It fades from 400 ms to 4 ms in 10 s * ln 100 = 46 s.
        let back: Vec<_> = (0..60).map(|_| second(&mut site, 4)[0]).collect();
        assert_eq!(back[..40].iter().sum::<usize>(), 0, "{back:?}");
        assert!(back[55..].iter().all(|&n| n > 100), "{back:?}");
    }

    #[test]
    fn peaks_replace_and_the_rest_is_blended_in() {
        let mut site = Site::new(NAME, &[1]);
        let mut known = |millis, pause| {
            site.pass(pause);
            site.begin();
            site.end(0, millis);
            site.seconds(0)
        };
        assert!((known(100, 0) - 0.1).abs() < 1e-7);
        assert!((known(200, 1) - 0.2).abs() < 1e-7);
        // By hand: 0.2 * e^-1 + 0.05 * (1 - e^-1) = 0.105182.
        assert!((known(50, 10_000) - 0.105_182).abs() < 2e-6);
    }

    #[test]
    fn who_is_new_counts_as_the_median_and_weights_divide() {
        let mut site = Site::new(NAME, &[1, 1]);
        assert_eq!(counts(&mut site, 20, false), [10, 10], "30 ms each");
        let mut site = Site::new(NAME, &[1, 1, 1]);
        site.answers(&[10, 40, 90]);
        site.change(&[0, 1, 0, 4]);
        // The median of what is left is 40 ms; four times the weight holds four times the requests.
        let held = counts(&mut site, 50, false);
        assert!(held[1].abs_diff(40) <= 1, "{held:?}");
    }

    #[test]
    fn who_fails_at_once_is_avoided_like_a_slow_one() {
        let mut site = Site::new(NAME, &[1, 1, 1]);
        second(&mut site, 4);
        let counts =
            site.serve(1000, |site, member| if member == 0 { site.refuse(0) } else { site.end(member, 4) });
        assert!(counts[0] <= 3, "{counts:?}");
        assert_eq!(site.again(&[1, 2]), 0);
    }
}
