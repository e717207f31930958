//! Warns where something goes by a header field or a cookie that no request of the load carries: a header Route, a key that users are
//! divided by, a hash, a session. Nothing is wrong with the rest of it, and all of it was for nothing.

use std::collections::BTreeSet;

use gateway_core::config::Config;
use gateway_core::entity::{Algorithm, HashOn, SplitKey, Upstream};

use super::diagnostic::Place;
use super::gateway::{self, Entities};
use super::lints::{Lint, Subject};
use super::reader::Section;
use super::rollout;
use crate::load::{Load, Pattern, RequestIds, Users, Value, Values};
use crate::plan;
use crate::rollout::{Action, Field, HeaderMatch, HeaderRoute, SplitRoute, Step};
use crate::words;

/// The cookie of a session where nothing is said.
const SESSION: &str = "sticky_session";

/// Warns at what goes by it.
pub(super) fn warn(root: &Section<'_>, entities: &Entities<'_>, steps: &[Step], (load, seed): (&Load, u64)) {
    let values = Values::new(seed, RequestIds::new(seed, load.total()));
    let requests = Requests { load, values };
    let mut known = BTreeSet::new();
    for step in steps {
        match &step.action {
            Action::SetHeaderRoute(HeaderRoute { to: Some(to), .. }) => {
                led(root, (step, to), &requests, &mut known);
            }
            Action::SetSplit(SplitRoute { to: Some(to), .. }) => {
                divided(root, (step, &to.key), &requests, &mut known);
            }
            _ => {}
        }
    }
    for lint in hashed(&entities.config, &requests) {
        gateway::warn(root, entities, lint);
    }
}

/// What requests carry.
struct Requests<'a> {
    load: &'a Load,
    values: Values,
}

impl Requests<'_> {
    /// What those of each kind carry of a field.
    fn carried(&self, field: &Field) -> Vec<(&Users, Pattern)> {
        let kinds = self.load.templates().flat_map(|(stream, request)| {
            let users = &self.load.streams[stream].users;
            plan::carried(request, users, field).into_iter().map(move |value| (users, value))
        });
        kinds.collect()
    }

    fn keep_cookies(&self) -> bool {
        self.load.streams.iter().any(|stream| stream.users.cookies)
    }

    /// Whether a cookie never comes back to whoever set it.
    fn forget(&self, cookie: &str) -> bool {
        !self.keep_cookies() && self.carried(&Field::Cookie(cookie.to_owned())).is_empty()
    }
}

// === Steps ===

/// Who is led by a header Route: of those that a ring adds, somebody must be there.
fn led(
    root: &Section<'_>,
    (step, to): (&Step, &HeaderMatch),
    requests: &Requests<'_>,
    known: &mut BTreeSet<(String, String)>,
) {
    let field = to.field.to_string();
    let new: Vec<_> =
        to.values.iter().filter(|value| known.insert((field.clone(), (*value).clone()))).collect();
    let carried = requests.carried(&to.field);
    let is_carried = |value: &String| {
        let mut all = carried.iter();
        all.any(|(users, own)| value.starts_with("~*") || requests.values.may_be(own, users, value))
    };
    if new.is_empty() || new.iter().any(|value| is_carried(value)) {
        return;
    }
    let wanted: Vec<_> = new.iter().map(|value| value.as_str()).collect();
    let message = format!("no request carries {field} = {}", words::any_of(&wanted));
    let (label, help) = match carried.first() {
        None => ("nobody is led to the new version by it".to_owned(), how_to_carry(&to.field, wanted[0])),
        Some((users, own)) => (
            format!("requests carry {}", in_words(own, users)),
            "write values as requests carry them, to the digit".to_owned(),
        ),
    };
    let keys = ["rings", "values", "header", "cookie"];
    let (place, line) = place(root, step, &keys);
    root.mistakes.warn(place, message, format!("{line}{label}"), help);
}

