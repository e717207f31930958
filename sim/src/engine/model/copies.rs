//! Copies of requests in a modelled run: flights of the gateway's own that nobody waits for, and the answers to a request and to
//! its copy held side by side. Who is copied the gateway says.

use std::time::Duration;

use gateway_core::entity::Mirror;
use gateway_core::gateway::{Attempt, Fingerprint, Mirrored, Pair};
use rustc_hash::FxHashMap;

use super::World;
use super::flight::Owner;
use crate::load::Arrival;
use crate::measure::{Copied, Ending, Observation};
use crate::mock::Seen;

/// Requests with a copy under way.
#[derive(Debug, Default)]
pub(super) struct Copies {
    open: FxHashMap<u64, Open>,
    next: u64,
}

/// A request and its copy.
#[derive(Debug)]
struct Open {
    pair: Pair,
    /// The header fields that are compared.
    headers: Vec<String>,
    /// Whether targets see the client's `Host`.
    preserve_host: bool,
}

/// The copy of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy {
    pub(super) arrival: Arrival,
    /// How long it may take, from its pick to the end of its answer.
    timeout: Option<Duration>,
}

/// A copy that is picked and not yet on its way.
pub(super) struct Picked {
    attempt: Box<Attempt>,
    pair: u64,
    copy: Copy,
    /// The gateway's worker that carries it.
    worker: u32,
}

impl World<'_> {
    /// What the gateway says of the copy of a flight's request; to be sent once the request itself is on its way.
    pub(super) fn pair(
        &mut self,
        slot: u32,
        arrival: Arrival,
        mirrored: Mirrored,
        preserve_host: bool,
    ) -> Option<Picked> {
        let lost = match mirrored {
            Mirrored::No => return None,
            Mirrored::To(attempt) => return Some(self.open_pair(slot, arrival, attempt, preserve_host)),
            Mirrored::Overflow => Copied::Overflow,
            Mirrored::NoTarget => Copied::NoTarget,
        };
        self.see(Observation::Copied { request: arrival.index, at: self.now, copied: lost });
        None
    }

    fn open_pair(
        &mut self,
        slot: u32,
        arrival: Arrival,
        attempt: Box<Attempt>,
        preserve_host: bool,
    ) -> Picked {
        let worker = self.worker(slot);
        let pair = self.copies.next;
        self.copies.next += 1;
        let view = self.held[worker].view();
        let mirror = view.service(attempt.service).and_then(|service| service.mirror.as_ref());
        // Only where a change has just taken it away is there none.
        let mirror = mirror.cloned().unwrap_or_else(|| Mirror::new(""));
        let open = Open { pair: Pair::new(&mirror), headers: mirror.compare_headers, preserve_host };
        self.copies.open.insert(pair, open);
        if let Some(flight) = self.flights.get(slot) {
            flight.pair = Some(pair);
        }
        Picked { attempt, pair, copy: Copy { arrival, timeout: mirror.timeout }, worker: worker as u32 }
    }

    /// Sends a copy on its way.
    pub(super) fn send_copy(&mut self, picked: Picked) {
        let Picked { attempt, pair, copy, worker } = picked;
        let slot = self.flights.begin(Owner::Copy(copy), worker);
        if let Some(flight) = self.flights.get(slot) {
            flight.pair = Some(pair);
            flight.attempt = Some(*attempt);
        }
        if let Some(timeout) = copy.timeout {
            self.wait_for_target(slot, timeout);
        }
        self.dispatch(slot);
    }

    pub(super) fn is_copy(&mut self, slot: u32) -> bool {
        self.flights.get(slot).is_some_and(|flight| matches!(flight.owner, Owner::Copy(_)))
    }

    /// Whether all of it must have come in a time of its own, and not only the head of its answer.
    pub(super) fn has_time_of_its_own(&mut self, slot: u32) -> bool {
        self.flights
            .get(slot)
            .is_some_and(|flight| matches!(flight.owner, Owner::Copy(Copy { timeout: Some(_), .. })))
    }

    /// What a request or its copy has come to; each tells it once.
    pub(super) fn compare(&mut self, slot: u32, ending: Option<Ending>) {
        let Some(flight) = self.flights.get(slot) else { return };
        let Some(pair) = flight.pair.take() else { return };
        let (arrival, is_copy) = match &flight.owner {
            Owner::Client(job, _) => (job.arrival, false),
            Owner::Copy(copy) => (copy.arrival, true),
            Owner::Probe(..) | Owner::Nobody => return,
        };
        let print = match ending {
            Some(Ending::Answered(_)) => self.print(slot, &arrival, pair),
            _ => None,
        };
        let Some(open) = self.copies.open.get_mut(&pair) else { return };
        let compared = if is_copy { open.pair.copy(print) } else { open.pair.own(print) };
        if let Some(compared) = compared {
            self.copies.open.remove(&pair);
            let copied = Copied::Compared(Box::new(compared));
            self.see(Observation::Copied { request: arrival.index, at: self.now, copied });
        }
    }

    /// What a flight's answer is compared by.
    fn print(&mut self, slot: u32, arrival: &Arrival, pair: u64) -> Option<Fingerprint> {
        let flight = self.flights.get(slot)?;
        let (said, mock) = (flight.said, flight.mock);
        let (target, plan) = (&self.sites.get(mock as usize)?.target, self.plan.mocks.get(mock as usize)?);
        let open = self.copies.open.get(&pair)?;
        let host = if open.preserve_host { None } else { Some(plan.name.as_str()) };
        let say = |seen: &Seen<'_>| target.answer(arrival.index, seen);
        let answer = (!said.is_bare).then(|| self.heads.answer(arrival, host, say));
        let value = |name: &String| match name.as_str() {
            "x-sim-version" => Some(plan.version.clone()),
            "content-type" => answer.as_ref().map(|answer| answer.content_type.to_owned()),
            _ => None,
        };
        let headers = open.headers.iter().map(|name| (name.clone(), value(name))).collect();
        let mut print = Fingerprint::new(said.status, headers);
        print.add(answer.as_ref().map_or(&[], |answer| &answer.body));
        Some(print)
    }
}
