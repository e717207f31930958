//! All parts of a run as they fill. Most requests are plain answers that go where the last one of their target and kind went: they
//! are kept there for a moment, twenty of them in two cache lines, and counted together. With thousands of targets each count
//! by itself would wait for memory several times.

use std::hint::black_box;

use gateway_core::id::UpstreamId;
use rustc_hash::FxHashMap;

use super::cells::{Part, PartKey};
use super::histogram::Times;
use super::record::Spans;
use super::{Answered, Ending};

/// Parts whose latencies are kept, in all phases together: up to 30 KB each, mostly 5 KB.
const PARTS_MAX: usize = 2_000;
/// Answers that are counted together.
const RECENT: usize = 20;

/// All parts of a run so far.
#[derive(Debug)]
pub(super) struct Parts {
    /// Each with the number of its phase, in the order of first use.
    all: Vec<((usize, PartKey), Part)>,
    /// Where each is.
    places: FxHashMap<(usize, PartKey), usize>,
    /// Kinds of requests.
    kinds: usize,
    /// For each mock and kind the part that its last request was in.
    last: Vec<Option<Last>>,
    /// How many have latencies.
    timed: usize,
    /// Whether some have none because there were too many.
    pub(super) crowded: bool,
    /// For each mock, response times outside the warm-up that no part keeps.
    pub(super) others: Vec<Option<Box<Times>>>,
}

/// Where the last request of a mock and a kind was counted, and the plain answers that followed it there.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
struct Last {
    phase: u32,
    place: u32,
    upstream: Option<UpstreamId>,
    mock: Option<u32>,
    /// Who keeps their latencies; not known as long as the part may still get some.
    keeper: Option<Keeper>,
    /// How many followed.
    plain: u64,
    /// Response times of the newest of them, nanoseconds, all of them service times as well.
    recent: [u32; RECENT],
    recent_count: u32,
}

/// Who keeps latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Part,
    /// The mock alone.
    Mock,
    Nobody,
}

/// An answer as latencies see it: it was made outside the warm-up, or at a time that shows its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) is_warm: bool,
    pub(super) is_timed: bool,
}

impl Parts {
    /// None yet, of so many kinds of requests.
    pub(super) fn new(kinds: usize) -> Self {
        Self {
            all: Vec::new(),
            places: FxHashMap::default(),
            kinds,
            last: Vec::new(),
            timed: 0,
            crowded: false,
            others: Vec::new(),
        }
    }

    /// Reads what plain answers of a target and a kind are counted in, to have it at hand.
    #[inline]
    pub(super) fn look_at(&self, mock: Option<u32>, kind: usize) {
        let last = self.last.get(self.place_of(mock, kind)).and_then(Option::as_ref);
        black_box(last.map(|last| (last.plain, last.recent[0], last.recent[RECENT - 1])));
    }

    /// Counts a request.
    pub(super) fn count(
        &mut self,
        (phase, key): (usize, PartKey),
        (ending, spans): (Ending, &Spans),
        wrong_version: bool,
        timing: Timing,
    ) {
        let at = self.look_up(phase, key);
        let is_plain = matches!(ending, Ending::Answered(..500)) && !wrong_version && timing.is_timed;
        if is_plain
            && let Some(last) = &mut self.last[at]
            && last.keeper.is_some()
            && spans.response == spans.service
            && let Ok(response) = u32::try_from(spans.response)
        {
            last.plain += 1;
            last.recent[last.recent_count as usize] = response;
            last.recent_count += 1;
            if last.recent_count as usize == RECENT {
                self.catch_up(at);
            }
            return;
        }
        self.catch_up(at);
        self.count_alone(at, (ending, spans), wrong_version, timing);
    }

    fn count_alone(
        &mut self,
        at: usize,
        (ending, spans): (Ending, &Spans),
        wrong_version: bool,
        timing: Timing,
    ) {
        let Some(last) = &mut self.last[at] else { return };
        let part = &mut self.all[last.place as usize].1;
        part.tally.count(ending, wrong_version);
        let is_answer = matches!(ending, Ending::Answered(_));
        part.dropped += u64::from(!is_answer && timing.is_timed);
        if is_answer && timing.is_timed {
            if part.times.is_none() && self.timed < PARTS_MAX {
                self.timed += 1;
                part.times = Some(Box::new(Answered::coarse()));
            }
            self.crowded |= part.times.is_none();
            if let Some(times) = &mut part.times {
                times.count(spans.response, spans.service);
            }
        }
        let is_kept = part.times.is_some();
        if is_answer
            && timing.is_warm
            && !is_kept
            && let Some(mock) = last.mock
        {
            others(&mut self.others, mock).count(spans.response);
        }
        last.keeper = match (is_kept, self.crowded && timing.is_timed) {
            (true, _) => Some(Keeper::Part),
            (false, true) if timing.is_warm && last.mock.is_some() => Some(Keeper::Mock),
            (false, true) => Some(Keeper::Nobody),
            (false, false) => None,
        };
    }

