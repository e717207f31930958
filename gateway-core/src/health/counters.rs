//! Kong's state machine of one target's health, as a function from value to value. Leaves sharing it to
//! [`Record`](super::Record), and what an outcome is called to [`Observation`].

use super::Observation;
use crate::entity::Limits;
use crate::rules::Rules;

/// Kong's four states; the first two are in rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Well. A new target is.
    #[default]
    Healthy,
    /// Well, with failures on its record.
    MostlyHealthy,
    /// Not well, with successes on its record.
    MostlyUnhealthy,
    /// Not well.
    Unhealthy,
}

/// All that is known of one target: its state, and the observations counted since the last one of the other sort. There
/// are never successes and failures at once; a healthy target has no failures, an unhealthy one no successes. Active
/// and passive checks share the counters, each with limits of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The state.
    pub state: State,
    /// Healthy statuses, and connections where only those are asked for.
    pub successes: u8,
    /// Connections refused or broken.
    pub tcp_failures: u8,
    /// Answers that were late.
    pub timeouts: u8,
    /// Unhealthy statuses.
    pub http_failures: u8,
}

/// What an observation counts as.
#[derive(Clone, Copy)]
enum Finding {
    Success,
    TcpFailure,
    Timeout,
    HttpFailure,
}

impl State {
    /// Whether a target in this state may be picked.
    pub const fn is_in_rotation(self) -> bool {
        matches!(self, Self::Healthy | Self::MostlyHealthy)
    }
}

impl Counters {
    /// A target that somebody has called healthy or unhealthy by hand: nothing is counted.
    pub fn set(is_healthy: bool) -> Self {
        let state = if is_healthy { State::Healthy } else { State::Unhealthy };
        Self { state, ..Self::default() }
    }

    /// These counters after one more observation. A limit of zero switches its counter off: the observation then counts
    /// for nothing, with the one exception that [`Rules::Careful`] makes of successes.
    #[must_use]
    pub fn after(self, observation: Observation, limits: &Limits, rules: Rules) -> Self {
        match finding(observation, limits) {
            None => self,
            Some(Finding::Success) => self.succeeded(limits, rules),
            Some(Finding::TcpFailure) => self.failed(limits.tcp_failures, |all| &mut all.tcp_failures),
            Some(Finding::Timeout) => self.failed(limits.timeouts, |all| &mut all.timeouts),
            Some(Finding::HttpFailure) => self.failed(limits.http_failures, |all| &mut all.http_failures),
        }
    }

    /// Kong's `successes = 0`, the default of passive checks, makes a success count for nothing at all, so that three
    /// failures are three since the start of time. Under [`Rules::Careful`] it still cannot turn a target healthy that is
    /// out of rotation, but it clears the failures of one that is in: three failures are three in a row.
    fn succeeded(self, limits: &Limits, rules: Rules) -> Self {
        let limit = limits.successes;
        match (self.state, rules) {
            (State::Healthy, _) => self,
            (State::MostlyHealthy, Rules::Careful) if limit == 0 => self.cleared(limits),
            _ if limit == 0 => self,
            (before, _) => {
                let successes = self.successes.saturating_add(1);
                let state = match before {
                    _ if successes >= limit => State::Healthy,
                    State::Unhealthy => State::MostlyUnhealthy,
                    other => other,
                };
                Self { state, successes, ..Self::default() }
            }
        }
    }

    /// Without the failures that these limits count. The others are not theirs to clear: where only probes count
    /// failures, an answer to a client must not undo what probes found.
    fn cleared(mut self, limits: &Limits) -> Self {
        for (count, limit) in [
            (&mut self.tcp_failures, limits.tcp_failures),
            (&mut self.timeouts, limits.timeouts),
            (&mut self.http_failures, limits.http_failures),
        ] {
            if limit > 0 {
                *count = 0;
            }
        }
        let is_clear = self.tcp_failures == 0 && self.timeouts == 0 && self.http_failures == 0;
        if is_clear { Self::default() } else { self }
    }

