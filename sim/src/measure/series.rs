//! The run over time, in a fixed number of equal bins whatever its length. A request belongs to the bin of its intended
//! time, a pick to the bin of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use gateway_core::time::{Instant, nanos};

use super::histogram::Times;
use super::record::Spans;
use super::{Cause, CpuSample, Ending, Record};

/// A run has at least so many bins, as long as they are not shorter than a millisecond, and hardly more than twice as
/// many.
const BINS_MIN: u128 = 60;
/// How time is cut into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    width_ns: u64,
    bins: usize,
}

impl Grid {
    /// The grid of a run of `duration`: the widest of 1, 2, 2.5 and 5 times a power of ten that leaves 60 bins or more.
    pub fn new(duration: Duration) -> Self {
        const MILLISECOND: u128 = 1_000_000;
        let fits = |ms: &u128| duration.as_nanos() >= ms * MILLISECOND * BINS_MIN;
        let widths =
            (0..).map(|power| 10_u128.pow(power)).flat_map(|ten| [ten, 2 * ten, 5 * ten / 2, 5 * ten]);
        let width_ms = widths.take_while(fits).last().unwrap_or(1).max(1);
        let width_ns = u64::try_from(width_ms * MILLISECOND).unwrap_or(u64::MAX);
        let bins = nanos(duration).div_ceil(width_ns).max(1) as usize;
        Self { width_ns, bins }
    }

    /// How many bins.
    pub fn bins(self) -> usize {
        self.bins
    }

    /// How wide each is, milliseconds.
    pub fn width_ms(self) -> u64 {
        self.width_ns / 1_000_000
    }

    /// The bin of a moment; what comes after the end counts in the last one.
    pub fn bin(self, at: Instant) -> usize {
        ((at.as_nanos() / self.width_ns) as usize).min(self.bins - 1)
    }

    /// Where a bin begins.
    pub fn from(self, bin: usize) -> Instant {
        Instant::from_nanos(self.width_ns.saturating_mul(bin as u64))
    }
}

/// Finds bins of moments that come mostly in order: whoever asks for the same bin again gets it without a division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    grid: Grid,
    bin: usize,
    /// Where that begins and ends, nanoseconds.
    from: u64,
    until: u64,
}

impl Cursor {
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid, bin: 0, from: 0, until: grid.width_ns }
    }

    /// The bin of a moment; what comes after the end counts in the last one.
    #[inline]
    pub(super) fn bin(&mut self, at: Instant) -> usize {
        self.find(at);
        self.bin.min(self.grid.bins - 1)
    }

    /// The same with the time that is left of it; `None` after the end.
    #[inline]
    fn within(&mut self, at: Instant) -> Option<(usize, u64)> {
        self.find(at);
        (self.bin < self.grid.bins).then(|| (self.bin, self.until - at.as_nanos()))
    }

    #[inline]
    fn find(&mut self, at: Instant) {
        let ns = at.as_nanos();
        if ns < self.from || ns >= self.until {
            self.bin = (ns / self.grid.width_ns) as usize;
            self.from = ns - ns % self.grid.width_ns;
            self.until = self.from.saturating_add(self.grid.width_ns);
        }
    }
}

/// One bin.
#[derive(Clone, Debug)]
pub struct Bin {
    /// Requests intended in it.
    pub intended: u64,
    /// Response times of answered requests.
    pub response: Times,
    /// Lag of released requests.
    pub lag: Times,
    /// Requests dropped, in the order of [`Cause::ALL`].
    pub dropped: [u64; Cause::ALL.len()],
    /// Cores used by gateway, generator and targets, where known.
    pub cpu: [Option<f64>; 3],
    /// Most attempts in flight at once.
    pub in_flight_max: u64,
}

/// One target in one bin.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetBin {
    /// Requests answered by it.
    pub answered: u64,
    /// First tries that picked it.
    pub picks: u64,
    /// Mean number of attempts in flight at it.
    pub in_flight: f64,
}

/// All bins.
#[derive(Debug)]
pub struct Bins {
    /// How time is cut.
    pub grid: Grid,
    /// The bins, in order.
    pub bins: Vec<Bin>,
    /// For each target of the plan, its bins; none before the end.
    pub targets: Vec<Vec<TargetBin>>,
    /// The targets of the first bin, then those of the second, and so on: what is counted at the same time lies together.
    counts: Vec<Counts>,
    targets_count: usize,
    cursor: Cursor,
    level: Level,
    cpu: CpuSample,
}

/// What is counted of one target in one bin.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    answered: u32,
    picks: u32,
    /// Attempts begun minus ended.
    net: i32,
    /// Nanoseconds from those begins to the end of the bin, less those from the ends. Wraps: the sum of all fits.
    area: i64,
}

