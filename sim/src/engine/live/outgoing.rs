//! What goes out for each request: the bytes of its kind, with the key and the cookies of its user. Decides nothing about
//! when and where.

use gateway_core::time::Instant;

use super::template::{Setting, Template};
use crate::load::{Arrival, Cookies, Key, Load, RequestIds, RequestTemplate, Stream};

/// The requests of a run, ready to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// In the order of [`Load::templates`].
    templates: Vec<Template>,
    /// What the draws of a run come from.
    seed: u64,
    /// For each stream, kept for each user, where users keep them.
    cookies: Vec<Option<Cookies>>,
    /// A request with its cookies.
    buffer: Vec<u8>,
}

impl Outgoing {
    /// The requests of `load`, sent to `host`. The cookie called `key` is the key that somebody goes by.
    pub(super) fn new(load: &Load, host: &str, ids: &RequestIds, seed: u64, key: Option<&str>) -> Self {
        let template = |(stream, request): (usize, &RequestTemplate)| {
            let users = &load.streams[stream].users;
            let closes = load.requests_per_connection == Some(1);
            Template::new(request, Setting { users, closes, host, ids, seed })
        };
        let cookies = |stream: &Stream| stream.users.cookies.then(|| Cookies::new(stream.users.count(), key));
        Self {
            templates: load.templates().map(template).collect(),
            seed,
            cookies: load.streams.iter().map(cookies).collect(),
            buffer: Vec::new(),
        }
    }

    /// The bytes of a request that is sent at `now`, which is asked for where users keep cookies.
    pub(super) fn bytes(&mut self, arrival: &Arrival, now: impl FnOnce() -> Instant) -> &[u8] {
        let template = &mut self.templates[arrival.kind];
        let cookies = self.cookies[arrival.stream].as_mut();
        let cookies = cookies.map_or(&[][..], |cookies| cookies.of(arrival.user, now()));
        if cookies.is_empty() {
            return template.bytes(arrival.index, arrival.user, self.seed);
        }
        template.bytes(arrival.index, arrival.user, self.seed);
        template.with_cookies(cookies, &mut self.buffer);
        &self.buffer
    }

    /// The key that its user was given before the request was sent last.
    pub(super) fn key(&self, arrival: &Arrival) -> Option<Key> {
        self.cookies[arrival.stream].as_ref()?.key(arrival.user)
    }

    /// Whether the answer to this kind has no body whatever its length says.
    pub(super) fn is_to_head(&self, kind: usize) -> bool {
        self.templates[kind].to_head
    }

    /// A request was answered with these `Set-Cookie`s at `now`. The key, where its user was given another one than it has.
    pub(super) fn learn<'a>(
        &mut self,
        arrival: &Arrival,
        set_cookies: impl Iterator<Item = &'a [u8]>,
        now: Instant,
    ) -> Option<Key> {
        let before = self.key(arrival);
        let cookies = self.cookies[arrival.stream].as_mut()?;
        set_cookies.for_each(|cookie| cookies.set(arrival.user, cookie, now));
        cookies.key(arrival.user).filter(|key| Some(*key) != before)
    }
}
