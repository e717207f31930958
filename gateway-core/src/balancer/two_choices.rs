//! Two choices: of `choices` different targets, drawn by weight, the one with the smallest (requests in flight + 1) / weight
//! (Mitzenmacher 2001; haproxy's `random(n)`, nginx's `random two least_conn`). Drawing different ones matters where there are
//! few: 3 targets at load 0.8 take 2.51 service times so, and 2.77 if one may be drawn twice.
//!
//! A weight is the probability of being drawn, and a divisor.
//!
//! O(choices), no lock, no state but the loads. Where there are no more targets than choices it is the best of all.
//!
//! Pathologies: a target that fails at once looks idle, but gets no more than the requests it is drawn for: `choices` times its
//! share at most. Heavy targets are drawn often and compared by weight too, so who is light gets a little less than its share
//! while little is in flight.

use super::crew::{Crew, Seat};
use super::draw::Draw;
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// The two-choices balancer of one epoch.
#[derive(Debug)]
pub struct TwoChoices {
    crew: Crew,
    draw: Draw,
    choices: usize,
}

impl TwoChoices {
    /// A balancer that draws by the members' weights.
    pub fn new(setup: Setup<'_>) -> Self {
        let choices = setup.recipe.tuning.choices.into();
        let crew = Crew::new(setup);
        Self { draw: Draw::by_weight(crew.members()), crew, choices }
    }
}

impl Balancer for TwoChoices {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.crew.best_of((self.choices, &self.draw), ask, Seat::crowding)
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.pick(ask)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts};
    use crate::entity::Algorithm;

    #[test]
    fn of_two_targets_it_takes_the_less_crowded() {
        let mut site = Site::new(Algorithm::TwoChoices, &[20, 50]);
        for _ in 0..70 {
            site.begin();
        }
        assert_eq!([site.in_flight(0), site.in_flight(1)], [20, 50]);
    }

    #[test]
    fn who_is_idle_is_drawn_as_the_weights_say() {
        // Of equals the first drawn wins, so with equal weights the shares are those of one draw: 10,000 give or take 4 x 87.
        let mut site = Site::new(Algorithm::TwoChoices, &[1; 4]);
        let counts = counts(&mut site, 40_000, true);
        assert!(counts.iter().all(|&n| n.abs_diff(10_000) < 350), "{counts:?}");
    }

    #[test]
    fn retries_avoid_those_tried_as_long_as_there_are_others() {
        let mut site = Site::new(Algorithm::TwoChoices, &[1, 1, 1, 1, 5000]);
        for _ in 0..100 {
            assert_eq!(site.again(&[0, 1, 2, 4]), 3);
        }
        assert!(site.again(&[0, 1, 2, 3, 4]) < 5);
    }
}