impl Bins {
    pub(super) fn new(grid: Grid, targets: usize, late: Duration) -> Self {
        let bin = Bin {
            intended: 0,
            response: Times::coarse(),
            lag: Times::coarse(),
            dropped: [0; Cause::ALL.len()],
            cpu: [None; 3],
            in_flight_max: 0,
        };
        Self {
            grid,
            bins: vec![bin; grid.bins()],
            targets: Vec::new(),
            counts: vec![Counts::default(); grid.bins() * targets],
            targets_count: targets,
            cursor: Cursor::new(grid),
            level: Level::new(grid, late),
            cpu: CpuSample { at: Instant::ZERO, gateway: Some(0), generator: Some(0), targets: Some(0) },
        }
    }

    /// A first try picked this target.
    pub(super) fn picked(&mut self, target: u32, at: Instant) {
        let bin = self.cursor.bin(at);
        self.counts[bin * self.targets_count + target as usize].picks += 1;
    }

    /// Reads what is counted of a target at `at`, to have it at hand.
    #[inline]
    pub(super) fn look_at(&mut self, target: u32, at: Instant) {
        let bin = self.cursor.bin(at);
        black_box(self.counts.get(bin * self.targets_count + target as usize).map(|counts| counts.area));
    }

    /// An attempt began (`+1`) or ended (`-1`).
    pub(super) fn in_flight(&mut self, target: Option<u32>, at: Instant, change: i64) {
        self.level.push(at, change);
        if let Some(target) = target
            && let Some((bin, rest)) = self.cursor.within(at)
        {
            let counts = &mut self.counts[bin * self.targets_count + target as usize];
            counts.net += change as i32;
            counts.area = counts.area.wrapping_add(change.wrapping_mul(rest.cast_signed()));
        }
    }

    /// A request came to its end.
    pub(super) fn ended(&mut self, record: &Record, spans: &Spans) {
        let at = self.cursor.bin(record.intended);
        let bin = &mut self.bins[at];
        if let Some(lag) = spans.lag {
            bin.lag.count(lag);
        }
        match record.ending {
            Ending::Dropped(cause) => bin.dropped[cause as usize] += 1,
            Ending::Answered(_) => {
                bin.response.count(spans.response);
                if let Some(target) = record.target.filter(|target| (*target as usize) < self.targets_count) {
                    self.counts[at * self.targets_count + target as usize].answered += 1;
                }
            }
        }
    }

    /// CPU time used so far. Spread evenly over the time since the sample before.
    pub(super) fn cpu(&mut self, sample: &CpuSample) {
        if sample.at <= self.cpu.at {
            return;
        }
        let parts = |s: &CpuSample| [s.gateway, s.generator, s.targets];
        let (from, to) = (self.cpu.at.as_nanos(), sample.at.as_nanos());
        for (part, (old, new)) in parts(&self.cpu).into_iter().zip(parts(sample)).enumerate() {
            let (Some(old), Some(new)) = (old, new) else { continue };
            let cores = new.saturating_sub(old) as f64 / (to - from) as f64;
            for at in self.grid.bin(self.cpu.at)..=self.grid.bin(sample.at) {
                let begins = self.grid.from(at).as_nanos();
                let overlap = to.min(begins + self.grid.width_ns).saturating_sub(from.max(begins));
                let used = cores * overlap as f64 / self.grid.width_ns as f64;
                *self.bins[at].cpu[part].get_or_insert(0.0) += used;
            }
        }
        self.cpu = *sample;
    }

    /// The last CPU sample, when there was one.
    pub fn cpu_total(&self) -> Option<CpuSample> {
        (self.cpu.at > Instant::ZERO).then_some(self.cpu)
    }

    pub(super) fn intend(&mut self, at: Instant) {
        let bin = self.cursor.bin(at);
        self.bins[bin].intended += 1;
    }

    /// Turns begins and ends into means and maxima. Nothing may be counted afterwards.
    pub(super) fn finish(&mut self) {
        let width = self.grid.width_ns;
        let of_target = |target: usize| {
            let mut level = 0_i64;
            let counts = self.counts.iter().skip(target).step_by(self.targets_count);
            let bin = |counts: &Counts| {
                let area = level.wrapping_mul(width.cast_signed()).wrapping_add(counts.area);
                level += i64::from(counts.net);
                TargetBin {
                    answered: counts.answered.into(),
                    picks: counts.picks.into(),
                    in_flight: area as f64 / width as f64,
                }
            };
            counts.map(bin).collect()
        };
        self.targets = (0..self.targets_count).map(of_target).collect();
        self.counts = Vec::new();
        self.level.settle(Instant::MAX);
        for (bin, most) in self.bins.iter_mut().zip(&self.level.most) {
            bin.in_flight_max = u64::try_from(*most).unwrap_or(0);
        }
    }
}