/// Who is divided by a key, which a header field carries; cookies are the gateway's to give, and somebody must keep them.
fn divided(
    root: &Section<'_>,
    (step, key): (&Step, &SplitKey),
    requests: &Requests<'_>,
    known: &mut BTreeSet<(String, String)>,
) {
    let field = Field::from(key);
    if !known.insert((field.to_string(), String::new())) {
        return;
    }
    let (message, label, help) = match key {
        SplitKey::Header(name) if requests.carried(&field).is_empty() => (
            format!("no request carries `{name}`, by which users are divided"),
            "nobody moves to the new version",
            format!("write [load.keys] with users = 1000 and header = \"{name}\""),
        ),
        // That of a strategy is an error already.
        SplitKey::Cookie(cookie) if root.has("steps") && requests.forget(&cookie.name) => (
            format!("no user keeps the cookie `{}`", cookie.name),
            "each request is somebody new",
            "write [load.keys] with users = 1000 and cookies = true".to_owned(),
        ),
        _ => return,
    };
    let (place, line) = place(root, step, &["sticky"]);
    root.mistakes.warn(place, message, format!("{line}{label}"), help);
}

/// Where a step is said: itself, by its line, or the first of these keys of the rollout that stands for it.
fn place<'a>(root: &Section<'a>, step: &Step, keys: &[&str]) -> (&'a Place, String) {
    if root.has("steps") {
        return (root.place_of("steps"), format!("line {}: ", step.line));
    }
    let section = root.unchecked("rollout", &rollout::SHAPE);
    let said = section.and_then(|section| keys.iter().find_map(|key| section.own(key)));
    (said.map_or(root.place_of("rollout"), |node| &node.place), String::new())
}

fn how_to_carry(field: &Field, value: &str) -> String {
    match field {
        Field::Header(name) => format!(
            "write headers = {{ {name} = \"{value}\" }} in a [[load.requests]], or [load.keys] with header = \"{name}\""
        ),
        Field::Cookie(name) => format!(
            "write headers = {{ cookie = \"{name}={value}\" }} in a [[load.requests]], or [load.keys] with cookie = \"{name}\""
        ),
    }
}

/// `${user}, which is 0000 to 1999`
fn in_words(own: &Pattern, users: &Users) -> String {
    let (last, width) = (users.count() - 1, users.width());
    let range = format!(", and users are {:0width$} to {last}", 0);
    let range = if own.has(Value::User) { range } else { String::new() };
    format!("{}{range}", words::quoted(&[own.to_string().as_str()]))
}

// === Upstreams ===

fn hashed(config: &Config, requests: &Requests<'_>) -> Vec<Lint> {
    let odd = |upstream: &Upstream| match upstream.algorithm {
        Algorithm::ConsistentHashing => missing("hash_on", &upstream.hash_on, requests)
            .map(|odd| (odd, missing("hash_fallback", &upstream.hash_fallback, requests)))
            .map(|(first, second)| [Some(first), second]),
        Algorithm::StickySessions => {
            let cookie = upstream.sticky_sessions_cookie.as_deref().unwrap_or(SESSION);
            requests.forget(cookie).then(|| [Some(forgotten("algorithm", cookie)), None])
        }
        _ => None,
    };
    let of_one = |(id, upstream): (_, &Upstream)| {
        let named = format!("upstream `{}`", upstream.name);
        let odd = odd(upstream).into_iter().flatten().flatten();
        let lint = |(field, message, label, help)| Lint {
            subject: Subject::Upstream(id),
            named: named.clone(),
            field,
            message,
            label,
            help,
        };
        odd.map(lint).collect::<Vec<_>>()
    };
    config.upstreams().flat_map(of_one).collect()
}

/// A field, what is odd, why, and what would be better.
type Odd = (&'static str, &'static str, String, String);

/// What is hashed and is in no request.
fn missing(field: &'static str, on: &HashOn, requests: &Requests<'_>) -> Option<Odd> {
    match on {
        HashOn::Header(name) if requests.carried(&Field::Header(name.clone())).is_empty() => Some((
            field,
            "no request carries what is hashed",
            format!("the header field `{name}` is in none of them"),
            format!("write [load.keys] with users = 1000 and header = \"{name}\""),
        )),
        HashOn::Cookie(name) if requests.forget(name) => Some(forgotten(field, name)),
        _ => None,
    }
}

fn forgotten(field: &'static str, cookie: &str) -> Odd {
    (
        field,
        "no user keeps the cookie that says where to go",
        format!("`{cookie}` is made anew for each request"),
        "write [load.keys] with users = 1000 and cookies = true".to_owned(),
    )
}
