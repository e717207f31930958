//! Kong's latency: the smallest faded average of response times over the weight (Kong, `runloop/balancer/latency.lua`). After
//! an answer e = e * x + rtt * (1 - x) with x = exp(-dt / 10 s), dt since the answer before; a score is e * exp(-age / 10 s)
//! / weight. Who is new starts at the mean of those that are known, from the first pick on.
//!
//! A weight divides a time: who weighs twice as much may be twice as slow.
//!
//! O(members): it looks at all, as Kong's releases did, whose constant says two. Its newest source compares only the first two of
//! a hash table, whose order means nothing; that is not followed.
//!
//! What an answer teaches: under our rules a failure, or a 5xx, counts as a slow one (see `estimate`); under Kong's it counts as
//! whatever it took, so that a fast error is a good score, and what has no answer does not count.
//!
//! Pathologies: nothing in the score is in flight, so between two answers all requests go to one target (herding), and the
//! more the longer answers take. Who is not picked fades toward zero until it is, so a slow target is tried again
//! every now and then, for as long as its first answer takes with everybody's requests.

use super::crew::Crew;
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor};
use crate::rules::Rules;

/// The latency balancer of one epoch.
#[derive(Debug)]
pub struct Latency {
    crew: Crew,
    /// Seconds that who is new starts with.
    mean: f64,
    rules: Rules,
}

impl Latency {
    /// A balancer that goes on from what is known.
    pub fn new(setup: Setup<'_>) -> Self {
        let rules = setup.recipe.rules;
        let crew = Crew::new(setup);
        let known = crew.response_times();
        Self { mean: known.iter().sum::<f64>() / known.len().max(1) as f64, crew, rules }
    }
}

impl Balancer for Latency {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.crew.scan(0, ask.tried, |seat| seat.seconds(ask.now, self.mean).times(1.0 / seat.weight()))
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
        let usual = || response_time.at(ended.now).map_or(self.mean, |known| known.value);
        let lesson = match self.rules {
            Rules::Kong => ended.response_time.map(|time| time.as_secs_f64()),
            Rules::Careful => ended.lesson(usual),
        };
        if let Some(seconds) = lesson {
            response_time.learn(ended.now, |known| known.map_or(seconds, |known| known.blended(seconds)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::super::testing::{Site, recipe};
    use super::*;
    use crate::entity::Algorithm;
    use crate::outcome::Outcome;

    const NAME: Algorithm = Algorithm::Latency;

    #[track_caller]
    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 2e-5 * expected, "{actual} for {expected}");
    }

    #[test]
    fn averages_are_kongs() {
        // Everybody starts at 0. By hand: 5 s later 0.2 s count 1 - e^-0.5 = 0.393469: 0.0786939. Another 10 s later 0.1 s
        // make 0.0786939 * 0.367879 + 0.1 * 0.632121 = 0.0921620.
        let mut site = Site::new(NAME, &[1, 1]);
        assert_eq!(site.begin(), 0);
        site.pass(5000);
        site.end(0, 200);
        assert_close(site.seconds(0), 0.078_693_9);
        assert_eq!(site.begin(), 1, "who has not answered yet still counts 0");
        site.load(0).enter();
        site.pass(10_000);
        site.end(0, 100);
        assert_close(site.seconds(0), 0.092_162_0);
    }

    #[test]
    fn scores_fade_and_weights_divide() {
        // By hand: 0: 0.0786939 after 5 s; 1: 0.3 * (1 - e^-1) = 0.189636 after 10 s, when 0 has faded to 0.0477303.
        let mut site = Site::new(NAME, &[1, 3]);
        site.begin();
        site.load(1).enter();
        site.pass(5000);
        site.end(0, 200);
        site.pass(5000);
        site.end(1, 300);
        // 0.0477303 / 1 against 0.189636 / 3 = 0.0632121.
        assert_eq!(site.begin(), 0);
        site.change(&[1, 4]);
        // Against 0.189636 / 4 = 0.0474091.
        assert_eq!(site.begin(), 1);
        // Both fade alike, so time alone changes nothing.
        site.pass(60_000);
        assert_eq!(site.begin(), 1);
    }

    #[test]
    fn who_joins_starts_at_the_mean_of_those_known() {
        let mut site = Site::new(NAME, &[1, 1]);
        site.begin();
        site.load(1).enter();
        site.pass(10_000);
        site.end(0, 100);
        site.end(1, 300);
        site.change(&[1, 1, 1]);
        assert_eq!(site.begin(), 0);
        assert_close(site.seconds(2), 0.2 * (1.0 - (-1.0_f64).exp()));
        assert_eq!(site.again(&[0]), 2);
    }

    #[test]
    fn a_fast_error_is_a_good_score_under_kongs_rules_only() {
        let after_errors = |recipe: Recipe| {
            let mut site = Site::with(recipe, &[1, 1]);
            site.begin();
            site.load(1).enter();
            site.pass(10_000);
            site.end(0, 100);
            site.end(1, 110);
            for _ in 0..20 {
                site.load(0).enter();
                site.pass(500);
                site.end_with(
                    0,
                    Outcome::Answered { status: 503 },
                    Some(std::time::Duration::from_millis(1)),
                );
                site.load(1).enter();
                site.end(1, 110);
            }
            site.begin()
        };
        assert_eq!(after_errors(Recipe { rules: Rules::Kong, ..recipe(NAME) }), 0);
        assert_eq!(after_errors(recipe(NAME)), 1);
    }
}
