//! What an engine tells the recorder, one value at a time: the same words in both engines. Facts only; what they add up
//! to is the recorder's to find out.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::gateway::{Applied, Attempt, Compared, Finished, NewEpoch};
use gateway_core::id::{Epoch, Revision, ServiceId, TargetId, UpstreamId};
use gateway_core::outcome::Outcome;
use gateway_core::time::Instant;

use super::{Ending, Record};
use crate::load::Key;
use crate::rollout::Mark;

/// Something an engine saw.
///
/// Order: an engine may report a little late and out of order, but a `Picked` before the `Finished` of the same attempt,
/// both before the `Ended` of their request, and `Stepped` before anything that happened after its `applied`.
// Handed on for each request several times: what is rare and large is apart.
#[derive(Clone, Debug)]
pub enum Observation {
    /// The gateway chose a target.
    Picked(Pick),
    /// The gateway opened a connection for an attempt of a request.
    Connected {
        /// The request's index.
        request: u64,
        /// When it was open.
        at: Instant,
        /// The Service it was for.
        service: ServiceId,
        /// The Upstream its target was picked from.
        upstream: Option<UpstreamId>,
        /// Since the pick.
        took: Duration,
    },
    /// The gateway was done with an attempt.
    Finished {
        /// When.
        at: Instant,
        /// The Upstream it was picked from.
        upstream: Option<UpstreamId>,
        /// The target.
        target: TargetId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A target wrote a request into its book.
    Served {
        /// The request's index.
        request: u64,
        /// Index of the mock in the plan.
        mock: u32,
        /// When its head had arrived.
        at: Instant,
    },
    /// An attempt of the client failed, and its request is sent again.
    Retried {
        /// The request's index.
        request: u64,
        /// When the failure was known.
        at: Instant,
        /// How the attempt would have ended it.
        ending: Ending,
    },
    /// A request without an answer was sent a second time.
    Hedged {
        /// The request's index.
        request: u64,
        /// When.
        at: Instant,
    },
    /// The client sent a request with the key that it was given before, or was given one with its answer; said before it ends.
    Keyed {
        /// The request's index.
        request: u64,
        /// When.
        at: Instant,
        /// The key.
        key: Key,
        /// Whether it came with the answer.
        is_given: bool,
    },
    /// Something happened to the copy of a request.
    Copied {
        /// The request's index.
        request: u64,
        /// When.
        at: Instant,
        /// What.
        copied: Copied,
    },
    /// A request came to its end, as the client sees it.
    Ended(Record),
    /// An epoch of an Upstream began: who may be picked in it. Best before its first pick; picks wait for it a while.
    Began {
        /// When.
        at: Instant,
        /// Which, and its members.
        epoch: Arc<NewEpoch>,
    },
    /// A node of the gateway has put a configuration in force. Best before the first pick under it; picks wait for it a while.
    Configured {
        /// When.
        at: Instant,
        /// Its number, from 0.
        node: u16,
        /// The change that made it, wherever that was.
        revision: Revision,
        /// What it says.
        config: Arc<Config>,
    },
    /// A step of the plan was carried out.
    Stepped(StepMoments),
    /// Something happened to the rollout.
    Rollout(Box<Mark>),
    /// CPU time used so far.
    Cpu(CpuSample),
}

impl Observation {
    /// The gateway chose a target for an attempt of a request, or for its copy.
    pub fn picked(request: u64, attempt: &Attempt) -> Self {
        let pick = Pick::of(request, attempt);
        if attempt.is_copy {
            return Self::Copied { request, at: attempt.began, copied: Copied::Sent(pick) };
        }
        Self::Picked(pick)
    }

    /// A connection was open at `at` for an attempt of a request; what copies take is no matter of users.
    pub fn connected(request: u64, attempt: &Attempt, at: Instant) -> Option<Self> {
        let &Attempt { service, upstream, began, .. } = attempt;
        let took = at.since(began);
        (!attempt.is_copy).then_some(Self::Connected { request, at, service, upstream, took })
    }

    /// The gateway was done with an attempt of a request, or with its copy.
    pub fn finished(request: u64, attempt: Finished) -> Self {
        let Finished { at, upstream, target, outcome, .. } = attempt;
        if attempt.is_copy {
            let copied = Copied::Ended { outcome, latency: at.since(attempt.began) };
            return Self::Copied { request, at, copied };
        }
        Self::Finished { at, upstream, target, outcome }
    }

    /// Something is in force at a node of the gateway; nothing is to be told of it where its configuration is as it was.
    pub fn configured(applied: &Applied) -> Option<Self> {
        let (revision, config) = &applied.config;
        let (at, node, revision) = (applied.at, applied.node, *revision);
        let is_news = applied.cause != gateway_core::gateway::Cause::Health;
        is_news.then(|| Self::Configured { at, node, revision, config: Arc::clone(config) })
    }

