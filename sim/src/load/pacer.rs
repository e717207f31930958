//! What is due next, for an engine: the schedules of open loops and the turns of closed ones, all streams together. An engine
//! asks, waits, sends, and tells what has ended; it need not know what it carries out.

use std::iter::Peekable;

use gateway_core::time::Instant;

use super::closed::Turns;
use super::moments::Moments;
use super::{Arrival, Load, Numbering, Shape, numbering};

/// The requests of a run as they come due.
pub struct Pacer {
    numbering: Numbering,
    streams: Vec<Pace>,
    /// When the next one is due and of which stream: the first in the file at the same time.
    next: Option<(Instant, usize)>,
}

/// The requests of one stream.
enum Pace {
    /// Whatever happens.
    Open(Peekable<Moments>),
    /// As answers come.
    Closed(Turns),
}

impl Pacer {
    /// The requests of `load` under `seed`.
    pub fn new(load: &Load, seed: u64) -> Self {
        let pace = |stream: &super::Stream| match &stream.shape {
            Shape::Closed(plan) => Pace::Closed(Turns::new(plan.clone(), numbering::seed_of(stream, seed))),
            Shape::Rate(_) | Shape::Trace(_) => Pace::Open(Moments::new(stream, seed).peekable()),
        };
        let streams = load.streams.iter().map(pace).collect();
        let mut pacer = Self { numbering: Numbering::new(load, seed), streams, next: None };
        pacer.look();
        pacer
    }

    /// When the next request is due; `None` when there is none, or none before another ends.
    pub fn due(&self) -> Option<Instant> {
        self.next.map(|(due, _)| due)
    }

    /// The next request, if it is due.
    pub fn take(&mut self, now: Instant) -> Option<Arrival> {
        let (_, stream) = self.next.filter(|(due, _)| *due <= now)?;
        let (nth, intended, vu) = match &mut self.streams[stream] {
            Pace::Open(moments) => moments.next().map(|(nth, intended)| (nth, intended, 0))?,
            Pace::Closed(turns) => turns.take(now).map(|turn| (turn.nth, turn.intended, turn.vu))?,
        };
        self.look();
        Some(self.numbering.arrival(stream, nth, intended, vu))
    }

    /// A request has ended.
    pub fn ended(&mut self, stream: usize, vu: u32, at: Instant) {
        if let Pace::Closed(turns) = &mut self.streams[stream] {
            turns.ended(vu, at);
            self.look();
        }
    }

    /// Whether nothing will come due any more.
    pub fn is_over(&mut self, now: Instant) -> bool {
        self.due().is_none()
            && self.streams.iter_mut().all(|stream| match stream {
                Pace::Open(moments) => moments.peek().is_none(),
                Pace::Closed(turns) => turns.is_over(now),
            })
    }

    /// Ends it early. A request that an open loop still intends, until there is none; a closed loop intends none.
    pub fn abandon(&mut self) -> Option<Arrival> {
        for stream in &mut self.streams {
            if let Pace::Closed(turns) = stream {
                turns.stop();
            }
        }
        self.look();
        self.take(Instant::MAX)
    }

    /// Looks for the next request.
    fn look(&mut self) {
        let due = |stream: &mut Pace| match stream {
            Pace::Open(moments) => moments.peek().map(|(_, intended)| *intended),
            Pace::Closed(turns) => turns.due(),
        };
        // One is the rule, and this is asked for each request.
        if let [only] = self.streams.as_mut_slice() {
            self.next = due(only).map(|due| (due, 0));
            return;
        }
        let streams = self.streams.iter_mut().enumerate();
        self.next = streams.filter_map(|(at, stream)| Some((due(stream)?, at))).min();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{ClosedLoop, RequestMix, RequestTemplate, Schedule, Stream};
    use crate::mock::Latency;

    fn open(name: &str, rate: f64) -> Stream {
        let mix = RequestMix::new(vec![RequestTemplate::get("/")]).unwrap();
        Stream { name: name.into(), ..Stream::constant(rate, Duration::from_secs(1), mix) }
    }

    fn closed() -> Stream {
        let think = Latency::Constant(Duration::from_millis(400));
        let plan = ClosedLoop { vus: 1, think, duration: Duration::from_secs(1), most: 50 };
        Stream { shape: Shape::Closed(plan), ..open("closed", 1.0) }
    }

    #[test]
    fn open_loops_come_due_as_their_schedule_says() {
        let load = Load::of(vec![open("a", 30.0), open("b", 20.0)]);
        let mut pacer = Pacer::new(&load, 42);
        for arrival in Schedule::new(&load, 42) {
            assert_eq!(pacer.due(), Some(arrival.intended));
            assert_eq!(pacer.take(arrival.intended), Some(arrival));
        }
        assert!(pacer.is_over(Instant::ZERO) && pacer.take(Instant::MAX).is_none());
    }

    #[test]
    fn an_answer_is_told_to_the_stream_it_belongs_to() {
        let mut pacer = Pacer::new(&Load::of(vec![closed(), open("b", 1.0)]), 42);
        let at = |ms| Instant::from_millis(ms);
        let first = pacer.take(at(400)).unwrap();
        assert_eq!((first.index, first.stream), (0, 0));
        let second = pacer.take(at(500)).unwrap();
        assert_eq!((second.index, second.stream, second.intended), (50, 1, at(500)));
        assert!(pacer.due().is_none() && !pacer.is_over(at(500)), "the user waits for its answer");
        pacer.ended(second.stream, second.vu, at(510));
        assert!(pacer.due().is_none());
        pacer.ended(first.stream, first.vu, at(520));
        assert_eq!(pacer.due(), Some(at(920)));
    }

    #[test]
    fn what_an_open_loop_still_intends_is_told_when_it_is_abandoned() {
        let mut pacer = Pacer::new(&Load::of(vec![closed(), open("b", 3.0)]), 42);
        pacer.take(Instant::from_millis(200)).unwrap();
        let left: Vec<_> = std::iter::from_fn(|| pacer.abandon()).map(|arrival| arrival.index).collect();
        assert_eq!(left, [51, 52]);
        assert!(pacer.is_over(Instant::ZERO));
    }
}
