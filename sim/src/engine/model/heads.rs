//! The heads of requests, as far as the gateway's decisions look at them: prepared once for each kind, filled in for each
//! request, and matched to a Route once for each kind and revision where nothing that differs is looked at.

use std::borrow::Cow;

use gateway_core::config::Config;
use gateway_core::entity::normalise;
use gateway_core::gateway::{Gateway, Held, Rejection, RouteMatch};
use gateway_core::id::Revision;
use gateway_core::request::{Head, HeaderLookup, Headers};
use gateway_core::time::Instant;

use crate::load::{Arrival, COOKIE, Cookies, Key, Pattern, RequestIds, Stream, Users, Values, ids};
use crate::mock::{self, Answer, Respond, Seen};
use crate::plan::Plan;

/// All kinds of requests of a run.
#[derive(Debug)]
pub(super) struct Heads {
    kinds: Vec<Kind>,
    values: Values,
    /// For each stream, kept for each user, where users keep them.
    cookies: Vec<Option<Cookies>>,
    /// Whether some Route looks at header fields, under this revision.
    by_fields: (Option<Revision>, bool),
}

/// What a request asks for that says nothing of it.
const HOST: &str = "localhost";

/// One kind of request.
#[derive(Debug)]
struct Kind {
    method: String,
    /// The path, or what makes it.
    path: Text,
    /// The path in its normal form and the query, where they are the same for all.
    normal: Option<(String, Option<String>)>,
    /// Host and port, where they are the same for all.
    host: Option<(String, Option<u16>)>,
    fields: Vec<(String, Text)>,
    /// What its `Cookie` field says, where its user keeps cookies and has some.
    cookies: String,
    /// Bytes of its body.
    body: usize,
    /// Where it goes as each worker sees it.
    routes: Vec<Option<Result<RouteMatch, Rejection>>>,
    revisions: Vec<Revision>,
}

impl Kind {
    /// There is one field for all cookies (RFC 6265, 5.4): these stand behind its own.
    fn add(&mut self, cookies: &[u8]) {
        let Self { fields, cookies: all, .. } = self;
        all.clear();
        if cookies.is_empty() {
            return;
        }
        if let Some((_, own)) = fields.iter().find(|(name, _)| name == COOKIE) {
            all.push_str(&own.now);
            all.push_str("; ");
        }
        all.push_str(&String::from_utf8_lossy(cookies));
    }
}

/// A text that is the same for all requests, or made anew for each.
#[derive(Debug)]
struct Text {
    pattern: Pattern,
    /// Digits of a user.
    user_width: usize,
    is_fixed: bool,
    now: String,
}

impl Text {
    fn new(pattern: &Pattern, users: &Users, values: &Values) -> Self {
        let is_fixed = pattern.is_fixed();
        let mut text =
            Self { pattern: pattern.clone(), user_width: users.width(), is_fixed: false, now: String::new() };
        text.fill(values);
        text.is_fixed = is_fixed;
        text
    }

    fn fill(&mut self, values: &Values) {
        if self.is_fixed {
            return;
        }
        self.now.clear();
        values.fill(&self.pattern, self.user_width, &mut self.now);
    }
}

impl Heads {
    /// Those of a plan, for a gateway of so many workers.
    pub(super) fn new(plan: &Plan, workers: usize) -> Self {
        let (load, seed) = (&plan.load, plan.seed);
        let ids = RequestIds::new(seed, load.total());
        let values = Values::new(seed, ids);
        let kinds = load.templates().map(|(stream, template)| {
            let users = &load.streams[stream].users;
            let fields = template.fields(users).into_iter();
            let fields =
                fields.map(|(name, value)| (name.to_ascii_lowercase(), Text::new(&value, users, &values)));
            let fields: Vec<_> = fields.collect();
            let host = match fields.iter().find(|(name, _)| name == "host") {
                Some((_, text)) => text.is_fixed.then_some(text.now.as_str()),
                None => Some(HOST),
            };
            let host = host.map(split_host).map(|(host, port)| (host.to_owned(), port));
            let path = Text::new(&template.path, users, &values);
            let normal = path.is_fixed.then(|| {
                let (path, query) = split(&path.now);
                (normalise(path).into_owned(), query.map(str::to_owned))
            });
            Kind {
                method: template.method.clone(),
                path,
                normal,
                host,
                fields,
                cookies: String::new(),
                body: Text::new(&template.body, users, &values).now.len(),
                routes: vec![None; workers],
                revisions: vec![Revision(0); workers],
            }
        });
        let key = plan.rollout.key_cookie();
        let cookies = |stream: &Stream| stream.users.cookies.then(|| Cookies::new(stream.users.count(), key));
        Self {
            kinds: kinds.collect(),
            cookies: load.streams.iter().map(cookies).collect(),
            values: values.clone(),
            by_fields: (None, true),
        }
    }

    /// The Route of a request as `worker` sees it at `now`, and its head.
    pub(super) fn route(
        &mut self,
        held: &mut Held,
        arrival: &Arrival,
        (worker, now): (usize, Instant),
    ) -> (Result<RouteMatch, Rejection>, RequestHead<'_>) {
        self.fill(arrival);
        if let Some(cookies) = &mut self.cookies[arrival.stream] {
            self.kinds[arrival.kind].add(cookies.of(arrival.user, now));
        }
        let revision = held.view().revision();
        if self.by_fields.0 != Some(revision) {
            self.by_fields = (Some(revision), looks_at_fields(&held.gateway().config()));
        }
        let entry = &mut self.kinds[arrival.kind];
        let is_fixed = entry.path.is_fixed && !self.by_fields.1;
        if let Some(matched) = entry.routes[worker]
            && is_fixed
            && entry.revisions[worker] == revision
        {
            return (matched, RequestHead { kind: entry, id: &self.values });
        }
        let matched = RequestHead { kind: entry, id: &self.values }.ask(held.gateway(), worker);
        entry.routes[worker] = Some(matched);
        entry.revisions[worker] = revision;
        (matched, RequestHead { kind: entry, id: &self.values })
    }

