//! An event simulation of one Upstream: requests come at random times (Poisson), each target serves one at a time in order of
//! arrival, and how long that takes is exponential. Time is virtual; the same seed gives the same numbers everywhere.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::balancer::{Ask, Balancer, Ended, Load, Member, Recipe, Setup, make};
use gateway_core::entity::{Algorithm, Upstream};
use gateway_core::id::TargetId;
use gateway_core::outcome::Outcome;
use gateway_core::rng::{Rng, stream};
use gateway_core::rules::Rules;
use gateway_core::time::{Instant, nanos};
use rand::Rng as _;

/// What a target of speed 1 needs for a request on average; the unit of what comes out.
const SERVICE: Duration = Duration::from_millis(10);
/// The first tenth of the requests is not counted.
const WARM_UP: usize = 10;
/// Response times are averaged in so many batches, whose spread tells the error of the mean.
const BATCHES: usize = 20;

/// What is simulated.
pub(crate) struct Plan {
    /// Requests that each target serves in a service time. All have the same weight.
    pub(crate) speeds: Vec<f64>,
    /// Requests that come in a service time.
    pub(crate) rate: f64,
    /// How many come in all.
    pub(crate) requests: usize,
}

/// What came out.
pub(crate) struct Report {
    /// Share of the requests of each target.
    pub(crate) shares: Vec<f64>,
    /// Mean response time, in service times.
    pub(crate) mean: f64,
    /// Standard error of the mean.
    pub(crate) error: f64,
}

/// Targets at work.
struct World {
    balancer: Box<dyn Balancer>,
    loads: Vec<Load>,
    /// When each target has served all that it has.
    free_at: Vec<Instant>,
    /// Requests under way: end, number, member, arrival.
    under_way: BinaryHeap<Reverse<(Instant, usize, usize, Instant)>>,
    rng: Rng,
}

impl Plan {
    /// Simulates it.
    pub(crate) fn run(&self, algorithm: Algorithm) -> Report {
        let mut world = World::new(algorithm, self.speeds.len());
        let mut dice = stream(7, "arrivals", 0);
        let (mut now, mut counts) = (Instant::ZERO, vec![0_u32; self.speeds.len()]);
        let first = self.requests / WARM_UP;
        let mut times = Vec::with_capacity(self.requests - first);
        for number in 0..self.requests {
            now = now + exponential(1.0 / self.rate, &mut dice);
            world.finish_until(now);
            let member = world.pick(now);
            let took = world.serve(now, number, member, exponential(1.0 / self.speeds[member], &mut dice));
            if number >= first {
                counts[member] += 1;
                times.push(took.as_secs_f64() / SERVICE.as_secs_f64());
            }
        }
        Report::new(&counts, &times)
    }
}

impl Report {
    fn new(counts: &[u32], times: &[f64]) -> Self {
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
        let batches: Vec<_> = times.chunks_exact(times.len() / BATCHES).map(mean).collect();
        let spread = batches.iter().map(|batch| (batch - mean(&batches)).powi(2)).sum::<f64>();
        let batches = batches.len() as f64;
        Self {
            shares: counts.iter().map(|&count| f64::from(count) / times.len() as f64).collect(),
            mean: mean(times),
            error: (spread / (batches - 1.0) / batches).sqrt(),
        }
    }
}

impl World {
    fn new(algorithm: Algorithm, targets: usize) -> Self {
        let member = |i| Member::new(TargetId(i as u32), 100);
        let loads: Vec<_> = (0..targets).map(|_| Load::default()).collect();
        let setup = Setup {
            members: (0..targets).map(member).collect(),
            loads: loads.clone(),
            names: vec![0; targets],
            all: Arc::default(),
            recipe: &Recipe::new(&Upstream { algorithm, ..Upstream::new("u") }, Rules::Careful),
            rng: &mut stream(7, "epoch", 0),
        };
        Self {
            balancer: make(setup),
            loads,
            free_at: vec![Instant::ZERO; targets],
            under_way: BinaryHeap::new(),
            rng: stream(7, "picks", 0),
        }
    }

    fn pick(&mut self, now: Instant) -> usize {
        let ask = &mut Ask { now, rng: &mut self.rng, key: None, tried: &[] };
        let member = self.balancer.pick(ask).map_or(0, |choice| choice.member());
        self.loads[member].enter();
        member
    }

    /// Queues a request; how long it will take in all.
    fn serve(&mut self, now: Instant, number: usize, member: usize, service: Duration) -> Duration {
        let end = self.free_at[member].max(now) + service;
        self.free_at[member] = end;
        self.under_way.push(Reverse((end, number, member, now)));
        end.since(now)
    }

    fn finish_until(&mut self, now: Instant) {
        while let Some(&Reverse((end, _, member, began))) = self.under_way.peek()
            && end <= now
        {
            self.under_way.pop();
            self.loads[member].leave();
            let outcome = Outcome::Answered { status: 200 };
            self.balancer
                .on_finish(member, &Ended { outcome, response_time: Some(end.since(began)), now: end });
        }
    }
}

/// A time of so many service times on average.
fn exponential(mean: f64, dice: &mut Rng) -> Duration {
    let uniform = (dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    Duration::from_nanos((-(1.0 - uniform).ln() * mean * nanos(SERVICE) as f64) as u64)
}
