//! Sending again what failed: which failures, how often, and no more than a share of all requests, so that a gateway in
//! trouble is not given many times the load. At once, and whatever the method: it is the load's own choice.

/// Retries that are always allowed, so that a small budget does not forbid the first.
const ALWAYS: u64 = 10;

/// A way to fail that may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection: refused, or not in time.
    Connect,
    /// The connection ended before the whole answer.
    Reset,
    /// No whole answer in time.
    Timeout,
    /// The gateway's own 5xx.
    Gateway,
    /// A target's 5xx.
    Target,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Connect, Self::Reset, Self::Timeout, Self::Gateway, Self::Target];

    /// As scenarios name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Gateway => "gateway_5xx",
            Self::Target => "target_5xx",
        }
    }
}

/// What is sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts of a request, the first included.
    pub attempts: u32,
    /// Retries as a share of the requests so far, besides the first ten.
    pub budget: f64,
    /// After which failures.
    pub on: Vec<Failure>,
}

/// The retries of a run as it goes.
#[derive(Clone, Debug)]
pub struct Retries {
    plan: Option<Retry>,
    requests: u64,
    again: u64,
}

impl Retries {
    /// None yet. Without a plan there never is one.
    pub fn new(plan: Option<Retry>) -> Self {
        Self { plan, requests: 0, again: 0 }
    }

    /// A request was sent for the first time.
    pub fn begin(&mut self) {
        self.requests += 1;
    }

    /// Whether this attempt, from 1, of a request is followed by another after `failure`; counts it then.
    pub fn again(&mut self, attempt: u32, failure: Failure) -> bool {
        let Some(plan) = &self.plan else { return false };
        let within = self.again < ALWAYS + (plan.budget * self.requests as f64) as u64;
        let again = within && attempt < plan.attempts && plan.on.contains(&failure);
        self.again += u64::from(again);
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_tried_again_and_only_so_often() {
        let plan = Retry { attempts: 3, budget: 0.0, on: vec![Failure::Reset, Failure::Gateway] };
        let mut retries = Retries::new(Some(plan));
        assert!(retries.again(1, Failure::Reset) && retries.again(2, Failure::Gateway));
        assert!(!retries.again(3, Failure::Reset) && !retries.again(1, Failure::Timeout));
        assert!(!Retries::new(None).again(1, Failure::Reset));
    }

    #[test]
    fn a_budget_is_a_share_of_the_requests_so_far() {
        let mut retries = Retries::new(Some(Retry { attempts: 2, budget: 0.1, on: vec![Failure::Reset] }));
        let mut again = 0;
        for _ in 0..1000 {
            retries.begin();
            again += u64::from(retries.again(1, Failure::Reset));
        }
        assert_eq!(again, ALWAYS + 100);
    }
}
