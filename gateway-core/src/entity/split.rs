//! A Service's split: some of its keys, and so their users, go to another Upstream. Kong has this as an Enterprise plugin
//! (canary, `hash`); ours is exact to a hundredth of a percent of the keys there may be. Keys that the gateway gives itself are
//! Flagger's session affinity. Where cookies are read and made is in `gateway`.

use std::time::Duration;

use super::{FieldError, Percent, check_host};
use crate::rng;

/// Requests whose key falls below a share go to another host; the same key always does or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The name of an Upstream, or else a host.
    pub host: String,
    /// The share of keys; none by default.
    pub percent: Percent,
    /// What the key is.
    pub key: SplitKey,
    /// Splits with different salts divide keys independently.
    pub salt: String,
}

/// What the key of a split is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitKey {
    /// A header field, in lower case. A request without it stays.
    Header(String),
    /// A cookie. Whoever has none is given one, with a key of its own.
    Cookie(SplitCookie),
}

/// The cookie of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitCookie {
    /// Its name.
    pub name: String,
    /// How long a browser keeps it, whole seconds, at least one; then its user is somebody new.
    pub max_age: Duration,
    /// Whether those who stay are given one as well. If not they are somebody new with each request, until they have moved.
    pub primary_sticky: bool,
}

impl SplitCookie {
    /// How long one is kept where nothing is said: a day, as Flagger's.
    pub const MAX_AGE: Duration = Duration::from_secs(86_400);
}

impl Split {
    /// Whether requests with this key go to the other host. Monotone in the share: who goes there at 5 % does at 10 %.
    pub fn takes(&self, key: &[u8]) -> bool {
        self.bucket(key) < self.percent.hundredths()
    }

    /// Where a key falls, from 0 to [`Percent::WHOLE`], exclusive.
    fn bucket(&self, key: &[u8]) -> u16 {
        let name = rng::fnv1a_more(rng::fnv1a_of_nothing(), key);
        // Less than 10^-15 away from evenness.
        (rng::draw(rng::fnv1a(&self.salt), name, 0) % u64::from(Percent::WHOLE)) as u16
    }

    /// All fields that break their rule.
    pub(super) fn errors(&self) -> Vec<FieldError> {
        let host = check_host(&self.host).err().map(|message| FieldError::new("split.host", message));
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let (field, name, what) = match &self.key {
            SplitKey::Header(name) => ("split.header", name, "expected the name of a header field"),
            SplitKey::Cookie(cookie) => ("split.cookie", &cookie.name, "expected the name of a cookie"),
        };
        let is_name = !name.is_empty() && name.bytes().all(is_token);
        let key = (!is_name).then(|| FieldError::new(field, what));
        host.into_iter().chain(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(percent: f64, salt: &str) -> Split {
        Split {
            host: "v2".into(),
            percent: Percent::new(percent),
            key: SplitKey::Header("x-user".into()),
            salt: salt.into(),
        }
    }

    fn taken(split: &Split) -> Vec<u32> {
        (0..20_000).filter(|user: &u32| split.takes(user.to_string().as_bytes())).collect()
    }

    #[test]
    fn who_has_moved_stays_while_the_share_grows() {
        let mut before = Vec::new();
        for percent in [0.0, 1.0, 5.0, 20.0, 50.0, 99.99, 100.0] {
            let now = taken(&split(percent, "a"));
            assert!(before.iter().all(|user| now.binary_search(user).is_ok()), "{percent}");
            // Four standard errors of a share of 20,000 keys.
            let (share, sure) =
                (percent / 100.0, 4.0 * (percent / 100.0 * (1.0 - percent / 100.0) / 20_000.0).sqrt());
            assert!((now.len() as f64 / 20_000.0 - share).abs() <= sure, "{percent}: {}", now.len());
            before = now;
        }
    }

    #[test]
    fn salts_divide_independently() {
        let (a, b) = (taken(&split(30.0, "a")), taken(&split(30.0, "b")));
        let both = a.iter().filter(|user| b.binary_search(user).is_ok()).count();
        // 9 % of 20,000, four standard errors.
        assert!(both.abs_diff(1800) < 162, "{both}");
    }
}
