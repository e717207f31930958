//! Which request is which: its stream, its kind and its user, from its number alone. Numbers are handed out in blocks, one
//! for each stream in file order, so that what an answer does to a closed loop never moves the numbers of an open one.

use gateway_core::rng;
use gateway_core::time::Instant;

use super::{Arrival, Load, RequestMix, Stream, Users, stream};

/// The numbers of a run: a pure function of its load and its seed.
#[derive(Clone, Debug)]
pub struct Numbering {
    blocks: Vec<Block>,
    total: u64,
}

/// The numbers of one stream.
#[derive(Clone, Debug)]
struct Block {
    /// The number of its first request.
    first: u64,
    /// What its draws come from.
    seed: u64,
    /// Kinds of requests that the streams before it have.
    kinds_before: usize,
    mix: RequestMix,
    users: Users,
}

impl Numbering {
    /// The numbers of `load` under `seed`.
    pub fn new(load: &Load, seed: u64) -> Self {
        let mut numbering = Self { blocks: Vec::with_capacity(load.streams.len()), total: 0 };
        let mut kinds_before = 0;
        for stream in &load.streams {
            numbering.blocks.push(Block {
                first: numbering.total,
                seed: seed_of(stream, seed),
                kinds_before,
                mix: stream.requests.clone(),
                users: stream.users.clone(),
            });
            numbering.total += stream.total();
            kinds_before += stream.requests.templates().len();
        }
        numbering
    }

    /// How many numbers there are. In an open loop each is sent; a closed one has as many as it may send at most.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The number of the first request of a stream.
    pub fn first(&self, stream: usize) -> u64 {
        self.blocks[stream].first
    }

    /// The `nth` request of a stream, from 0, as it arrives.
    pub(super) fn arrival(&self, stream: usize, nth: u64, intended: Instant, vu: u32) -> Arrival {
        let block = &self.blocks[stream];
        let kind = block.kinds_before + block.mix.kind(block.seed, nth);
        let user = block.users.user(block.seed, nth);
        Arrival { index: block.first + nth, intended, stream, kind, user, vu }
    }

    /// The stream of a request, which of its stream it is, and its kind.
    pub fn which(&self, index: u64) -> (usize, u64, usize) {
        let stream = self.stream(index);
        let block = &self.blocks[stream];
        let nth = index - block.first;
        (stream, nth, block.kinds_before + block.mix.kind(block.seed, nth))
    }

    /// The stream of a request.
    pub fn stream(&self, index: u64) -> usize {
        if self.blocks.len() == 1 {
            return 0;
        }
        self.blocks.partition_point(|block| block.first <= index).saturating_sub(1)
    }

    /// The kind of a request: its place among the templates of all streams, in file order.
    pub fn kind(&self, index: u64) -> usize {
        self.which(index).2
    }

    /// The user of its stream whom a request belongs to.
    pub fn user(&self, index: u64) -> u64 {
        let block = &self.blocks[self.stream(index)];
        block.users.user(block.seed, index - block.first)
    }
}

/// What the draws of a stream come from: the run's seed where there is one stream, else one for each name.
pub(super) fn seed_of(stream: &Stream, seed: u64) -> u64 {
    if stream.name == stream::ONLY {
        seed
    } else {
        rng::draw(seed, rng::fnv1a("load/stream"), rng::fnv1a(&stream.name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::RequestTemplate;

    fn stream(name: &str, paths: &[&str]) -> Stream {
        let mix = RequestMix::new(paths.iter().map(|path| RequestTemplate::get(path)).collect()).unwrap();
        Stream {
            name: name.into(),
            users: Users::new(1000, None),
            ..Stream::constant(10.0, Duration::from_secs(10), mix)
        }
    }

    #[test]
    fn a_number_says_its_stream_its_kind_and_its_user() {
        let load = Load::of(vec![stream("a", &["/1", "/2"]), stream("b", &["/3", "/4", "/5"])]);
        let numbering = Numbering::new(&load, 42);
        assert_eq!(numbering.total(), 200);
        assert_eq!([0, 99, 100, 199].map(|index| numbering.stream(index)), [0, 0, 1, 1]);
        assert!((0..100).all(|index| numbering.kind(index) < 2));
        assert!((100..200).all(|index| (2..5).contains(&numbering.kind(index))));
        assert!((0..200).any(|index| numbering.user(index) != numbering.user((index + 100) % 200)));
        let paths: Vec<_> = load.templates().map(|(_, request)| request.path.to_string()).collect();
        assert_eq!(paths, ["/1", "/2", "/3", "/4", "/5"]);
    }

    #[test]
    fn another_stream_changes_no_draw_of_the_others() {
        let alone = Numbering::new(&Load::of(vec![stream("b", &["/1", "/2"])]), 42);
        let after = Numbering::new(&Load::of(vec![stream("a", &["/"]), stream("b", &["/1", "/2"])]), 42);
        for index in 0..100 {
            assert_eq!(alone.kind(index) + 1, after.kind(index + 100));
            assert_eq!(alone.user(index), after.user(index + 100));
        }
    }
}
