//! The cookies of each user, as a browser would send them back: enough for sticky sessions. There is one site, so domains,
//! paths and `Secure` are not looked at; `Expires` neither, since a run has a time of its own, but `Max-Age` is.

use std::hash::BuildHasher as _;
use std::time::Duration;

use gateway_core::time::Instant;
use rustc_hash::FxBuildHasher;

/// Bytes of one user's cookies: what goes beyond is not kept.
const BYTES_MAX: usize = 1024;

/// A user's key, as far as it can be told from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// That of the key that stands in a request.
    pub fn of(text: &[u8]) -> Self {
        Self(FxBuildHasher.hash_one(text))
    }
}

/// The cookies of all users.
#[derive(Debug)]
pub struct Cookies {
    users: Vec<Jar>,
    /// The name with `=` of the one that is its user's key, where somebody goes by it.
    key: Option<Box<[u8]>>,
}

/// One user's.
#[derive(Clone, Debug, Default)]
struct Jar {
    /// As the header field's value: `session=1; theme=dark`.
    field: Vec<u8>,
    /// Those that are over some time: their names with `=`, and when.
    ends: Vec<(Box<[u8]>, Instant)>,
}

impl Cookies {
    /// None yet, for `users` users; the cookie called `key` is their key.
    pub fn new(users: u64, key: Option<&str>) -> Self {
        let key = key.map(|name| format!("{name}=").into_bytes().into_boxed_slice());
        Self { users: vec![Jar::default(); users as usize], key }
    }

    /// The key of `user`, as it was sent last or has been set since.
    pub fn key(&self, user: u64) -> Option<Key> {
        let (name, jar) = (self.key.as_deref()?, self.users.get(user as usize)?);
        let mut pairs = jar.field.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        pairs.find_map(|pair| pair.strip_prefix(name)).map(Key::of)
    }

    /// What `user` sends at `now`; empty when it has none.
    pub fn of(&mut self, user: u64, now: Instant) -> &[u8] {
        let Some(jar) = self.users.get_mut(user as usize) else { return &[] };
        while let Some(over) = jar.ends.iter().position(|(_, end)| *end <= now) {
            let (name, _) = jar.ends.swap_remove(over);
            remove(&mut jar.field, &name);
        }
        &jar.field
    }

    /// `user` was answered with this `Set-Cookie` at `now`. What is no cookie is left out.
    pub fn set(&mut self, user: u64, cookie: &[u8], now: Instant) {
        let mut attributes = cookie.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let pair = attributes.next().unwrap_or_default();
        let name = pair.split_inclusive(|&byte| byte == b'=').next().unwrap_or_default();
        let is_pair = name.len() > 1 && name.ends_with(b"=");
        if !is_pair || !pair.iter().all(|&byte| (b' '..0x7f).contains(&byte)) {
            return;
        }
        let Some(Jar { field, ends }) = self.users.get_mut(user as usize) else { return };
        remove(field, name);
        ends.retain(|(of, _)| **of != *name);
        // The last one counts.
        let max_age = attributes.filter_map(max_age).fold(None, |_, seconds| Some(seconds));
        let is_over = max_age.is_some_and(|seconds| seconds <= 0);
        if !is_over && field.len() + b"; ".len() + pair.len() <= BYTES_MAX {
            if !field.is_empty() {
                field.extend_from_slice(b"; ");
            }
            field.extend_from_slice(pair);
            let end = max_age.map(|seconds| now + Duration::from_secs(seconds.unsigned_abs()));
            ends.extend(end.map(|end| (name.into(), end)));
        }
    }
}

/// Seconds, where an attribute is `Max-Age`.
fn max_age(attribute: &[u8]) -> Option<i64> {
    let (name, seconds) = std::str::from_utf8(attribute).ok()?.split_once('=')?;
    // Longer than any run is as good as for ever.
    let seconds = seconds.trim().parse::<i64>().ok()?.min(i64::from(u32::MAX));
    name.trim_end().eq_ignore_ascii_case("max-age").then_some(seconds)
}

