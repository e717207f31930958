//! One request as the load generator saw it: five stamps, how it ended, who answered. 64 bytes or so, `Copy`, made once.

use std::time::Duration;

use gateway_core::time::Instant;

use crate::load::Failure;

/// The end of one intended request. Each intended request has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which request of the schedule, from 0.
    pub index: u64,
    /// When it should have been sent: computed, never measured.
    pub intended: Instant,
    /// When the pacer let it go; `intended` for a request that never was.
    pub released: Instant,
    /// Just before its first byte was written.
    pub on_wire: Option<Instant>,
    /// When the first byte of the status line had arrived.
    pub first_byte: Option<Instant>,
    /// When the last body byte had arrived, or the failure was known.
    pub done: Instant,
    /// How it ended.
    pub ending: Ending,
    /// Index into the plan's mocks of the target that answered, from its identity header.
    pub target: Option<u32>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A complete answer with this status, made by a target.
    Answered(u16),
    /// No complete answer from a target, for this reason.
    Dropped(Cause),
}

impl Ending {
    /// The way an attempt failed, where the load may send its request again.
    pub fn failure(self) -> Option<Failure> {
        match self {
            Self::Answered(500..) => Some(Failure::Target),
            Self::Dropped(Cause::Refused | Cause::ConnectTimeout) => Some(Failure::Connect),
            Self::Dropped(Cause::ResetBeforeResponse | Cause::ResetMidBody | Cause::Truncated) => {
                Some(Failure::Reset)
            }
            Self::Dropped(Cause::ResponseTimeout) => Some(Failure::Timeout),
            Self::Dropped(
                Cause::Gateway502 | Cause::Gateway503NoTarget | Cause::Gateway504 | Cause::GatewayError,
            ) => Some(Failure::Gateway),
            Self::Answered(_) | Self::Dropped(_) => None,
        }
    }
}

/// The durations of a request, nanoseconds; `None` for those that it never came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    pub(super) lag: Option<u64>,
    pub(super) client_wait: Option<u64>,
    pub(super) first_byte: Option<u64>,
    pub(super) service: u64,
    pub(super) response: u64,
}

impl Record {
    /// Whether the pacer let it go. An overflow never was, nor is a request that a stopped run left behind.
    pub fn was_released(&self) -> bool {
        match self.ending {
            Ending::Dropped(Cause::Overflow) => false,
            Ending::Dropped(Cause::Unsent) => self.released > self.intended,
            _ => true,
        }
    }

    /// Generator lag: released minus intended.
    pub fn lag(&self) -> Duration {
        self.released.since(self.intended)
    }

    /// On the wire, at last, minus released: how long it waited for a connection. None when it never was on the wire.
    pub fn client_wait(&self) -> Option<Duration> {
        self.on_wire.map(|on_wire| on_wire.since(self.released))
    }

    /// Done minus on the wire; zero when it never was on the wire.
    pub fn service_time(&self) -> Duration {
        self.on_wire.map_or(Duration::ZERO, |on_wire| self.done.since(on_wire))
    }

    /// First byte of the answer minus on the wire. None when there was none.
    pub fn time_to_first_byte(&self) -> Option<Duration> {
        Some(self.first_byte?.since(self.on_wire?))
    }

    /// All of them as nanoseconds, for whoever counts them.
    pub(super) fn spans(&self) -> Spans {
        let since = |later: Instant, earlier: Instant| later.as_nanos().saturating_sub(earlier.as_nanos());
        let first_byte = self.first_byte.zip(self.on_wire).map(|(first, on_wire)| since(first, on_wire));
        Spans {
            lag: self.was_released().then(|| since(self.released, self.intended)),
            client_wait: self.on_wire.map(|on_wire| since(on_wire, self.released)),
            first_byte,
            service: self.on_wire.map_or(0, |on_wire| since(self.done, on_wire)),
            response: since(self.done, self.intended),
        }
    }

    /// Done minus intended: the headline.
    pub fn response_time(&self) -> Duration {
        self.done.since(self.intended)
    }
}

/// Why an intended request got no complete answer from a target. The closed list of DESIGN.md; there is no "other".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Never put on the wire: no connection came free in time, or the run was stopped.
    Unsent,
    /// The generator ran out of local ports: our own fault, so the run is INVALID.
    ClientPorts,
    /// The gateway refused the connection.
    Refused,
    /// The connection was not established in time.
    ConnectTimeout,
    /// The connection ended before the first byte of an answer.
    ResetBeforeResponse,
    /// The connection was reset within an answer.
    ResetMidBody,
    /// The connection was closed before the announced end of an answer.
    Truncated,
    /// No complete answer within the timeout.
    ResponseTimeout,
    /// The gateway's own 502: it reached no target or got no valid answer.
    Gateway502,
    /// The gateway's own 503: no target to pick.
    Gateway503NoTarget,
    /// The gateway's own 504: the target took too long.
    Gateway504,
    /// The gateway's own 404: no Route matched.
    NoRoute,
    /// Any other answer of the gateway's own, such as 400 or 500.
    GatewayError,
    /// An answer that is not HTTP.
    BadResponse,
    /// A whole answer whose body is not the one that its target sent, by length and checksum.
    DamagedBody,
    /// Too many requests were in flight at its intended time.
    Overflow,
    /// Still unanswered when the drain's deadline passed.
    Censored,
}

impl Cause {
    /// All of them, in the order reports list them.
    pub const ALL: [Self; 17] = [
        Self::Unsent,
        Self::ClientPorts,
        Self::Refused,
        Self::ConnectTimeout,
        Self::ResetBeforeResponse,
        Self::ResetMidBody,
        Self::Truncated,
        Self::ResponseTimeout,
        Self::Gateway502,
        Self::Gateway503NoTarget,
        Self::Gateway504,
        Self::NoRoute,
        Self::GatewayError,
        Self::BadResponse,
        Self::DamagedBody,
        Self::Overflow,
        Self::Censored,
    ];

    /// As reports and thresholds name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::ClientPorts => "client_ports",
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ResetBeforeResponse => "reset_before_response",
            Self::ResetMidBody => "reset_mid_body",
            Self::Truncated => "truncated",
            Self::ResponseTimeout => "response_timeout",
            Self::Gateway502 => "gateway_502",
            Self::Gateway503NoTarget => "gateway_503_no_target",
            Self::Gateway504 => "gateway_504",
            Self::NoRoute => "no_route",
            Self::GatewayError => "gateway_error",
            Self::BadResponse => "bad_response",
            Self::DamagedBody => "damaged_body",
            Self::Overflow => "overflow",
            Self::Censored => "censored",
        }
    }
}
