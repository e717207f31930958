//! The cookies of each user, as a browser would send them back: enough for sticky sessions. There is one site, so domains,
//! paths and `Secure` are not looked at; `Expires` neither, since a run is short, but `Max-Age=0` takes a cookie back.

/// Bytes of one user's cookies: what goes beyond is not kept.
const BYTES_MAX: usize = 1024;

/// The cookies of all users, each as its header field's value: `session=1; theme=dark`.
#[derive(Debug)]
pub struct Cookies {
    users: Vec<Vec<u8>>,
}

impl Cookies {
    /// None yet, for `users` users.
    pub fn new(users: u64) -> Self {
        Self { users: vec![Vec::new(); users as usize] }
    }

    /// What `user` sends; empty when it has none.
    pub fn of(&self, user: u64) -> &[u8] {
        self.users.get(user as usize).map_or(&[], Vec::as_slice)
    }

    /// `user` was answered with this `Set-Cookie`. What is no cookie is left out.
    pub fn set(&mut self, user: u64, cookie: &[u8]) {
        let mut attributes = cookie.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let pair = attributes.next().unwrap_or_default();
        let name = pair.split_inclusive(|&byte| byte == b'=').next().unwrap_or_default();
        let is_pair = name.len() > 1 && name.ends_with(b"=");
        if !is_pair || !pair.iter().all(|&byte| (b' '..0x7f).contains(&byte)) {
            return;
        }
        let Some(jar) = self.users.get_mut(user as usize) else { return };
        remove(jar, name);
        let is_over = attributes.any(|attribute| attribute.eq_ignore_ascii_case(b"max-age=0"));
        if !is_over && jar.len() + b"; ".len() + pair.len() <= BYTES_MAX {
            if !jar.is_empty() {
                jar.extend_from_slice(b"; ");
            }
            jar.extend_from_slice(pair);
        }
    }
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
        let mut cookies = Cookies::new(2);
        for cookie in set {
            cookies.set(1, cookie.as_bytes());
        }
        assert_eq!(cookies.of(0), b"", "another user's");
        String::from_utf8(cookies.of(1).to_vec()).unwrap()
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
    fn what_is_no_cookie_or_too_much_is_left_out() {
        assert_eq!(after(&["", "=1", "a", ";a=1", "a=\u{e9}", "a=1\r\nx: y"]), "");
        let long = format!("b={}", "x".repeat(BYTES_MAX - 6));
        assert_eq!(after(&["a=1", &long]), "a=1");
        let mut cookies = Cookies::new(1);
        cookies.set(9, b"a=1");
        assert_eq!(cookies.of(9), b"");
    }
}
