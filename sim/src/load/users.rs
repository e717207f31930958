//! Who sends: each request belongs to a user drawn from the seed, all alike or few of them often (Zipf), and carries its key.

use std::sync::Arc;

use gateway_core::rng;

use super::{Pattern, Value};

/// The field that carries cookies.
pub const COOKIE: &str = "cookie";

/// The users of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Users {
    count: u64,
    /// Running sums of their weights, unless all are alike. Shared: a plan is copied, this is long.
    until: Option<Arc<[f64]>>,
    /// The header field that carries the user's key: its number.
    pub header: Option<String>,
    /// The cookie that does.
    pub cookie: Option<String>,
    /// Whether each keeps the cookies it is given.
    pub cookies: bool,
}

impl Users {
    /// `count` users, at least 1. With an exponent `zipf`, user k (from 0) sends in proportion to 1 / (k + 1)^zipf.
    ///
    /// # Panics
    /// Without any user.
    pub fn new(count: u64, zipf: Option<f64>) -> Self {
        assert!(count > 0, "somebody must send");
        let until = zipf.map(|exponent| {
            let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
            let sums = weights.scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            });
            sums.collect()
        });
        Self { count, until, header: None, cookie: None, cookies: false }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Digits of a user's number.
    pub fn width(&self) -> usize {
        (self.count - 1).to_string().len()
    }

    /// The header fields that carry the user's key: their names and values.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, Pattern)> {
        let header = self.header.as_deref().map(|name| (name, Pattern::from(Value::User)));
        let cookie = self.cookie.as_deref().map(|name| (COOKIE, Pattern::cookie(name, Value::User)));
        header.into_iter().chain(cookie)
    }

    /// Who sends request `index`: a pure function of (seed, index).
    pub fn user(&self, seed: u64, index: u64) -> u64 {
        if self.count == 1 {
            return 0;
        }
        let drawn = rng::draw(seed, const { rng::fnv1a("load/users") }, index);
        match self.until.as_deref() {
            None => ((u128::from(drawn) * u128::from(self.count)) >> 64) as u64,
            Some(until) => {
                let point = (drawn >> 11) as f64 / (1_u64 << 53) as f64 * until[until.len() - 1];
                (until.partition_point(|&until| until <= point) as u64).min(self.count - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of the first five sends, of 100,000 requests.
    fn counts(users: &Users) -> [u64; 5] {
        let mut counts = [0; 5];
        for index in 0..100_000 {
            if let Some(count) = counts.get_mut(users.user(7, index) as usize) {
                *count += 1;
            }
        }
        counts
    }

    #[test]
    fn users_are_alike_or_follow_zipf() {
        // Aim: shares follow the weights. Method: 100,000 draws; the standard deviation of each count is below 160 and the
        // seed is fixed, so 600 is far beyond chance.
        assert!(counts(&Users::new(5, None)).iter().all(|n| n.abs_diff(20_000) < 600));
        // 1 + 1/2 + 1/3 + 1/4 + 1/5 = 137/60.
        let zipf = counts(&Users::new(5, Some(1.0)));
        for (rank, n) in (1..).zip(zipf) {
            assert!(n.abs_diff(100_000 * 60 / 137 / rank) < 600, "{zipf:?}");
        }
        assert_eq!(Users::new(5, Some(1.0)).user(7, 3), Users::new(5, Some(1.0)).user(7, 3));
    }

    #[test]
    fn who_sends_is_golden_and_numbers_have_one_width() {
        let first = |users: Users| (0..8).map(|index| users.user(42, index)).collect::<Vec<_>>();
        assert_eq!(first(Users::new(1000, None)), [122, 848, 488, 228, 861, 718, 323, 457]);
        assert_eq!(first(Users::new(1000, Some(1.2))), [0, 121, 5, 0, 141, 33, 1, 4]);
        assert_eq!(first(Users::new(1, None)), [0; 8]);
        assert_eq!([1, 10, 11, 1000].map(|count| Users::new(count, None).width()), [1, 1, 2, 3]);
    }
}
