//! What goes out for each request: the bytes of its kind, with the key and the cookies of its user. Decides nothing about
//! when and where.

use super::template::{Setting, Template};
use crate::load::{Cookies, Load, RequestIds};

/// The requests of a run, ready to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    load: Load,
    seed: u64,
    templates: Vec<Template>,
    /// Kept for each user, where users keep them.
    cookies: Option<Cookies>,
    /// A request with its cookies.
    buffer: Vec<u8>,
}

impl Outgoing {
    /// The requests of `load`, sent to `host`.
    pub(super) fn new(load: &Load, host: &str, ids: &RequestIds, seed: u64) -> Self {
        let setting = Setting { load, host, ids, seed };
        let templates = load.requests.templates().iter();
        Self {
            templates: templates.map(|request| Template::new(request, setting)).collect(),
            cookies: load.users.cookies.then(|| Cookies::new(load.users.count())),
            load: load.clone(),
            seed,
            buffer: Vec::new(),
        }
    }

    /// The bytes of request `index`, which is of this kind.
    pub(super) fn bytes(&mut self, kind: usize, index: u64) -> &[u8] {
        let user = self.load.users.user(self.seed, index);
        let template = &mut self.templates[kind];
        let cookies = self.cookies.as_ref().map_or(&[][..], |cookies| cookies.of(user));
        if cookies.is_empty() {
            return template.bytes(index, user, self.seed);
        }
        template.bytes(index, user, self.seed);
        template.with_cookies(cookies, &mut self.buffer);
        &self.buffer
    }

    /// Whether the answer to this kind has no body whatever its length says.
    pub(super) fn is_to_head(&self, kind: usize) -> bool {
        self.templates[kind].to_head
    }

    /// Request `index` was answered with these `Set-Cookie`s.
    pub(super) fn learn<'a>(&mut self, index: u64, set_cookies: impl Iterator<Item = &'a [u8]>) {
        if let Some(cookies) = &mut self.cookies {
            let user = self.load.users.user(self.seed, index);
            set_cookies.for_each(|cookie| cookies.set(user, cookie));
        }
    }
}
