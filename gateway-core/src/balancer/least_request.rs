//! Envoy's least request. Where all weights are equal: of `choices` targets drawn evenly, **with** replacement as there, the one
//! with the fewest requests in flight. Else the earliest deadline first, where a target that is picked is due again after
//! (requests in flight + 1)^bias / weight; `bias` is `active_request_bias` (Envoy, `least_request_lb.cc`, `edf_scheduler.h`).
//!
//! A weight is a share, lowered by what is in flight: bias 0 is plain weighted round-robin, and the larger it is the more
//! idle targets are preferred.
//!
//! O(choices) without a lock, or O(log members) under a short lock. What is in flight is read only when a target is picked, so
//! deadlines lag behind; that is the rule, not a fault.
//!
//! A retry draws `choices` by weight and takes the least crowded, so that no turn is lost.
//!
//! Pathologies: with equal weights one draw in as many as there are targets compares a target with itself. A target
//! that fails at once keeps its full share; outlier detection is for that. Epochs begin at deadline zero: a change of weights
//! forgets who was about to be due.

use super::crew::{Crew, Seat};
use super::draw::{self, Draw};
use super::lock::Lock;
use super::loser_tree::LoserTree;
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// The least-request balancer of one epoch.
#[derive(Debug)]
pub struct LeastRequest {
    crew: Crew,
    draw: Draw,
    choices: usize,
    bias: f64,
    /// One by the weight of each: after how long who is idle is due again.
    steps: Box<[f64]>,
    /// When each is due, in requests per weight; none where all weights are equal.
    deadlines: Option<Lock<LoserTree>>,
}

impl LeastRequest {
    /// A balancer for which everybody is due once in its turn by weight.
    pub fn new(setup: Setup<'_>) -> Self {
        let tuning = &setup.recipe.tuning;
        let (choices, bias) = (tuning.choices.into(), tuning.active_request_bias);
        let crew = Crew::new(setup);
        let draw = Draw::by_weight(crew.members());
        let steps: Box<[_]> = crew.seats().map(|seat| 1.0 / seat.weight()).collect();
        let deadlines = match draw {
            Draw::Evenly(_) => None,
            Draw::Alias(_) => Some(Lock::new(LoserTree::new(&steps))),
        };
        Self { crew, draw, choices, bias, steps, deadlines }
    }

    /// The best of some that are drawn evenly, of which one may be drawn twice.
    fn best_drawn(&self, ask: &mut Ask<'_>) -> Option<usize> {
        let members = self.crew.len();
        let drawn = (0..self.choices).map(|_| draw::below(members, ask.rng));
        drawn.min_by_key(|&member| self.crew.seat(member).load.in_flight())
    }

    /// Who is due first, and is due again later.
    fn due(&self, deadlines: &Lock<LoserTree>) -> Option<usize> {
        deadlines.lock().next(|member| {
            let seat = self.crew.seat(member);
            // Nothing waits for a division, or a load, where little is in flight.
            match seat.load.in_flight() {
                0 => self.steps[member],
                in_flight => self.burden(in_flight + 1) / seat.weight(),
            }
        })
    }

    /// What so many requests count where one is one: the usual bias, and the one to turn it off, need no power.
    fn burden(&self, requests: u32) -> f64 {
        match self.bias {
            1.0 => requests.into(),
            0.0 => 1.0,
            bias => f64::from(requests).powf(bias),
        }
    }
}

impl Balancer for LeastRequest {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        if self.crew.len() == 0 {
            return Err(NoChoice);
        }
        let member = match &self.deadlines {
            None => self.best_drawn(ask),
            Some(deadlines) => self.due(deadlines),
        };
        member.map(Choice::of).ok_or(NoChoice)
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.crew.best_of((self.choices, &self.draw), ask, Seat::crowding)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::testing::{Site, counts, recipe};
    use crate::entity::{Algorithm, Tuning};

    const NAME: Algorithm = Algorithm::LeastRequest;

    fn biased(active_request_bias: f64, weights: &[u32]) -> Site {
        let tuning = Tuning { active_request_bias, ..Tuning::default() };
        Site::with(Recipe { tuning, ..recipe(NAME) }, weights)
    }

    #[test]
    fn equal_weights_take_the_better_of_two_draws() {
        // Of two targets the busy one is only picked when both draws are of it: 10,000 of 40,000, give or take 4 x 87.
        let mut site = Site::new(NAME, &[5, 5]);
        site.load(0).enter();
        let counts = counts(&mut site, 40_000, true);
        assert!(counts[0].abs_diff(10_000) < 350, "{counts:?}");
    }

    #[test]
    fn without_bias_it_is_earliest_deadline_first() {
        let mut site = biased(0.0, &[3, 2, 1]);
        let order: Vec<_> = (0..6).map(|_| site.begin()).collect();
        // Deadlines by hand: 0 at 1/3, 2/3, 1; 1 at 1/2, 1; 2 at 1.
        assert_eq!(order, [0, 1, 0, 0, 1, 2]);
        assert_eq!(counts(&mut site, 6000, false), [3000, 2000, 1000]);
    }

    #[test]
    fn who_is_busy_is_due_later() {
        // Target 0 holds nine, so its weight counts as 2 / 10 against 1: one of six.
        let mut site = biased(1.0, &[2, 1]);
        for _ in 0..9 {
            site.load(0).enter();
        }
        let some = counts(&mut site, 6000, true);
        assert!(some[0].abs_diff(1000) <= 1, "{some:?}");
        // With the square of it 2 / 100 against 1: one of 51.
        let mut site = biased(2.0, &[2, 1]);
        for _ in 0..9 {
            site.load(0).enter();
        }
        let few = counts(&mut site, 5100, true);
        assert!(few[0].abs_diff(100) <= 1, "{few:?}");
    }

    #[test]
    fn retries_avoid_those_tried_and_leave_the_turns_alone() {
        let mut site = biased(0.0, &[3, 2, 1]);
        for _ in 0..50 {
            assert_eq!(site.again(&[0, 1]), 2);
        }
        assert!(site.again(&[0, 1, 2]) < 3);
        assert_eq!(counts(&mut site, 6, true), [3, 2, 1]);
    }
}
