//! A station that serves first in, first out and says at once when whoever arrives will depart: nobody who comes later can
//! change that. The same departures and refusals as [`Station`](super::Station) has, for those who need not watch it work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::time::Duration;

use gateway_core::time::Instant;

use super::{Discipline, Full, Places};

/// A station whose departures are known at arrival.
#[derive(Debug)]
pub struct Ahead {
    places: Places,
    newest: Instant,
    servers: Servers,
    /// When those who are there depart; kept where places are limited.
    present: BinaryHeap<Reverse<Instant>>,
}

/// When each server that was ever needed has done what it was given so far.
#[derive(Debug)]
enum Servers {
    /// The only one there is.
    One(Instant),
    Several(BinaryHeap<Reverse<Instant>>),
}

/// The server that is free first.
type Next<'a> = PeekMut<'a, Reverse<Instant>>;

impl Ahead {
    /// An empty station; `None` when later arrivals slow down those who are there.
    ///
    /// # Panics
    /// When it could serve nobody.
    pub fn new(places: Places) -> Option<Self> {
        assert!(places.capacity != Some(0), "a station serves somebody");
        (places.discipline == Discipline::Fifo).then(|| Self {
            places,
            newest: Instant::ZERO,
            servers: match places.capacity {
                Some(1) => Servers::One(Instant::ZERO),
                _ => Servers::Several(BinaryHeap::new()),
            },
            present: BinaryHeap::new(),
        })
    }

    /// Somebody arrives and demands service: when that is over. At the same moment departures come first.
    ///
    /// # Errors
    /// When every place is taken.
    ///
    /// # Panics
    /// When time runs backwards.
    pub fn arrive(&mut self, now: Instant, demand: Duration) -> Result<Instant, Full> {
        assert!(now >= self.newest, "time runs backwards: {} to {now}", self.newest);
        self.newest = now;
        let Some(capacity) = self.places.capacity else { return Ok(now + demand) };
        if let Some(queue) = self.places.queue {
            while self.present.peek().is_some_and(|Reverse(at)| *at <= now) {
                self.present.pop();
            }
            if self.present.len() >= capacity.saturating_add(queue) {
                return Err(Full);
            }
        }
        let end = self.servers.serve(now, demand, capacity);
        if self.places.queue.is_some() {
            self.present.push(Reverse(end));
        }
        Ok(end)
    }
}

impl Servers {
    /// Whoever of up to `capacity` servers is free first serves: when that is over.
    fn serve(&mut self, now: Instant, demand: Duration, capacity: usize) -> Instant {
        let free = match self {
            Self::One(free) => {
                *free = (*free).max(now) + demand;
                return *free;
            }
            Self::Several(free) => free,
        };
        let servers = free.len();
        let is_next = |first: &Next<'_>| first.0 <= now || servers == capacity;
        if let Some(mut first) = free.peek_mut().filter(is_next) {
            first.0 = first.0.max(now) + demand;
            first.0
        } else {
            free.push(Reverse(now + demand));
            now + demand
        }
    }
}
