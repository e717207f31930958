//! The requests near a switch, in the names of the report: one by one where they are few, and the nearest of them from pick to
//! answer.

use std::time::Duration;

use gateway_core::time::Instant;

use super::tables::request_id;
use super::{Lens, Strand};
use crate::measure::{Ending, Measured, Near};
use crate::plan::Plan;

/// Requests of all lenses of a report together; with more switches each shows fewer.
const DOTS_MAX: usize = 3_000;
/// Fewer than this show nothing.
const DOTS_MIN: usize = 100;
/// Requests that are told from pick to answer.
const STRANDS: usize = 48;

/// The lens of a switch, when anything was near it.
pub(super) fn lens(plan: &Plan, measured: &Measured, at: usize) -> Option<Lens> {
    let switch = &measured.switches[at];
    let all = measured.near.get(&at).filter(|near| !near.is_empty())?;
    let requested = switch.moments.requested;
    let most = (DOTS_MAX / measured.near.len().max(1)).max(DOTS_MIN);
    let near = nearest(all, requested, most);
    // The last old answer ends what is dissected; the strands lie around that.
    let is_new = |near: &Near| near.upstream == switch.to_upstream;
    let strands = nearest(&near, requested, STRANDS);
    Some(Lens {
        n: all.len() as u64,
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
    })
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
