//! A flight: one request on its way over one client connection, or one probe. It has at most one next event at any time, and
//! its stage says what that event means.

use gateway_core::gateway::Attempt;
use gateway_core::health::Probe;
use gateway_core::outcome::Failure;
use gateway_core::time::Instant;

use super::copies::Copy;
use super::job::Job;
use crate::measure::Ending;

/// Where a flight is; each stage but the last three ends with the flight's next event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// The client's connection is being opened.
    Connecting,
    /// Between client and gateway.
    ToGateway,
    /// Waits for a worker of the gateway, and is worked on.
    AtGateway,
    /// The gateway asks its target for a connection.
    Dialing,
    /// The connection is accepted.
    Dialed,
    /// Between gateway and target.
    ToTarget,
    /// Read by a target that hangs.
    Frozen,
    /// An answer that waits for a target that hangs, or whose wire is cut.
    Answering,
    /// The head of an answer is on its way to the gateway.
    HeadBack,
    /// The rest of an answer is.
    BodyBack,
    /// Word of a failure is on its way to the gateway.
    Failing(Failure, Sent),
    /// The answer is on its way to the client.
    ToClient(Ending),
    /// At the target's station.
    Served,
    /// Never answered.
    Silent,
    /// There is no such flight.
    None,
}

/// Whether anything of the request was sent when an attempt failed.
pub(super) type Sent = bool;

/// Who a flight belongs to.
#[derive(Debug)]
pub(super) enum Owner {
    /// Nobody: there is no such flight.
    Nobody,
    /// The client, on this connection.
    Client(Job, u32),
    /// The gateway, which sends a copy elsewhere.
    Copy(Copy),
    /// A node of the gateway, which probes a target.
    Probe(Probe, u16),
}

/// What a target says in the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// The status.
    pub(super) status: u16,
    /// Whether there is nothing in it but the status.
    pub(super) is_bare: bool,
    /// When the whole of it is at the gateway.
    pub(super) whole_at: Instant,
    pub(super) truncated: bool,
    /// Whether the connection is of no use afterwards.
    pub(super) closes: bool,
}

/// One flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) owner: Owner,
    /// The gateway's worker that carries it: a connection has one for life.
    pub(super) worker: u32,
    pub(super) stage: Stage,
    /// The number of its next event in the calendar; any other one is stale.
    pub(super) due: u64,
    pub(super) attempt: Option<Attempt>,
    /// The mock that has it.
    pub(super) mock: u32,
    /// Its number at the mock's station.
    pub(super) ticket: u64,
    /// Answers so far on the connection to the target.
    pub(super) answers: u64,
    pub(super) said: Said,
    /// Tries of the gateway so far.
    pub(super) tries: u32,
    /// The number of its pair, when it is a copy or has one, until it has told what it came to.
    pub(super) pair: Option<u64>,
    /// Whether its client has gone, and the number of the event that tells the gateway.
    pub(super) gone: Option<u64>,
}

impl Flight {
    /// Whether neither client nor gateway know of it any more: it is with its target still.
    pub(super) fn is_orphan(&self) -> bool {
        self.gone.is_some() && self.attempt.is_none()
    }

    /// The request that it carries, and whether as a copy; a probe carries none of the run's.
    pub(super) fn carries(&self) -> Option<(u64, bool)> {
        match &self.owner {
            Owner::Client(job, _) => Some((job.arrival.index, false)),
            Owner::Copy(copy) => Some((copy.arrival.index, true)),
            Owner::Probe(..) | Owner::Nobody => None,
        }
    }

    /// The number of that request; that of a probe is nobody's.
    pub(super) fn request(&self) -> u64 {
        self.carries().map_or(u64::MAX, |(request, _)| request)
    }

    /// Which request its target sees, and whether no target has seen it before; those of probes are numbered downwards.
    pub(super) fn asks(&self, strangers: &mut u64) -> (u64, bool) {
        match &self.owner {
            Owner::Client(job, _) => {
                (job.arrival.index, job.attempt == 1 && !job.is_second && self.tries == 1)
            }
            // A copy demands what its request does.
            Owner::Copy(copy) => (copy.arrival.index, true),
            Owner::Probe(..) | Owner::Nobody => {
                *strangers -= 1;
                (*strangers, true)
            }
        }
    }
}

/// No event.
pub(super) const NEVER: u64 = u64::MAX;

/// All flights; places are used again, and flights made and ended where they are.
#[derive(Debug, Default)]
pub(super) struct Flights {
    all: Vec<Flight>,
    free: Vec<u32>,
}

impl Flights {
    /// A new flight, which has no event yet.
    #[inline]
    pub(super) fn begin(&mut self, owner: Owner, worker: u32) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| self.add());
        let flight = &mut self.all[slot as usize];
        flight.owner = owner;
        flight.worker = worker;
        flight.stage = Stage::None;
        flight.due = NEVER;
        flight.mock = u32::MAX;
        flight.ticket = NEVER;
        flight.answers = 0;
        flight.said = Said::default();
        flight.tries = 0;
        flight.pair = None;
        flight.gone = None;
        slot
    }

    #[cold]
    fn add(&mut self) -> u32 {
        self.all.push(Flight {
            owner: Owner::Nobody,
            worker: 0,
            stage: Stage::None,
            due: NEVER,
            attempt: None,
            mock: u32::MAX,
            ticket: NEVER,
            answers: 0,
            said: Said::default(),
            tries: 0,
            pair: None,
            gone: None,
        });
        (self.all.len() - 1) as u32
    }

    /// Ends a flight, if it has not ended yet.
    #[inline]
    pub(super) fn end(&mut self, slot: u32) {
        if let Some(flight) = self.get(slot) {
            flight.owner = Owner::Nobody;
            flight.attempt = None;
            self.free.push(slot);
        }
    }

    /// The same; whose it was.
    pub(super) fn take(&mut self, slot: u32) -> Option<Owner> {
        let owner = self.get(slot).map(|flight| std::mem::replace(&mut flight.owner, Owner::Nobody))?;
        self.free.push(slot);
        Some(owner)
    }

    #[inline]
    pub(super) fn get(&mut self, slot: u32) -> Option<&mut Flight> {
        self.all.get_mut(slot as usize).filter(|flight| !matches!(flight.owner, Owner::Nobody))
    }

    /// Those that are in the hands of `mock` at some stage.
    pub(super) fn at_mock(&self, mock: u32) -> Vec<u32> {
        self.those(|flight| flight.mock == mock)
    }

    /// All places that are taken.
    pub(super) fn slots(&self) -> Vec<u32> {
        self.those(|_| true)
    }

    fn those(&self, wanted: impl Fn(&Flight) -> bool) -> Vec<u32> {
        let is_one = |flight: &Flight| !matches!(flight.owner, Owner::Nobody) && wanted(flight);
        (0_u32..).zip(&self.all).filter(|(_, flight)| is_one(flight)).map(|(slot, _)| slot).collect()
    }
}
