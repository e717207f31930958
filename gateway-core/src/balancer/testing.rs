//! What the tests of all algorithms need: members, a question with nothing special about it, and a site in virtual time whose
//! requests begin and end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Ask, Balancer, Ended, Load, Member, Recipe, Setup, hash, make};
use crate::entity::{Algorithm, Upstream};
use crate::id::TargetId;
use crate::outcome::{Failure, Outcome};
use crate::rng::{self, Rng};
use crate::rules::Rules;
use crate::time::Instant;

/// Members 0, 1, 2, ... with these weights, all available.
pub(super) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(i, &weight)| Member::new(TargetId(i as u32), weight);
    weights.iter().enumerate().map(member).collect()
}

/// A recipe for `algorithm` with everything else as it is by default.
pub(super) fn recipe(algorithm: Algorithm) -> Recipe {
    Recipe::new(&Upstream { algorithm, ..Upstream::new("u") }, Rules::Careful)
}

/// A setup of `members` that nobody has a load at yet, each called by its number.
pub(super) fn setup<'a>(members: Vec<Member>, recipe: &'a Recipe, rng: &'a mut Rng) -> Setup<'a> {
    let loads = members.iter().map(|_| Load::default()).collect();
    let names = members.iter().map(|member| hash(&member.target.0.to_le_bytes())).collect();
    Setup { members, loads, names, all: Arc::default(), recipe, rng }
}

/// A generator.
pub(super) fn dice(seed: u64) -> Rng {
    rng::stream(seed, "test", 0)
}

/// A first try at time zero, known by nothing.
pub(super) fn ask(rng: &mut Rng) -> Ask<'_> {
    Ask { now: Instant::ZERO, rng, key: None, tried: &[] }
}

/// Who is picked by so many first tries at time zero.
pub(super) fn picks(balancer: &dyn Balancer, n: usize) -> Vec<usize> {
    let mut rng = dice(0);
    (0..n).map(|_| balancer.pick(&mut ask(&mut rng)).unwrap().member()).collect()
}

/// A balancer with the loads of its targets. Weights are those of the targets 0, 1, 2, ...; whose weight is zero is gone.
pub(super) struct Site {
    pub(super) balancer: Box<dyn Balancer>,
    pub(super) now: Instant,
    loads: BTreeMap<TargetId, Load>,
    recipe: Recipe,
    rng: Rng,
}

impl Site {
    pub(super) fn new(algorithm: Algorithm, weights: &[u32]) -> Self {
        Self::with(recipe(algorithm), weights)
    }

    pub(super) fn with(recipe: Recipe, weights: &[u32]) -> Self {
        let mut rng = dice(1);
        let balancer = make(setup(vec![], &recipe, &mut rng));
        let mut site = Self { balancer, now: Instant::ZERO, loads: BTreeMap::new(), recipe, rng };
        site.change(weights);
        site
    }

    /// The next epoch.
    pub(super) fn change(&mut self, weights: &[u32]) {
        let members: Vec<_> = members(weights).into_iter().filter(|member| member.weight > 0).collect();
        let mut load = |member: &Member| self.loads.entry(member.target).or_default().clone();
        let loads = members.iter().map(&mut load).collect();
        let names = members.iter().map(|member| hash(&member.target.0.to_le_bytes())).collect();
        let (recipe, rng) = (&self.recipe, &mut self.rng);
        let setup = Setup { members, loads, names, all: Arc::default(), recipe, rng };
        self.balancer = self.balancer.succeed(setup).begin();
    }

    pub(super) fn members(&self) -> &[Member] {
        self.balancer.members()
    }

    pub(super) fn load(&self, member: usize) -> &Load {
        &self.loads[&self.members()[member].target]
    }

    pub(super) fn in_flight(&self, member: usize) -> u32 {
        self.load(member).in_flight()
    }

    /// A request begins.
    pub(super) fn begin(&mut self) -> usize {
        let mut ask = Ask { now: self.now, ..ask(&mut self.rng) };
        let member = self.balancer.pick(&mut ask).unwrap().member();
        self.load(member).enter();
        member
    }

    /// Who would get another try.
    pub(super) fn again(&mut self, tried: &[u32]) -> usize {
        let tried: Vec<_> = tried.iter().map(|&id| TargetId(id)).collect();
        let mut ask = Ask { now: self.now, tried: &tried, ..ask(&mut self.rng) };
        self.balancer.pick_again(&mut ask).unwrap().member()
    }

    /// A request has its answer, which took so many milliseconds.
    pub(super) fn end(&mut self, member: usize, millis: u64) {
        let response_time = Some(Duration::from_millis(millis));
        self.end_with(member, Outcome::Answered { status: 200 }, response_time);
    }

    pub(super) fn end_with(&mut self, member: usize, outcome: Outcome, response_time: Option<Duration>) {
        self.load(member).leave();
        self.balancer.on_finish(member, &Ended { outcome, response_time, now: self.now });
    }

    /// The target of a request refuses the connection at once.
    pub(super) fn refuse(&mut self, member: usize) {
        let cause = Failure::Refused;
        self.end_with(member, Outcome::Failed { cause, sent: false, replayable: true }, None);
    }

    /// Of one request each millisecond, each of which ends as `end` says before the next begins, how many each member gets.
    pub(super) fn serve(&mut self, requests: usize, end: impl Fn(&mut Self, usize)) -> Vec<usize> {
        let mut counts = vec![0; self.members().len()];
        for _ in 0..requests {
            self.pass(1);
            let member = self.begin();
            counts[member] += 1;
            end(self, member);
        }
        counts
    }

    /// One answer of each of the first members, which took so many milliseconds.
    pub(super) fn answers(&mut self, millis: &[u64]) {
        for (member, &millis) in millis.iter().enumerate() {
            self.load(member).enter();
            self.end(member, millis);
        }
    }

    /// Seconds that a member is known to need.
    pub(super) fn seconds(&self, member: usize) -> f64 {
        self.load(member).response_time().at(self.now).unwrap().value
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// Two threads that each hold up to four requests at a time, for 20,000 requests.
    pub(super) fn churn<'a, T: 'a>(balancer: &dyn Balancer, load: impl Fn(usize) -> &'a Load<T> + Sync) {
        let outcome = Outcome::Answered { status: 200 };
        let ended = Ended { outcome, response_time: Some(Duration::from_millis(1)), now: Instant::ZERO };
        let end = |member| {
            load(member).leave();
            balancer.on_finish(member, &ended);
        };
        let worker = |seed| {
            let (mut rng, mut held) = (dice(seed), std::collections::VecDeque::new());
            for _ in 0..20_000 {
                let member = balancer.pick(&mut ask(&mut rng)).unwrap().member();
                load(member).enter();
                held.push_back(member);
                if held.len() > 4 {
                    held.pop_front().into_iter().for_each(end);
                }
            }
            held.into_iter().for_each(end);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| worker(1));
            scope.spawn(|| worker(2));
        });
    }
}

/// How many of so many requests each member gets, when each ends at once or none does.
pub(super) fn counts(site: &mut Site, requests: usize, they_end: bool) -> Vec<usize> {
    let mut counts = vec![0; site.members().len()];
    for _ in 0..requests {
        let member = site.begin();
        counts[member] += 1;
        if they_end {
            site.end(member, 1);
        }
    }
    counts
}
