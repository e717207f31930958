//! What one answer, or the lack of it, says about a target. Leaves what it counts as to [`Counters`](super::Counters).

use crate::outcome::Outcome;
use crate::rules::Rules;

/// What was seen of a target once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It answered with this status; 0 when what came back was not HTTP, which counts as an unhealthy status.
    Status(u16),
    /// It accepted a connection, and that was all that was asked. Counts as a success whatever the lists of statuses
    /// say.
    Connected,
    /// It refused or broke the connection.
    TcpFailure,
    /// It did not answer in time.
    Timeout,
}

impl Observation {
    /// What a try of a client's request says about its target; `None` when nothing. `is_last_try` is whether no other
    /// try follows.
    ///
    /// An answer is its status, a failed try a TCP failure or a timeout. [`Rules::Kong`] differs twice:
    ///
    /// - Its last failed try is the status the client is told, 502, so `tcp_failures` counts only tries that another
    ///   one followed, and 502 is not among the statuses that count by default. Fixed: a failure is a failure.
    /// - It takes any 504, the target's own too, for a timeout. Fixed: an answer is an answer; whoever wants it to
    ///   count lists 504 among the unhealthy statuses.
    pub fn of(outcome: Outcome, is_last_try: bool, rules: Rules) -> Option<Self> {
        match (outcome, rules) {
            (Outcome::ClientGone, _) => None,
            (Outcome::Answered { status: 504 }, Rules::Kong) => Some(Self::Timeout),
            (Outcome::Answered { status }, _) => Some(Self::Status(status)),
            (Outcome::Failed { cause, .. }, _) if cause.is_timeout() => Some(Self::Timeout),
            (Outcome::Failed { .. }, Rules::Kong) if is_last_try => Some(Self::Status(502)),
            (Outcome::Failed { .. }, _) => Some(Self::TcpFailure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Observation::{Status, TcpFailure, Timeout};
    use super::*;
    use crate::outcome::Failure;

    #[test]
    fn a_try_is_reported_for_what_it_was_except_by_kong() {
        let failed = |cause| Outcome::Failed { cause, sent: true, replayable: true };
        // Outcome; fixed; Kong when another try follows; Kong when none does.
        for (outcome, fixed, kong_retried, kong_last) in [
            (Outcome::Answered { status: 200 }, Some(Status(200)), Some(Status(200)), Some(Status(200))),
            (Outcome::Answered { status: 503 }, Some(Status(503)), Some(Status(503)), Some(Status(503))),
            (Outcome::Answered { status: 504 }, Some(Status(504)), Some(Timeout), Some(Timeout)),
            (failed(Failure::Refused), Some(TcpFailure), Some(TcpFailure), Some(Status(502))),
            (failed(Failure::ResetBeforeResponse), Some(TcpFailure), Some(TcpFailure), Some(Status(502))),
            (failed(Failure::ResetMidBody), Some(TcpFailure), Some(TcpFailure), Some(Status(502))),
            (failed(Failure::BadResponse), Some(TcpFailure), Some(TcpFailure), Some(Status(502))),
            (failed(Failure::ConnectTimeout), Some(Timeout), Some(Timeout), Some(Timeout)),
            (failed(Failure::ResponseTimeout), Some(Timeout), Some(Timeout), Some(Timeout)),
            (failed(Failure::WriteTimeout), Some(Timeout), Some(Timeout), Some(Timeout)),
            (Outcome::ClientGone, None, None, None),
        ] {
            for is_last_try in [false, true] {
                assert_eq!(Observation::of(outcome, is_last_try, Rules::Careful), fixed, "{outcome:?}");
                let kong = if is_last_try { kong_last } else { kong_retried };
                assert_eq!(Observation::of(outcome, is_last_try, Rules::Kong), kong, "{outcome:?}");
            }
        }
    }
}
