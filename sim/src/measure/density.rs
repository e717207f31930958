//! How long requests took around a moment, counted in columns of intended time and rows of response time: what a lens shows
//! where single requests would cover each other. Columns that no switch is near are forgotten, so memory grows with switches
//! and not with requests.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::time::Instant;

use super::{Ending, Record};

/// Width of a column.
pub const COLUMN: Duration = Duration::from_millis(50);
/// Columns kept for a switch that comes next.
const RECENT: u64 = 64;

/// Requests of one column and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// The column's first moment.
    pub from: Instant,
    /// Their response time, which is at least so long; nothing for those that were dropped.
    pub row: Option<Row>,
    /// The Service they were for, if that is known.
    pub service: Option<ServiceId>,
    /// Where they were picked from.
    pub upstream: Option<UpstreamId>,
    /// How many.
    pub n: u64,
}

/// A quarter of a doubling of response times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(u32);

/// The counts of a run.
#[derive(Debug, Default)]
pub(super) struct Density {
    columns: BTreeMap<u64, Vec<Heap>>,
    /// First and last of the columns that somebody will ask for.
    wanted: Vec<(u64, u64)>,
}

impl Row {
    fn of(response: Duration) -> Self {
        let ns = u64::try_from(response.as_nanos()).unwrap_or(u64::MAX).max(4);
        let doubling = ns.ilog2();
        // The two bits below the highest one tell the quarters apart.
        Self(doubling * 4 + (ns >> (doubling - 2)) as u32 % 4)
    }

    /// From the shortest response time of the row to the shortest of the next.
    pub fn bounds(self) -> (Duration, Duration) {
        let least = |row: u32| Duration::from_nanos(u64::from(4 + row % 4) << (row / 4 - 2).min(60));
        (least(self.0), least(self.0 + 1))
    }
}

impl Density {
    /// Counts a request that has ended: whose it was, and where it was picked from.
    pub(super) fn count(&mut self, record: &Record, whose: (Option<ServiceId>, Option<UpstreamId>)) {
        let number = number(record.intended);
        if !self.columns.contains_key(&number) {
            self.forget_before(number.saturating_sub(RECENT));
        }
        let row = matches!(record.ending, Ending::Answered(_)).then(|| Row::of(record.response_time()));
        let column = self.columns.entry(number).or_default();
        let of_it = column.iter_mut().find(|heap| heap.row == row && (heap.service, heap.upstream) == whose);
        if let Some(heap) = of_it {
            heap.n += 1;
            return;
        }
        let (from, (service, upstream)) = (Instant::ZERO + COLUMN * number as u32, whose);
        column.push(Heap { from, row, service, upstream, n: 1 });
    }

    /// Keeps what is within `reach` of a moment.
    pub(super) fn want(&mut self, moment: Instant, reach: Duration) {
        self.wanted.push(range(moment, reach));
    }

    /// What was counted within `reach` of a moment of requests for a Service, or for nobody knows which, in order of time.
    pub(super) fn around(&self, moment: Instant, reach: Duration, service: ServiceId) -> Vec<Heap> {
        let (first, last) = range(moment, reach);
        let heaps = self.columns.range(first..=last).flat_map(|(_, heaps)| heaps);
        heaps.filter(|heap| heap.service.is_none_or(|of| of == service)).copied().collect()
    }

    fn forget_before(&mut self, number: u64) {
        let is_wanted =
            |column: u64| self.wanted.iter().any(|(first, last)| (*first..=*last).contains(&column));
        let old: Vec<u64> = self
            .columns
            .range(..number)
            .map(|(column, _)| *column)
            .filter(|column| !is_wanted(*column))
            .collect();
        for column in old {
            self.columns.remove(&column);
        }
    }
}

fn number(at: Instant) -> u64 {
    at.as_nanos() / COLUMN.as_nanos() as u64
}

fn range(moment: Instant, reach: Duration) -> (u64, u64) {
    let from = Instant::from_nanos(moment.as_nanos().saturating_sub(reach.as_nanos() as u64));
    (number(from), number(moment + reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(intended: Instant, response: Duration) -> Record {
        Record {
            index: 0,
            intended,
            released: intended,
            on_wire: Some(intended),
            first_byte: Some(intended),
            done: intended + response,
            ending: Ending::Answered(200),
            target: None,
        }
    }

    #[test]
    fn rows_are_quarters_of_a_doubling_without_gaps() {
        let mut before = Duration::ZERO;
        for ns in (4..5_000_u64).chain([1 << 40, u64::MAX - 1]) {
            let took = Duration::from_nanos(ns);
            let (from, to) = Row::of(took).bounds();
            assert!(from <= took && (took < to || ns > 1 << 61), "{ns}: {from:?} to {to:?}");
            assert!(to <= from * 5 / 4 || ns > 1 << 61, "{from:?} to {to:?}");
            assert!(from >= before);
            before = from;
        }
    }

    // Aim: nothing near a switch is lost, and what is near none does not pile up. Method: a request each millisecond for 100 s.
    #[test]
    fn what_is_near_a_switch_is_kept_and_the_rest_forgotten() {
        let (mut density, reach) = (Density::default(), Duration::from_millis(1_500));
        let switch = Instant::from_millis(10_000);
        for ms in 0..100_000 {
            if ms == 10_000 {
                density.want(switch, reach);
            }
            let service = Some(ServiceId((ms % 2) as u32));
            density.count(&ended(Instant::from_millis(ms), Duration::from_millis(2)), (service, None));
        }
        let around = density.around(switch, reach, ServiceId(1));
        assert_eq!(around.iter().map(|heap| heap.n).sum::<u64>(), 61 * 25);
        assert_eq!(
            (around[0].from, around[60].from),
            (Instant::from_millis(8_500), Instant::from_millis(11_500))
        );
        assert!(density.columns.len() <= 61 + RECENT as usize + 1, "{}", density.columns.len());
    }
}
