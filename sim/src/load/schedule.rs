//! Every request of a run whose moment is known beforehand, in order of time: what arrives, when, of which stream and kind,
//! by whom. A pure function of load and seed, the same in both engines and on any machine.

use std::iter::Peekable;

use gateway_core::time::Instant;

use super::moments::Moments;
use super::{Load, Numbering};

/// A request that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0. Those of a stream follow each other, from [`Numbering::first`] on.
    pub index: u64,
    /// When it should be sent.
    pub intended: Instant,
    /// Which of the load's streams it belongs to.
    pub stream: usize,
    /// Its template, as an index into [`Load::templates`].
    pub kind: usize,
    /// Whose it is: the key that hashing and stickiness go by.
    pub user: u64,
    /// Whose turn it is in a closed loop; 0 in an open one.
    pub vu: u32,
}

/// The open loops of a load: closed ones have no schedule.
pub struct Schedule {
    numbering: Numbering,
    streams: Vec<Peekable<Moments>>,
}

impl Schedule {
    /// The schedule of `load` under `seed`.
    pub fn new(load: &Load, seed: u64) -> Self {
        let streams = load.streams.iter().map(|stream| Moments::new(stream, seed).peekable()).collect();
        Self { numbering: Numbering::new(load, seed), streams }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    /// Moments never go back; at the same one the stream that stands first in the file comes first.
    fn next(&mut self) -> Option<Arrival> {
        let moments = self.streams.iter_mut().enumerate();
        let (_, stream) = moments.filter_map(|(at, stream)| Some((stream.peek()?.1, at))).min()?;
        let (nth, intended) = self.streams[stream].next()?;
        Some(self.numbering.arrival(stream, nth, intended, 0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{Arrivals, ClosedLoop, RequestMix, RequestTemplate, Shape, Stream};
    use crate::mock::Latency;

    fn stream(name: &str, rate: f64, arrivals: Arrivals) -> Stream {
        let mix = RequestMix::new(vec![RequestTemplate::get("/")]).unwrap();
        Stream { name: name.into(), arrivals, ..Stream::constant(rate, Duration::from_secs(10), mix) }
    }

    #[test]
    fn streams_are_merged_in_order_of_time_and_keep_their_own_moments() {
        // Aim: each stream of a mixture arrives exactly as it does alone, and the whole never goes back. Method: compare.
        let streams = [stream("a", 100.0, Arrivals::Even), stream("b", 70.0, Arrivals::Poisson)];
        let all: Vec<_> = Schedule::new(&Load::of(streams.to_vec()), 42).collect();
        assert_eq!(all.len(), 1700);
        assert!(all.windows(2).all(|w| (w[0].intended, w[0].stream) <= (w[1].intended, w[1].stream)));
        for (number, stream) in streams.iter().enumerate() {
            let alone = Schedule::new(&Load::of(vec![stream.clone()]), 42).map(|arrival| arrival.intended);
            assert!(
                all.iter().filter(|a| a.stream == number).map(|a| a.intended).eq(alone),
                "{}",
                stream.name
            );
        }
        let mut numbers: Vec<_> = all.iter().map(|arrival| arrival.index).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1700), "each number once");
    }

    #[test]
    fn a_closed_loop_beside_an_open_one_has_numbers_and_no_schedule() {
        let plan = ClosedLoop {
            vus: 2,
            think: Latency::Constant(Duration::ZERO),
            duration: Duration::from_secs(1),
            most: 1000,
        };
        let closed = Stream { shape: Shape::Closed(plan), ..stream("a", 1.0, Arrivals::Even) };
        let load = Load::of(vec![closed, stream("b", 1.0, Arrivals::Even)]);
        let all: Vec<_> = Schedule::new(&load, 42).collect();
        assert_eq!((all.len(), all[0].index, all[9].index), (10, 1000, 1009));
    }
}
