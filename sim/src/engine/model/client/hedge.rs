//! Second attempts of requests whose answer takes long, as the live generator makes them: the first answer counts, and the other
//! attempt is taken back.

use super::super::World;
use super::super::job::Job;
use crate::measure::{Ending, Observation};

impl World<'_> {
    pub(super) fn hedge(&mut self, slot: u32, stream: usize) {
        if let Some(hedges) = &mut self.client.hedges[stream] {
            hedges.lift(slot);
        }
        if self.client.busy + self.client.waiting.len() >= self.plan.load.max_in_flight {
            return;
        }
        let now = self.now;
        let Some(job) = self.job(slot).filter(|job| !job.hedged) else { return };
        job.hedged = true;
        let second = Job { is_second: true, waits: now, on_wire: None, first_byte: None, ..*job };
        self.client.pairs.insert(second.arrival.index, vec![slot]);
        self.see(Observation::Hedged { request: second.arrival.index, at: now });
        self.assign(second);
    }

    /// Whether the request of an attempt that has ended lives on in its other attempt. An answer takes that one back.
    pub(super) fn lives_on(&mut self, job: &Job, ending: Ending) -> bool {
        if !job.hedged {
            return false;
        }
        let is_answer = matches!(ending, Ending::Answered(_));
        let (stream, index) = (job.arrival.stream, job.arrival.index);
        let slots = self.client.pairs.get(&index).cloned().unwrap_or_default();
        let flying = slots.into_iter().find(|&slot| self.flies(slot, index));
        let is_waiting = self.client.waiting.has(stream, index);
        match (flying, is_waiting) {
            (Some(slot), _) if is_answer => {
                if let Some((_, connection)) = self.hang_up(slot) {
                    self.close(connection);
                }
            }
            (None, true) if is_answer => self.client.waiting.remove(stream, index),
            (None, false) => return false,
            _ => {}
        }
        !is_answer
    }

    /// Whether request `index` is under way on this flight.
    fn flies(&mut self, slot: u32, index: u64) -> bool {
        let is_gone = self.flights.get(slot).is_none_or(|flight| flight.gone.is_some());
        !is_gone && self.job(slot).is_some_and(|job| job.arrival.index == index)
    }
}