    /// Counts the answers that were put off.
    fn catch_up(&mut self, at: usize) {
        let Some(last) = &mut self.last[at] else { return };
        let recent = &last.recent[..std::mem::take(&mut last.recent_count) as usize];
        match last.keeper {
            Some(Keeper::Part) => {
                if let Some(times) = &mut self.all[last.place as usize].1.times {
                    for &ns in recent {
                        times.count(ns.into(), ns.into());
                    }
                }
            }
            Some(Keeper::Mock) => {
                if let Some(mock) = last.mock.filter(|_| !recent.is_empty()) {
                    let times = others(&mut self.others, mock);
                    for &ns in recent {
                        times.count(ns.into());
                    }
                }
            }
            Some(Keeper::Nobody) | None => {}
        }
    }

    fn place_of(&self, mock: Option<u32>, kind: usize) -> usize {
        mock.map_or(0, |mock| mock as usize + 1) * self.kinds + kind
    }

    /// Where the last request of a mock and a kind is kept, now that there is another one in this part.
    #[inline]
    fn look_up(&mut self, phase: usize, key: PartKey) -> usize {
        let at = self.place_of(key.mock, key.kind);
        let is_it = |last: &Last| (last.phase as usize, last.upstream) == (phase, key.upstream);
        if !self.last.get(at).is_some_and(|last| last.as_ref().is_some_and(is_it)) {
            self.move_on(at, phase, key);
        }
        at
    }

    /// Another part than the last one of its mock and kind.
    #[cold]
    fn move_on(&mut self, at: usize, phase: usize, key: PartKey) {
        if self.last.len() <= at {
            self.last.resize(at + 1, None);
        }
        self.settle(at);
        let place = *self.places.entry((phase, key)).or_insert_with(|| {
            self.all.push(((phase, key), Part::default()));
            self.all.len() - 1
        });
        self.last[at] = Some(Last {
            phase: phase as u32,
            place: place as u32,
            upstream: key.upstream,
            mock: key.mock,
            keeper: None,
            plain: 0,
            recent: [0; RECENT],
            recent_count: 0,
        });
    }

    /// Counts all that was put off.
    fn settle(&mut self, at: usize) {
        self.catch_up(at);
        if let Some(last) = self.last[at].take() {
            self.all[last.place as usize].1.tally.answered += last.plain;
        }
    }

    /// Counts all that was put off. To be called before anything is read.
    pub(super) fn finish(&mut self) {
        (0..self.last.len()).for_each(|at| self.settle(at));
    }

    /// All of them, by the number of their phase.
    pub(super) fn into_all(self) -> impl Iterator<Item = ((usize, PartKey), Part)> {
        self.all.into_iter()
    }
}

/// The times of a mock, made on first use.
fn others(others: &mut Vec<Option<Box<Times>>>, mock: u32) -> &mut Times {
    if others.len() <= mock as usize {
        others.resize_with(mock as usize + 1, || None);
    }
    others[mock as usize].get_or_insert_with(|| Box::new(Times::coarse()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::Record;
    use crate::measure::rehearsal::record;

    const TIMED: Timing = Timing { is_warm: true, is_timed: true };

    #[test]
    fn a_part_counts_one_line() {
        assert_eq!(size_of::<Option<Last>>(), 128);
    }

    #[test]
    fn parts_are_bounded_and_every_request_is_counted() {
        // Aim: beyond the bound latencies are kept for each target alone, and however answers are put off none is lost. Method:
        // each kind has 25 answers of 20 ms, more than are put off, one of them with an error.
        let kinds = PARTS_MAX + 5;
        let mut parts = Parts::new(kinds);
        for number in 0..25 {
            for kind in 0..kinds {
                let key = PartKey { upstream: None, mock: Some(0), kind };
                let status = if number == 7 { 500 } else { 200 };
                let record = Record { ending: Ending::Answered(status), ..record(20) };
                parts.count((0, key), (record.ending, &record.spans()), false, TIMED);
            }
        }
        parts.finish();
        assert!(parts.crowded);
        assert_eq!(parts.others[0].as_ref().map(|times| times.n()), Some(5 * 25));
        let all: Vec<_> = parts.into_all().map(|(_, part)| part).collect();
        assert!(all.iter().all(|part| (part.tally.answered, part.tally.target_5xx) == (25, 1)));
        let timed: Vec<_> = all.iter().filter_map(|part| part.times.as_ref()).collect();
        assert_eq!(timed.len(), PARTS_MAX);
        for times in timed {
            assert_eq!((times.response.n(), times.service().n()), (25, 25));
            assert_eq!(times.response.max_us(), Some(Duration::from_millis(20).as_micros() as f64));
        }
    }
}
