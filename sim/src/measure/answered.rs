//! How long answers took: response and service times of the same requests. Where nobody waits for a connection both are equal for
//! all of them, and are counted once.

use super::Times;

/// Durations of answered requests.
#[derive(Debug)]
pub struct Answered {
    /// From the intended moment to the end of the answer.
    pub response: Times,
    /// From the wire to there; nothing while that is the same.
    service: Option<Box<Times>>,
}

impl Answered {
    /// Nothing yet; each within 0.1 %.
    pub fn precise() -> Self {
        Self { response: Times::precise(), service: None }
    }

    /// Nothing yet; each within 0.8 %.
    pub fn coarse() -> Self {
        Self { response: Times::coarse(), service: None }
    }

    /// Counts one answer; nanoseconds.
    pub fn count(&mut self, response: u64, service: u64) {
        if service != response || self.service.is_some() {
            self.own_service().count(service);
        }
        self.response.count(response);
    }

    /// Service times.
    pub fn service(&self) -> &Times {
        self.service.as_deref().unwrap_or(&self.response)
    }

    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        if other.service.is_some() || self.service.is_some() {
            self.own_service().add(other.service());
        }
        self.response.add(&other.response);
    }

    /// From here on they differ.
    fn own_service(&mut self) -> &mut Times {
        self.service.get_or_insert_with(|| Box::new(self.response.clone()))
    }
}

impl Default for Answered {
    fn default() -> Self {
        Self::coarse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn equal_times_are_counted_once_and_the_first_other_one_tells_them_apart() {
        let of = |times: &[(u64, u64)]| {
            let mut answered = Answered::coarse();
            for &(response, service) in times {
                answered.count(response * MS, service * MS);
            }
            answered
        };
        let means =
            |answered: &Answered| [&answered.response, answered.service()].map(|t| t.mean_us().unwrap());
        let (equal, other) = (of(&[(2, 2), (4, 4)]), of(&[(2, 2), (6, 1), (4, 4)]));
        assert!(equal.service.is_none());
        assert_eq!((means(&equal), means(&other)), ([3_000.0, 3_000.0], [4_000.0, 7_000.0 / 3.0]));
        for (mut first, second) in [(of(&[(2, 2), (4, 4)]), &other), (of(&[(2, 2), (6, 1), (4, 4)]), &equal)]
        {
            first.add(second);
            assert_eq!((means(&first), first.service().n()), ([18_000.0 / 5.0, 13_000.0 / 5.0], 5));
        }
    }
}