/// Takes the cookie out whose name and `=` are given.
fn remove(jar: &mut Vec<u8>, name: &[u8]) {
    let mut at = 0;
    while at < jar.len() {
        let length = jar[at..].iter().position(|&byte| byte == b';').unwrap_or(jar.len() - at);
        let next = (at + length + b"; ".len()).min(jar.len());
        if jar[at..].starts_with(name) {
            jar.drain(at..next);
            // The last one leaves the separator before it.
            if at == jar.len() {
                jar.truncate(at.saturating_sub(b"; ".len()));
            }
            return;
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(set: &[&str]) -> String {
        let mut cookies = Cookies::new(2, None);
        for cookie in set {
            cookies.set(1, cookie.as_bytes(), Instant::ZERO);
        }
        assert_eq!(cookies.of(0, Instant::ZERO), b"", "another user's");
        String::from_utf8(cookies.of(1, Instant::ZERO).to_vec()).unwrap()
    }

    #[test]
    fn cookies_are_kept_replaced_and_taken_back() {
        assert_eq!(after(&["a=1; Path=/; HttpOnly", "b=x=y"]), "a=1; b=x=y");
        assert_eq!(after(&["a=1", "b=2", "c=3", "b=4"]), "a=1; c=3; b=4");
        assert_eq!(after(&["a=1", "b=2", "b=; Max-Age=0"]), "a=1");
        assert_eq!(after(&["a=1", "b=2", "a=; max-age=0"]), "b=2");
        assert_eq!(after(&["a=1", "a=; Max-Age=0"]), "");
        assert_eq!(after(&["aa=1", "a=2"]), "aa=1; a=2", "a name is a whole name");
    }

    #[test]
    fn a_key_is_the_cookie_called_so_for_as_long_as_it_is_kept() {
        let mut cookies = Cookies::new(1, Some("group"));
        for (cookie, key) in
            [("my-group=a", None), ("group=b; Path=/; Max-Age=1", Some("b")), ("group=c", Some("c"))]
        {
            cookies.set(0, cookie.as_bytes(), Instant::ZERO);
            assert_eq!(cookies.key(0), key.map(|key| Key::of(key.as_bytes())), "{cookie}");
        }
        cookies.set(0, b"group=; Max-Age=0", Instant::ZERO);
        assert_eq!((cookies.key(0), cookies.key(1)), (None, None));
        cookies.set(0, b"group=d", Instant::ZERO);
        cookies.key = None;
        assert_eq!(cookies.key(0), None, "nobody goes by it");
    }

    #[test]
    fn what_is_no_cookie_or_too_much_is_left_out() {
        assert_eq!(after(&["", "=1", "a", ";a=1", "a=\u{e9}", "a=1\r\nx: y"]), "");
        let long = format!("b={}", "x".repeat(BYTES_MAX - 6));
        assert_eq!(after(&["a=1", &long]), "a=1");
        let mut cookies = Cookies::new(1, None);
        cookies.set(9, b"a=1", Instant::ZERO);
        assert_eq!(cookies.of(9, Instant::ZERO), b"");
    }

    #[test]
    fn a_cookie_is_over_when_its_age_is_and_a_new_one_counts_from_the_start() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        let mut cookies = Cookies::new(1, None);
        cookies.set(0, b"a=1; Max-Age=10", at(0));
        cookies.set(0, b"b=2; max-age=5; Path=/", at(2));
        cookies.set(0, b"c=3", at(3));
        assert_eq!(cookies.of(0, at(6)), b"a=1; b=2; c=3");
        assert_eq!(cookies.of(0, at(7)), b"a=1; c=3");
        cookies.set(0, b"a=4; Max-Age=10", at(9));
        assert_eq!(cookies.of(0, at(18)), b"c=3; a=4");
        cookies.set(0, b"a=5", at(18));
        assert_eq!(cookies.of(0, at(100)), b"c=3; a=5", "for as long as the browser runs");
    }
}
