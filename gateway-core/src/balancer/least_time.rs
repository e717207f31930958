//! nginx's least time: the smallest t * (requests in flight + 1) / weight (nginx, `ngx_http_upstream_least_time_module.c`,
//! mode `header`). The average counts by number: 0.95 * average + 0.05 * response time. It halves for each 10 s without an
//! answer, so that who was slow gets another chance. Then t is the next multiple of 20 ms above it, so that who is about as fast
//! counts as just as fast; above 5 s all count as 5 s.
//!
//! A weight is a divisor, as in least-connections.
//!
//! O(members). Of equals the first from a place that is drawn (nginx goes round by weight among them).
//!
//! Failures, 5xx and clients that left teach nothing, as there ("to mitigate preferring of failing peers"). So a target that
//! fails at once keeps its average, but has nothing in flight and draws requests: outlier detection is for that.

use super::crew::{Crew, Seat};
use super::estimate::Learned;
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor, draw};
use crate::time::Instant;

/// What one more answer counts.
const SHARE: f64 = 0.05;
/// Averages are the same up to a multiple of this, in milliseconds.
const CLUSTER_MS: f64 = 20.0;
/// All averages above this are the same, in milliseconds.
const SLOW_MS: f64 = 5000.0;
/// After so many seconds without an answer an average halves: nginx's `fail_timeout`.
const HALVES_AFTER: f64 = 10.0;

/// The least-time balancer of one epoch.
#[derive(Debug)]
pub struct LeastTime {
    crew: Crew,
}

impl LeastTime {
    /// A balancer that goes on from what is known.
    pub fn new(setup: Setup<'_>) -> Self {
        Self { crew: Crew::new(setup) }
    }
}

impl Balancer for LeastTime {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let start = draw::below(self.crew.len(), ask.rng);
        self.crew.scan(start, ask.tried, |seat| {
            clustered_ms(seat, ask.now) * (seat.in_flight() + 1.0) / seat.weight()
        })
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
        let Some(seconds) = ended.response_time.filter(|_| !ended.is_bad()) else { return };
        let seconds = seconds.as_secs_f64();
        let rule = |known: Option<Learned>| known.map_or(seconds, |known| known.averaged(seconds, SHARE));
        self.crew.seat(member).load.response_time().learn(ended.now, rule);
    }
}

/// A target's average as it is compared; the first cluster when nothing is known.
fn clustered_ms(seat: &Seat, now: Instant) -> f64 {
    let halved = |known: Learned| 1000.0 * known.value * (-(known.age() / HALVES_AFTER).floor()).exp2();
    let average = seat.load.response_time().at(now).map_or(0.0, halved);
    if average > SLOW_MS { SLOW_MS } else { CLUSTER_MS * ((average / CLUSTER_MS).floor() + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts};
    use super::*;
    use crate::entity::Algorithm;
    use crate::outcome::Outcome;

    const NAME: Algorithm = Algorithm::LeastTime;

    /// The cluster of target 0, so many milliseconds after an answer that took `answer`.
    fn cluster_after(answer: u64, idle: u64) -> f64 {
        let mut site = Site::new(NAME, &[1]);
        site.begin();
        site.end(0, answer);
        site.pass(idle);
        clustered_ms(&Seat::new(site.load(0).clone(), 1), site.now)
    }

    #[test]
    fn averages_round_up_to_twenty_milliseconds_and_halve() {
        let clusters = [(0, 0), (19, 0), (21, 0), (5010, 0), (90, 9000), (90, 11_000), (90, 21_000)];
        let expected = [20.0, 20.0, 40.0, 5000.0, 100.0, 60.0, 40.0];
        for ((answer, idle), expected) in clusters.into_iter().zip(expected) {
            assert!((cluster_after(answer, idle) - expected).abs() < 1e-9, "{answer} ms, {idle} ms later");
        }
    }

    #[test]
    fn one_answer_counts_a_twentieth_and_failures_nothing() {
        let mut site = Site::new(NAME, &[1]);
        for millis in [100, 200] {
            site.begin();
            site.end(0, millis);
        }
        site.begin();
        site.end_with(0, Outcome::Answered { status: 500 }, Some(std::time::Duration::ZERO));
        assert!((site.seconds(0) - 0.105).abs() < 1e-6, "{}", site.seconds(0));
    }

    #[test]
    fn who_is_four_times_as_slow_holds_a_quarter() {
        let mut site = Site::new(NAME, &[1, 1]);
        site.answers(&[90, 390]);
        // 100 ms against 400 ms: the smallest of 100 * (n + 1) and 400 * (m + 1).
        let held = counts(&mut site, 99, false);
        assert!(held[0].abs_diff(80) <= 1, "{held:?}");
        assert_eq!(site.again(&[0]), 1);
    }
}
