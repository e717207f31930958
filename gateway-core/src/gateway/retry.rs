//! When a failed attempt may be tried again: only where it can do no harm. Which target gets it is the balancer's choice.

use super::Attempt;
use crate::outcome::{Failure, Outcome};
use crate::request::Head;
use crate::rules::Rules;

/// Whether a request of this method may be sent again after some of it was sent. Careful: where the method promises that twice
/// is as good as once (RFC 9110, 9.2.2). Kong: all but those that nginx calls non-idempotent.
pub(super) fn is_repeatable(head: &Head<'_>, rules: Rules) -> bool {
    match rules {
        Rules::Careful => head.is_idempotent(),
        Rules::Kong => !matches!(head.method, "POST" | "LOCK" | "PATCH"),
    }
}

/// Whether `outcome` of `attempt` calls for another try: there are tries left, the shell still has the whole request,
/// nothing has gone to the client, and either no byte reached a target or the method may be repeated.
pub(super) fn is_due(attempt: &Attempt, outcome: Outcome) -> bool {
    let Outcome::Failed { cause, sent, replayable } = outcome else {
        return false;
    };
    attempt.retries_left > 0 && replayable && before_answer(cause) && (!sent || attempt.repeatable)
}

/// Kong retries errors and timeouts before an answer began; an answer that is not HTTP was still an answer.
const fn before_answer(cause: Failure) -> bool {
    match cause {
        Failure::Refused
        | Failure::ConnectTimeout
        | Failure::ResetBeforeResponse
        | Failure::ResponseTimeout
        | Failure::WriteTimeout => true,
        Failure::ResetMidBody | Failure::BadResponse => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::FirstTry;
    use crate::id::{Epoch, Revision, RouteId, ServiceId, TargetId};
    use crate::time::Instant;

    fn attempt(retries_left: u16, idempotent: bool) -> Attempt {
        Attempt {
            view: 0,
            node: 0,
            revision: Revision(0),
            routed: Revision(0),
            route: RouteId(0),
            service: ServiceId(0),
            upstream: None,
            target: TargetId(0),
            epoch: Epoch(0),
            member: 0,
            key: None,
            is_counted: false,
            head_at: None,
            ticket: 0,
            carried: 0.0,
            number: 0,
            began: Instant::ZERO,
            first: FirstTry { target: TargetId(0), epoch: Epoch(0), began: Instant::ZERO },
            is_copy: false,
            retries_left,
            repeatable: idempotent,
            rare: None,
        }
    }

    #[test]
    fn only_what_can_do_no_harm_is_tried_again() {
        use Failure::{BadResponse, Refused, ResetBeforeResponse, ResetMidBody, ResponseTimeout};
        let failed = |cause, sent| Outcome::Failed { cause, sent, replayable: true };
        for (retries, idempotent, outcome, expected) in [
            (5, true, failed(Refused, false), true),
            (5, false, failed(Refused, false), true),
            (5, false, failed(ResetBeforeResponse, true), false),
            (5, true, failed(ResetBeforeResponse, true), true),
            (5, true, failed(ResponseTimeout, true), true),
            (5, true, failed(ResetMidBody, true), false),
            (5, true, failed(BadResponse, true), false),
            (0, true, failed(Refused, false), false),
            (5, true, Outcome::Failed { cause: Refused, sent: false, replayable: false }, false),
            (5, true, Outcome::Answered { status: 503 }, false),
            (5, true, Outcome::ClientGone, false),
        ] {
            assert_eq!(is_due(&attempt(retries, idempotent), outcome), expected, "{outcome:?}");
        }
    }
}