    /// A target wrote a request into its book, or its copy.
    pub fn served(request: u64, mock: u32, is_copy: bool, at: Instant) -> Self {
        if is_copy {
            return Self::Copied { request, at, copied: Copied::Served { mock } };
        }
        Self::Served { request, mock, at }
    }
}

/// What happened to the copy of a request.
#[derive(Clone, Debug)]
pub enum Copied {
    /// The gateway chose a target for it.
    Sent(Pick),
    /// A target wrote it into its book, as a copy.
    Served {
        /// Index of the mock in the plan.
        mock: u32,
    },
    /// The gateway was done with it.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// From the pick to the end.
        latency: Duration,
    },
    /// It was not sent: too many are under way.
    Overflow,
    /// It was not sent: there is no target.
    NoTarget,
    /// Both answers were compared.
    Compared(Box<Compared>),
}

/// One pick of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// The request's index.
    pub request: u64,
    /// When.
    pub at: Instant,
    /// The gateway's node, from 0.
    pub node: u16,
    /// The configuration it was made under.
    pub revision: Revision,
    /// The change that made the routing it was sent by, which may be an older one.
    pub routed: Revision,
    /// The Service it was made for.
    pub service: ServiceId,
    /// The Upstream; `None` when the Service's host is no Upstream.
    pub upstream: Option<UpstreamId>,
    /// The target.
    pub target: TargetId,
    /// The balancer's epoch: a stretch between two changes of its members or weights.
    pub epoch: Epoch,
    /// Number of this pick within the epoch, from 0, without gaps over all workers. Retries have none.
    pub ticket: u64,
    /// Requests this target was owed (positive) or had had too much (negative) when the epoch began.
    pub carried: f64,
    /// 0 for the first try of a request, then 1, 2, ...
    pub retry: u16,
}

impl Pick {
    /// The pick that `attempt` of a request is.
    pub fn of(request: u64, attempt: &Attempt) -> Self {
        Self {
            request,
            at: attempt.began,
            node: attempt.node,
            revision: attempt.revision,
            routed: attempt.routed,
            service: attempt.service,
            upstream: attempt.upstream,
            target: attempt.target,
            epoch: attempt.epoch,
            ticket: attempt.ticket,
            carried: attempt.carried,
            retry: attempt.number,
        }
    }
}

/// When a step was asked for and when it was in force.
#[derive(Clone, Copy, Debug)]
pub struct StepMoments {
    /// Index of the step in the plan.
    pub step: usize,
    /// When the request for it was sent.
    pub requested: Instant,
    /// When its success was read; `None` when it failed.
    pub acked: Option<Instant>,
    /// When the gateway put it in force.
    pub applied: Option<Instant>,
}

impl StepMoments {
    /// When it was in force, as far as anybody says; never where it failed.
    pub(super) fn in_force(&self) -> Option<Instant> {
        self.applied.or(self.acked)
    }
}

/// CPU time each part has used since the start of the run, nanoseconds. `None` where the system does not tell.
#[derive(Clone, Copy, Debug)]
pub struct CpuSample {
    /// When it was read.
    pub at: Instant,
    /// The gateway's workers together.
    pub gateway: Option<u64>,
    /// The load generator.
    pub generator: Option<u64>,
    /// The mock targets together.
    pub targets: Option<u64>,
}

/// What the machine did in one bin of a run: the worst of the readings that touch it, shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Strain {
    /// CPU time a hypervisor gave to others.
    pub steal: Option<f64>,
    /// Time of all cores that other processes used.
    pub foreign_cpu: Option<f64>,
    /// Time in which the generator's thread was running.
    pub generator_busy: Option<f64>,
    /// Time in which it was ready but not running.
    pub generator_wait: Option<f64>,
    /// The largest overshoot of a sleep of 1 ms, microseconds.
    pub jitter_us: Option<f64>,
}

/// What the machine did to the measurement, over the whole run. `None` where the system does not tell.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Share of the run in which a generator thread was ready but not running, 0 to 1.
    pub run_queue_wait: Option<f64>,
    /// Share of CPU time a hypervisor gave to others, 0 to 1.
    pub steal: Option<f64>,
    /// Share of the run in which some task waited for a CPU, 0 to 1.
    pub cpu_pressure: Option<f64>,
    /// Share of the time of all cores that other processes used, 0 to 1.
    pub foreign_cpu: Option<f64>,
    /// Largest share of one second in which the generator's thread was running, 0 to 1.
    pub generator_busy_max: Option<f64>,
    /// Overshoot of sleeps of 1 ms: median, 99.9th percentile and largest, microseconds.
    pub jitter_us: Option<(f64, f64, f64)>,
    /// What it did when: for each bin of the run, in order; empty where nobody looked.
    pub strains: Vec<Strain>,
    /// The smallest step of the clock that stamps requests.
    pub clock_resolution: Option<Duration>,
    /// Connections that a full backlog turned away, of the whole machine.
    pub listen_overflows: Option<u64>,
    /// Share of TCP segments that were sent again, of the whole machine, 0 to 1.
    pub retransmitted: Option<f64>,
    /// When the last request ended or the drain's deadline passed.
    pub drained_at: Instant,
    /// The run was stopped by a signal at this moment.
    pub aborted_at: Option<Instant>,
}
