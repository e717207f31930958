//! C3: the smallest R - 1/mu + q^3/mu (Suresh and others 2015): R the response time that we see, 1/mu the service time of the
//! target, q = 1 + requests in flight + the queue that its answers met. The cube keeps away from long queues, whatever the
//! response times say.
//!
//! There is no field in an answer that says a target's queue or service time. So the queue is what is in flight at it, as all
//! workers count it together, averaged over its answers; and a target that shares itself out among q requests takes q times
//! its service time, so 1/mu is R / (1 + that average). All averages count one answer a tenth (0.9, as the paper's).
//!
//! A weight divides the score (an addition of ours; C3 knows none).
//!
//! O(members). Of equals the first from a place that is drawn. Who has not answered yet is tried at once, with one
//! request; meanwhile it counts as the median of the others, else 30 ms. A failure, or a 5xx, counts as a slow answer (see `estimate`).
//!
//! Pathologies: averages count by answers, not by time, so a target that was slow and gets nothing is not tried again
//! before the others are as crowded as the cube says; it comes back when load rises, not when time passes.

use super::crew::{Crew, Seat};
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor, draw};
use crate::time::Instant;

/// The C3 balancer of one epoch.
#[derive(Debug)]
pub struct C3 {
    crew: Crew,
    /// Seconds that who is new is taken to need.
    usual: f64,
}

impl C3 {
    /// A balancer that goes on from what is known.
    pub fn new(setup: Setup<'_>) -> Self {
        let crew = Crew::new(setup);
        Self { usual: crew.usual_seconds(), crew }
    }

    fn score(&self, seat: &Seat, now: Instant) -> f64 {
        let answers = seat.answers(now);
        if answers.is_none() && seat.load.in_flight() == 0 {
            return 0.0;
        }
        let (response_time, queue) = answers.unwrap_or((self.usual, 0.0));
        let service_time = response_time / (1.0 + queue);
        let expected = 1.0 + seat.in_flight() + queue;
        (response_time - service_time + expected.powi(3) * service_time) / seat.weight()
    }
}

impl Balancer for C3 {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let start = draw::below(self.crew.len(), ask.rng);
        self.crew.scan(start, ask.tried, |seat| self.score(seat, ask.now))
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
        self.crew.seat(member).answered(ended, self.usual);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts};
    use crate::entity::Algorithm;

    const NAME: Algorithm = Algorithm::C3;

    #[test]
    fn alike_targets_share_alike() {
        let mut site = Site::new(NAME, &[1; 5]);
        assert_eq!(counts(&mut site, 100, false), [20; 5]);
        // One at a time, so all are idle each time: give or take four standard deviations.
        let spread = counts(&mut Site::new(NAME, &[1; 5]), 10_000, true);
        assert!(spread.iter().all(|&n| n.abs_diff(2000) < 4 * 40), "{spread:?}");
    }

    #[test]
    fn eight_times_as_slow_holds_half() {
        // Without a queue in the answers a score is R q^3: 8 = 2^3 times R is as good at half the requests.
        let mut site = Site::new(NAME, &[1, 1]);
        site.answers(&[10, 80]);
        let held = counts(&mut site, 300, false);
        assert!(held[0].abs_diff(200) <= 1, "{held:?}");
        assert_eq!(site.again(&[0]), 1);
    }

    #[test]
    fn answers_that_met_a_queue_count_against_their_target() {
        let mut site = Site::new(NAME, &[1, 1]);
        for _ in 0..5 {
            site.load(0).enter();
        }
        site.end(0, 10);
        site.load(1).enter();
        site.end(1, 10);
        for _ in 0..4 {
            site.load(0).leave();
        }
        assert_eq!(site.begin(), 1, "both are idle now, but one had a queue");
    }
}