/// How many attempts are in flight in all, in order of time: workers report in batches, so each change waits a while.
#[derive(Debug)]
struct Level {
    grid: Grid,
    /// How late a change may be reported.
    late: Duration,
    waiting: BinaryHeap<Reverse<(Instant, i64)>>,
    newest: Instant,
    now: i64,
    bin: usize,
    most: Vec<i64>,
}

impl Level {
    fn new(grid: Grid, late: Duration) -> Self {
        Self {
            grid,
            late,
            waiting: BinaryHeap::new(),
            newest: Instant::ZERO,
            now: 0,
            bin: 0,
            most: vec![0; grid.bins()],
        }
    }

    fn push(&mut self, at: Instant, change: i64) {
        self.newest = self.newest.max(at);
        if self.late.is_zero() && self.waiting.is_empty() {
            return self.change(at, change);
        }
        self.waiting.push(Reverse((at, change)));
        self.settle(self.newest.before(self.late));
    }

    /// Counts all changes up to `until`; of one moment, ends first.
    fn settle(&mut self, until: Instant) {
        while let Some(&Reverse((at, change))) = self.waiting.peek() {
            if at > until {
                return;
            }
            self.waiting.pop();
            self.change(at, change);
        }
        if until == Instant::MAX {
            self.reach(self.grid.bins - 1);
        }
    }

    fn change(&mut self, at: Instant, change: i64) {
        let bin = (at.as_nanos() / self.grid.width_ns) as usize;
        if bin < self.grid.bins {
            self.reach(bin);
            self.now += change;
            self.most[self.bin] = self.most[self.bin].max(self.now);
        }
    }

    /// Moves on to `bin`; each bin on the way begins with what is in flight.
    fn reach(&mut self, bin: usize) {
        while self.bin < bin {
            self.bin += 1;
            self.most[self.bin] = self.now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(500);

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_run_of_any_length_has_between_60_and_120_bins() {
        for (seconds, width) in [(30, 500), (6, 100), (60, 1000), (600, 10_000), (3600, 50_000), (2, 25)] {
            assert_eq!(Grid::new(Duration::from_secs(seconds)).width_ms(), width, "{seconds} s");
        }
        for ms in (300..100_000).step_by(37) {
            let bins = Grid::new(Duration::from_millis(ms)).bins();
            assert!((60..=120).contains(&bins), "{ms} ms: {bins}");
        }
        assert_eq!(Grid::new(Duration::from_micros(300)).bins(), 1);
    }

    #[test]
    fn in_flight_is_a_mean_over_the_bin_and_a_maximum_over_all_targets() {
        // Bins of 100 ms: target 0 from 50 to 250, target 1 from 120 to 170 and from 160 to 180, ends reported first.
        let mut bins = Bins::new(Grid::new(Duration::from_secs(6)), 2, LATE);
        for (target, at, change) in
            [(1, 170, -1), (1, 180, -1), (0, 50, 1), (1, 120, 1), (1, 160, 1), (0, 250, -1)]
        {
            bins.in_flight(Some(target), ms(at), change);
        }
        bins.finish();
        let means = |target: usize| bins.targets[target][..4].iter().map(|b| b.in_flight).collect::<Vec<_>>();
        assert!(
            means(0).iter().zip([0.5, 1.0, 0.5, 0.0]).all(|(a, b)| (a - b).abs() < 1e-9),
            "{:?}",
            means(0)
        );
        assert!(
            means(1).iter().zip([0.0, 0.7, 0.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-9),
            "{:?}",
            means(1)
        );
        assert_eq!(bins.bins[..4].iter().map(|b| b.in_flight_max).collect::<Vec<_>>(), [1, 3, 1, 0]);
    }

    #[test]
    fn cpu_time_is_spread_over_the_bins_it_was_used_in() {
        let mut bins = Bins::new(Grid::new(Duration::from_secs(6)), 0, LATE);
        let sample = |at, gateway| CpuSample { at: ms(at), gateway, generator: None, targets: Some(0) };
        bins.cpu(&sample(150, Some(75_000_000)));
        bins.cpu(&sample(250, Some(175_000_000)));
        let gateway: Vec<_> = bins.bins[..4].iter().map(|b| b.cpu[0]).collect();
        assert_eq!(gateway[..2], [Some(0.5), Some(0.75)]);
        assert!((gateway[2].unwrap() - 0.5).abs() < 1e-9 && gateway[3].is_none(), "{gateway:?}");
        assert_eq!(bins.bins[0].cpu[1], None);
    }
}
