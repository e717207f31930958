//! A station that serves first in, first out and says at once when whoever arrives will depart: nobody who comes later can
//! change that. The same departures and refusals as [`Station`](super::Station) has, for those who need not watch it work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::time::Duration;

use gateway_core::time::Instant;

use super::{Discipline, Full, Places};

/// A station whose departures are known at arrival.
// Small: there is one for each of thousands of targets.
#[derive(Debug)]
pub struct Ahead {
    newest: Instant,
    servers: Servers,
    /// Where places are limited.
    room: Option<Box<Room>>,
}

/// When each server that was ever needed has done what it was given so far.
#[derive(Debug)]
enum Servers {
    /// As many as there are requests.
    Unlimited,
    /// The only one there is.
    One(Instant),
    Several(Box<Several>),
}

#[derive(Debug)]
struct Several {
    capacity: usize,
    free: BinaryHeap<Reverse<Instant>>,
}

/// A limited number of places.
#[derive(Debug)]
struct Room {
    places: usize,
    /// When those who have one depart.
    present: BinaryHeap<Reverse<Instant>>,
}

/// The server that is free first.
type Next<'a> = PeekMut<'a, Reverse<Instant>>;

impl Ahead {
    /// An empty station; `None` when later arrivals slow down those who are there.
    ///
    /// # Panics
    /// When it could serve nobody.
    pub fn new(places: Places) -> Option<Self> {
        let Places { capacity, queue, discipline } = places;
        assert!(capacity != Some(0), "a station serves somebody");
        let room = |(capacity, queue): (usize, usize)| Room {
            places: capacity.saturating_add(queue),
            present: BinaryHeap::new(),
        };
        (discipline == Discipline::Fifo).then(|| Self {
            newest: Instant::ZERO,
            servers: match capacity {
                None => Servers::Unlimited,
                Some(1) => Servers::One(Instant::ZERO),
                Some(capacity) => Servers::Several(Box::new(Several { capacity, free: BinaryHeap::new() })),
            },
            room: capacity.zip(queue).map(room).map(Box::new),
        })
    }

    /// When somebody arrived last.
    pub fn newest(&self) -> Instant {
        self.newest
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
        let Some(room) = &mut self.room else { return Ok(self.servers.serve(now, demand)) };
        while room.present.peek().is_some_and(|Reverse(at)| *at <= now) {
            room.present.pop();
        }
        if room.present.len() >= room.places {
            return Err(Full);
        }
        let end = self.servers.serve(now, demand);
        room.present.push(Reverse(end));
        Ok(end)
    }
}

impl Servers {
    /// Whoever is free first serves: when that is over.
    fn serve(&mut self, now: Instant, demand: Duration) -> Instant {
        let Several { capacity, free } = match self {
            Self::Unlimited => return now + demand,
            Self::One(free) => {
                *free = (*free).max(now) + demand;
                return *free;
            }
            Self::Several(several) => several.as_mut(),
        };
        let (servers, capacity) = (free.len(), *capacity);
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