    fn failed(mut self, limit: u8, counter: fn(&mut Self) -> &mut u8) -> Self {
        if limit == 0 || self.state == State::Unhealthy {
            return self;
        }
        self.successes = 0;
        let count = counter(&mut self);
        *count = count.saturating_add(1);
        self.state = match self.state {
            _ if *count >= limit => State::Unhealthy,
            State::Healthy => State::MostlyHealthy,
            other => other,
        };
        self
    }
}

/// What an observation counts as; `None` for a status in neither list. A status in both lists is a success, as in Kong.
fn finding(observation: Observation, limits: &Limits) -> Option<Finding> {
    match observation {
        Observation::Connected => Some(Finding::Success),
        Observation::TcpFailure => Some(Finding::TcpFailure),
        Observation::Timeout => Some(Finding::Timeout),
        Observation::Status(status) if limits.healthy_statuses.contains(&status) => Some(Finding::Success),
        Observation::Status(status) if status == 0 || limits.unhealthy_statuses.contains(&status) => {
            Some(Finding::HttpFailure)
        }
        Observation::Status(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Observation::{Connected, Status, TcpFailure, Timeout};
    use super::State::{Healthy, MostlyHealthy, MostlyUnhealthy, Unhealthy};
    use super::*;

    const fn at(state: State, counts: [u8; 4]) -> Counters {
        let [successes, tcp_failures, timeouts, http_failures] = counts;
        Counters { state, successes, tcp_failures, timeouts, http_failures }
    }

    fn limits([successes, tcp_failures, timeouts, http_failures]: [u8; 4]) -> Limits {
        Limits { successes, tcp_failures, timeouts, http_failures, ..Limits::default() }
    }

    #[test]
    fn every_row_of_kongs_table_holds_under_both_rules() {
        // Counts and limits are written successes, tcp, timeouts, http; 200 is healthy, 500 unhealthy, 404 neither.
        let three = [3, 3, 3, 3];
        for (before, limit, seen, after) in [
            // A healthy status: successes + 1, failures := 0.
            (at(Unhealthy, [0, 3, 1, 1]), three, Status(200), at(MostlyUnhealthy, [1, 0, 0, 0])),
            (at(MostlyUnhealthy, [1, 0, 0, 0]), three, Status(200), at(MostlyUnhealthy, [2, 0, 0, 0])),
            (at(MostlyUnhealthy, [2, 0, 0, 0]), three, Status(200), at(Healthy, [3, 0, 0, 0])),
            (at(Unhealthy, [0, 0, 0, 3]), [1, 3, 3, 3], Connected, at(Healthy, [1, 0, 0, 0])),
            (at(MostlyHealthy, [0, 1, 2, 1]), three, Status(302), at(MostlyHealthy, [1, 0, 0, 0])),
            (at(MostlyHealthy, [2, 0, 0, 0]), three, Status(200), at(Healthy, [3, 0, 0, 0])),
            // In state healthy it counts nothing.
            (at(Healthy, [0, 0, 0, 0]), three, Status(200), at(Healthy, [0, 0, 0, 0])),
            (at(Healthy, [3, 0, 0, 0]), three, Status(200), at(Healthy, [3, 0, 0, 0])),
            // An unhealthy status, or none that can be read: http + 1, successes := 0.
            (at(Healthy, [3, 0, 0, 0]), three, Status(500), at(MostlyHealthy, [0, 0, 0, 1])),
            (at(Healthy, [0, 0, 0, 0]), three, Status(0), at(MostlyHealthy, [0, 0, 0, 1])),
            (at(MostlyHealthy, [0, 0, 0, 2]), three, Status(429), at(Unhealthy, [0, 0, 0, 3])),
            (at(MostlyUnhealthy, [2, 0, 0, 0]), three, Status(500), at(MostlyUnhealthy, [0, 0, 0, 1])),
            (at(MostlyUnhealthy, [0, 0, 0, 2]), three, Status(500), at(Unhealthy, [0, 0, 0, 3])),
            (at(Healthy, [0, 0, 0, 0]), [0, 0, 0, 1], Status(500), at(Unhealthy, [0, 0, 0, 1])),
            // Refused, reset: tcp + 1.
            (at(Healthy, [0, 0, 0, 0]), three, TcpFailure, at(MostlyHealthy, [0, 1, 0, 0])),
            (at(MostlyHealthy, [0, 2, 1, 1]), three, TcpFailure, at(Unhealthy, [0, 3, 1, 1])),
            // Timeout: timeouts + 1. Counters do not add up.
            (at(MostlyHealthy, [0, 2, 1, 2]), three, Timeout, at(MostlyHealthy, [0, 2, 2, 2])),
            (at(MostlyHealthy, [0, 2, 2, 2]), three, Timeout, at(Unhealthy, [0, 2, 3, 2])),
            // A status in neither list.
            (at(MostlyHealthy, [0, 1, 0, 0]), three, Status(404), at(MostlyHealthy, [0, 1, 0, 0])),
            // A limit of 0.
            (at(Unhealthy, [0, 3, 0, 0]), [0, 3, 3, 3], Status(200), at(Unhealthy, [0, 3, 0, 0])),
            (at(MostlyUnhealthy, [1, 0, 0, 0]), [0, 3, 3, 3], Status(200), at(MostlyUnhealthy, [1, 0, 0, 0])),
            (at(MostlyHealthy, [1, 0, 0, 0]), [3, 0, 3, 3], TcpFailure, at(MostlyHealthy, [1, 0, 0, 0])),
            (at(Healthy, [0, 0, 0, 0]), [3, 3, 0, 3], Timeout, at(Healthy, [0, 0, 0, 0])),
            (at(Healthy, [0, 0, 0, 0]), [3, 3, 3, 0], Status(500), at(Healthy, [0, 0, 0, 0])),
            // A report of the full present state.
            (at(Unhealthy, [0, 3, 0, 0]), three, TcpFailure, at(Unhealthy, [0, 3, 0, 0])),
            (at(Unhealthy, [0, 3, 0, 0]), three, Status(500), at(Unhealthy, [0, 3, 0, 0])),
        ] {
            for rules in [Rules::Kong, Rules::Careful] {
                let found = before.after(seen, &limits(limit), rules);
                assert_eq!(found, after, "{before:?}, {seen:?}, limits {limit:?}, {rules:?}");
            }
        }
    }

    #[test]
    fn three_failures_are_three_in_a_row_except_in_kong() {
        let limits = limits([0, 0, 0, 3]);
        let walk = |rules, statuses: &[u16]| {
            let step = |counters: Counters, &status| counters.after(Status(status), &limits, rules);
            statuses.iter().fold(Counters::default(), step)
        };
        let spread = [500, 500, 200, 500];
        assert_eq!(walk(Rules::Kong, &spread), at(Unhealthy, [0, 0, 0, 3]));
        assert_eq!(walk(Rules::Careful, &spread), at(MostlyHealthy, [0, 0, 0, 1]));
        assert_eq!(walk(Rules::Careful, &spread[..3]), Counters::default());
        for rules in [Rules::Kong, Rules::Careful] {
            assert_eq!(walk(rules, &[500, 500, 500, 200]), at(Unhealthy, [0, 0, 0, 3]), "{rules:?}");
        }
    }

    #[test]
    fn answers_to_clients_leave_to_probes_what_only_probes_count() {
        // Aim: passive checks that are off must not keep active ones from turning a target unhealthy.
        let (active, passive) = (limits([1, 2, 2, 2]), limits([0, 2, 0, 0]));
        let one = Counters::default().after(Status(500), &active, Rules::Careful);
        let other = one.after(TcpFailure, &passive, Rules::Careful);
        assert_eq!(other, at(MostlyHealthy, [0, 1, 0, 1]));
        let answered = other.after(Status(200), &passive, Rules::Careful);
        assert_eq!(answered, at(MostlyHealthy, [0, 0, 0, 1]));
        assert_eq!(answered.after(Status(500), &active, Rules::Careful), at(Unhealthy, [0, 0, 0, 2]));
    }

    #[test]
    fn a_status_in_both_lists_is_a_success() {
        let both = Limits { healthy_statuses: vec![500], ..limits([1, 1, 1, 1]) };
        assert_eq!(Counters::default().after(Status(500), &both, Rules::Careful), Counters::default());
    }
}
