//! Where requests wait and are served: they arrive with the service they demand and depart when they have had it. First in,
//! first out with so many servers, or processor sharing. Times are whole nanoseconds; leaves waiting for them to the engines.

mod ahead;
#[cfg(test)]
mod tests;

pub use ahead::Ahead;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use gateway_core::time::{Instant, nanos};

/// How those who are there are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// First in, first out: `capacity` are served, the others wait.
    #[default]
    Fifo,
    /// Processor sharing: all are served at once, each slower the more there are beyond `capacity`.
    Ps,
}

/// How many a station serves and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Requests served at once at full speed, above zero; `None` is no limit.
    pub capacity: Option<usize>,
    /// How many may be there beyond those; `None` is no limit.
    pub queue: Option<usize>,
    /// Who is served.
    pub discipline: Discipline,
}

/// Every place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A request that has had its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Its number, as given at its arrival.
    pub job: u64,
    /// When.
    pub at: Instant,
}

/// A station and who is in it.
///
/// All who are served are served at the same speed, so one number is enough for them: how much service somebody has had who
/// was served all along. It is counted in 2^-32 ns and rounded down: nobody departs early, nor, with processor sharing,
/// more than a nanosecond late for each change of speed.
#[derive(Debug)]
pub struct Station {
    places: Places,
    now: Instant,
    given: u128,
    served: BinaryHeap<Reverse<Served>>,
    waiting: VecDeque<(u64, Duration)>,
    counts: Counts,
}

/// A request in service: ordered by what will have been given when it departs, then by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Served {
    given_then: u128,
    number: u64,
    job: u64,
}

/// Requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Who came.
    pub arrived: u64,
    /// Of those, who found every place taken.
    pub refused: u64,
    /// Who was served, wholly or in part.
    pub begun: u64,
    /// Who has departed.
    pub departed: u64,
}

/// A nanosecond of service.
const NANO: u128 = 1 << 32;

impl Station {
    /// An empty station.
    ///
    /// # Panics
    /// When it could serve nobody.
    pub fn new(places: Places) -> Self {
        assert!(places.capacity != Some(0), "a station serves somebody");
        Self {
            places,
            now: Instant::ZERO,
            given: 0,
            served: BinaryHeap::new(),
            waiting: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// `job` arrives and demands service. At the same moment departures come first.
    ///
    /// # Errors
    /// When every place is taken.
    ///
    /// # Panics
    /// When somebody who is due by `now` has not departed, or time runs backwards.
    pub fn arrive(&mut self, now: Instant, job: u64, demand: Duration) -> Result<(), Full> {
        assert!(self.next_departure().is_none_or(|at| at > now), "somebody has not departed by {now}");
        self.advance(now);
        self.counts.arrived += 1;
        let result = if self.is_full() {
            self.counts.refused += 1;
            Err(Full)
        } else if self.has_server() {
            self.begin(job, demand);
            Ok(())
        } else {
            self.waiting.push_back((job, demand));
            Ok(())
        };
        self.check();
        result
    }

    /// When the next one departs, if nobody arrives before. Changed by [`Station::arrive`] and [`Station::depart`] only.
    pub fn next_departure(&self) -> Option<Instant> {
        let Reverse(next) = self.served.peek()?;
        let missing = next.given_then.saturating_sub(self.given);
        let (given, taken) = self.speed();
        let nanos = (missing * taken).div_ceil(NANO * given);
        Some(self.now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// The next one who is due by `now`, at the moment it is; whoever waits first takes the place.
    ///
    /// # Panics
    /// When the books do not balance: a bug.
    pub fn depart(&mut self, now: Instant) -> Option<Departure> {
        let at = self.next_departure().filter(|&at| at <= now)?;
        self.advance(at);
        let Reverse(served) = self.served.pop()?;
        assert!(served.given_then <= self.given, "job {} departs before it had its service", served.job);
        self.counts.departed += 1;
        if let Some((job, demand)) = self.waiting.pop_front() {
            self.begin(job, demand);
        }
        self.check();
        Some(Departure { job: served.job, at })
    }

    /// How many are served, and how many wait.
    pub fn present(&self) -> (usize, usize) {
        (self.served.len(), self.waiting.len())
    }

    /// What became of all who came.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn is_full(&self) -> bool {
        let (Some(capacity), Some(queue)) = (self.places.capacity, self.places.queue) else { return false };
        self.served.len() + self.waiting.len() >= capacity.saturating_add(queue)
    }

    fn has_server(&self) -> bool {
        match (self.places.discipline, self.places.capacity) {
            (Discipline::Fifo, Some(capacity)) => self.served.len() < capacity,
            (Discipline::Fifo, None) | (Discipline::Ps, _) => true,
        }
    }

    fn begin(&mut self, job: u64, demand: Duration) {
        let given_then = self.given + u128::from(nanos(demand)) * NANO;
        self.served.push(Reverse(Served { given_then, number: self.counts.begun, job }));
        self.counts.begun += 1;
    }

    /// Of each nanosecond, everybody who is served gets the first number divided by the second.
    fn speed(&self) -> (u128, u128) {
        let served = self.served.len() as u128;
        match self.places.capacity.map(|capacity| capacity as u128) {
            Some(capacity) if served > capacity => (capacity, served),
            _ => (1, 1),
        }
    }

    fn advance(&mut self, now: Instant) {
        assert!(now >= self.now, "time runs backwards: {} to {now}", self.now);
        let (given, taken) = self.speed();
        self.given += u128::from(nanos(now.since(self.now))) * NANO * given / taken;
        self.now = now;
    }

    /// Nobody is made up or lost, nobody waits beside an idle server, and no more are there than may be.
    fn check(&self) {
        let (served, waiting) = self.present();
        let Counts { arrived, refused, begun, departed } = self.counts;
        assert_eq!(arrived, refused + departed + (served + waiting) as u64, "arrivals are accounted for");
        assert_eq!(begun, departed + served as u64, "whoever began departs or is served");
        assert!(waiting == 0 || !self.has_server(), "somebody waits beside an idle server");
        if self.places.discipline == Discipline::Fifo {
            assert!(self.places.capacity.is_none_or(|capacity| served <= capacity), "more than capacity");
        }
    }
}
