//! The requests near a switch, in the names of the report: one by one where they are few, in bins where they are many, and the
//! nearest of them from pick to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::time::Instant;

use super::tables::request_id;
use super::{Lens, LensBins, Strand};
use crate::measure::{COLUMN, Ending, Heap, Measured, Near, Row};
use crate::plan::Plan;

/// Requests of all lenses of a report together; with more switches each shows fewer.
const DOTS_MAX: usize = 3_000;
/// Fewer than this show nothing.
const DOTS_MIN: usize = 100;
/// From so many switches on bins grow wider, so that a report does not grow with them.
const BINNED: usize = 2;
/// Requests that are told from pick to answer.
const STRANDS: usize = 48;

/// The lens of a switch, when anything was near it.
pub(super) fn lens(plan: &Plan, measured: &Measured, at: usize) -> Option<Lens> {
    let switch = &measured.switches[at];
    let nearby = measured.near.get(&at).filter(|nearby| !nearby.requests.is_empty())?;
    let requested = switch.moments.requested;
    let most = (DOTS_MAX / measured.near.len().max(1)).max(DOTS_MIN);
    let near = nearest(&nearby.requests, requested, most);
    let counted = (!nearby.heaps.is_empty()).then(|| nearby.heaps.iter().map(|heap| heap.n).sum());
    // The last old answer ends what is dissected; the strands lie around that.
    let is_new = |near: &Near| near.upstream == switch.to_upstream;
    let strands = nearest(&near, requested, STRANDS);
    Some(Lens {
        n: counted.unwrap_or(nearby.requests.len() as u64),
        t_ms: near.iter().map(|near| after(near.record.intended, requested, 10.0)).collect(),
        response_ms: near
            .iter()
            .map(|near| answered(near).map(|time| rounded(time.as_secs_f64() * 1e3, 100.0)))
            .collect(),
        new: near.iter().map(|near| u8::from(is_new(near))).collect(),
        strands: strands
            .iter()
            .map(|near| Strand {
                id: request_id(plan, near.record.index),
                from_ms: after(near.picked.unwrap_or(near.record.released), requested, 1000.0),
                to_ms: after(near.record.done, requested, 1000.0),
                new: is_new(near),
                answered: answered(near).is_some(),
            })
            .collect(),
        bins: counted.map(|_| {
            let columns = measured.near.len().div_ceil(BINNED);
            bins(&nearby.heaps, requested, columns as u32, |heap| heap.upstream == switch.to_upstream)
        }),
    })
}

/// Heaps of so many columns together.
fn bins(heaps: &[Heap], requested: Instant, columns: u32, is_new: impl Fn(&Heap) -> bool) -> LensBins {
    let width = COLUMN * columns;
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for heap in heaps {
        let column = heap.from.as_nanos() / width.as_nanos() as u64;
        *sums.entry((column, is_new(heap), heap.row)).or_default() += heap.n;
    }
    let mut bins = LensBins { width_ms: width.as_secs_f64() * 1e3, ..LensBins::default() };
    for ((column, new, row), n) in sums {
        let bounds = row.map(Row::bounds);
        let ms = |time: Duration| rounded(time.as_secs_f64() * 1e3, 1000.0);
        bins.t_ms.push(after(Instant::from_nanos(column * width.as_nanos() as u64), requested, 10.0));
        bins.response_ms.push(bounds.map(|(from, _)| ms(from)));
        bins.to_ms.push(bounds.map(|(_, to)| ms(to)));
        bins.new.push(u8::from(new));
        bins.n.push(n);
    }
    bins
}

/// The nearest by intended time, in that order.
fn nearest(near: &[Near], requested: Instant, most: usize) -> Vec<Near> {
    let mut kept = near.to_vec();
    let distance =
        |near: &Near| near.record.intended.since(requested).max(requested.since(near.record.intended));
    kept.sort_by_key(|near| (distance(near), near.record.index));
    kept.truncate(most);
    kept.sort_by_key(|near| (near.record.intended, near.record.index));
    kept
}

fn answered(near: &Near) -> Option<Duration> {
    matches!(near.record.ending, Ending::Answered(_)).then(|| near.record.response_time())
}

/// Milliseconds after a moment, negative before it.
fn after(at: Instant, moment: Instant, fine: f64) -> f64 {
    rounded(at.as_millis_f64() - moment.as_millis_f64(), fine)
}

fn rounded(value: f64, fine: f64) -> f64 {
    (value * fine).round() / fine
}