    fn fill(&mut self, arrival: &Arrival) {
        self.values.index = arrival.index;
        self.values.user = arrival.user;
        let kind = &mut self.kinds[arrival.kind];
        kind.path.fill(&self.values);
        kind.fields.iter_mut().for_each(|(_, text)| text.fill(&self.values));
    }

    /// Bytes of the body of the answer to a request of this kind. What describes the request knows nothing of the fields that
    /// the gateway adds.
    pub(super) fn answer_length(&self, kind: usize, respond: Respond) -> usize {
        let kind = &self.kinds[kind];
        match respond {
            Respond::Bytes(bytes) => bytes,
            Respond::Echo => kind.body,
            Respond::Anything => {
                let fields: Vec<_> =
                    kind.fields.iter().map(|(n, text)| (n.as_str(), text.now.as_str())).collect();
                let (path, body) = (kind.path.now.as_str(), vec![b'x'; kind.body]);
                let seen = Seen { method: &kind.method, path, query: None, headers: &fields, body: &body };
                mock::answer(respond, &seen).body.len()
            }
        }
    }

    /// What a target that sees this `host`, or else the client's, says to a request without a body.
    pub(super) fn answer(
        &mut self,
        arrival: &Arrival,
        host: Option<&str>,
        say: impl FnOnce(&Seen<'_>) -> Answer,
    ) -> Answer {
        self.fill(arrival);
        let kind = &self.kinds[arrival.kind];
        let own = kind.fields.iter().map(|(name, text)| (name.as_str(), text.now.as_str()));
        let fields: Vec<_> = match host {
            Some(host) => own.filter(|(name, _)| *name != "host").chain([("host", host)]).collect(),
            None => own.collect(),
        };
        let (path, query) = split(&kind.path.now);
        say(&Seen { method: &kind.method, path, query, headers: &fields, body: &[] })
    }

    /// The key that its user was given before a request was asked for last.
    pub(super) fn key(&self, arrival: &Arrival) -> Option<Key> {
        self.cookies[arrival.stream].as_ref()?.key(arrival.user)
    }

    /// A request was answered with this cookie at `now`. The key, where it is another one than its user has.
    pub(super) fn learn(&mut self, arrival: &Arrival, cookie: &str, now: Instant) -> Option<Key> {
        let before = self.key(arrival);
        let cookies = self.cookies[arrival.stream].as_mut()?;
        cookies.set(arrival.user, cookie.as_bytes(), now);
        cookies.key(arrival.user).filter(|key| Some(*key) != before)
    }
}

/// A path and the query after it.
fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

/// A host and the port after it.
fn split_host(text: &str) -> (&str, Option<u16>) {
    text.split_once(':').map_or((text, None), |(host, port)| (host, port.parse().ok()))
}

fn looks_at_fields(config: &Config) -> bool {
    config.routes().any(|(_, route)| !route.headers.is_empty())
}

/// The head of the request that was asked for last.
pub(super) struct RequestHead<'a> {
    kind: &'a Kind,
    id: &'a Values,
}

impl RequestHead<'_> {
    fn ask(&self, gateway: &Gateway, worker: usize) -> Result<RouteMatch, Rejection> {
        self.with(|head| gateway.route(worker, head))
    }

    /// Whether there is something behind it.
    pub(super) fn has_body(&self) -> bool {
        self.kind.body > 0
    }

    /// Calls `then` with the head.
    pub(super) fn with<T>(&self, then: impl FnOnce(&Head<'_>) -> T) -> T {
        let (path, query) = if let Some((path, query)) = &self.kind.normal {
            (Cow::Borrowed(path.as_str()), query.as_deref())
        } else {
            let (path, query) = split(&self.kind.path.now);
            (normalise(path), query)
        };
        let fields = Fields { of: self, id: std::cell::OnceCell::new() };
        let (host, port) = match &self.kind.host {
            Some((host, port)) => (host.as_str(), *port),
            None => split_host(fields.header("host").unwrap_or(HOST)),
        };
        then(&Head {
            method: &self.kind.method,
            host,
            port,
            path: &path,
            query,
            headers: Headers::new(&fields),
            client: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        })
    }
}

/// The header fields of a head.
struct Fields<'a> {
    of: &'a RequestHead<'a>,
    id: std::cell::OnceCell<String>,
}

impl Fields<'_> {
    /// Made when it is asked for: hardly anybody does.
    fn id(&self) -> &str {
        self.id.get_or_init(|| self.of.id.ids.id(self.of.id.index))
    }
}

impl HeaderLookup for Fields<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        match name {
            ids::HEADER => Some(self.id()),
            COOKIE if !self.of.kind.cookies.is_empty() => Some(&self.of.kind.cookies),
            name => self.of.kind.fields.iter().find(|(n, _)| n == name).map(|(_, text)| text.now.as_str()),
        }
    }

    fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if name == COOKIE && !self.of.kind.cookies.is_empty() {
            return wanted(self.of.kind.cookies.as_bytes());
        }
        let own = self.of.kind.fields.iter().filter(|(n, _)| n == name);
        let id = (name == ids::HEADER).then(|| self.id());
        own.map(|(_, text)| text.now.as_str()).chain(id).any(|value| wanted(value.as_bytes()))
    }
}
