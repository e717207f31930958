//! `[load.keys]` and `keepalive`: who sends, and on what connections.

use super::diagnostic::Place;
use super::reader::{Section, Shape};
use super::{told, values};
use crate::load::Users;

pub(super) const KEYS: Shape =
    Shape { what: "a set of keys", keys: &["users", "zipf", "header", "cookie", "cookies"], later: &[] };
pub(super) const KEEPALIVE: Shape =
    Shape { what: "a keepalive", keys: &["requests_per_connection", "new_connection_each_time"], later: &[] };
/// A weight is kept for each user.
const USERS_MAX: i64 = 1_000_000;
/// Cookies are kept for each user, up to a kilobyte.
const USERS_WITH_COOKIES_MAX: i64 = 100_000;
/// Beyond it nearly all requests are the first user's.
const ZIPF_MAX: f64 = 10.0;

/// The users of the load in `section`: one, unless it says more.
pub(super) fn read(section: &Section<'_>) -> Option<Users> {
    if !section.has("keys") {
        return Some(Users::new(1, None));
    }
    let keys = section.section("keys", &KEYS)?;
    let cookies = keys.node("cookies").and_then(|node| values::boolean(node, "cookies", keys.mistakes));
    let most = if cookies == Some(true) { USERS_WITH_COOKIES_MAX } else { USERS_MAX };
    let users = keys.required("users", "1000").and_then(|_| keys.integer("users", 1, most));
    let zipf = keys.own("zipf").map(|node| values::number(node, "zipf", 0.0, ZIPF_MAX, keys.mistakes));
    let header = keys.own("header").map(|_| header(&keys));
    let (zipf, header) =
        (zipf.map_or(Some(None), |zipf| zipf.map(Some)), header.map_or(Some(None), |h| h.map(Some)));
    let cookie = keys.own("cookie").map_or(Some(None), |_| told::cookie_name(&keys, "cookie").map(Some));
    let (header, cookie, cookies) = (header?, cookie?, cookies?);
    let mut users = Users::new(users?.unsigned_abs(), zipf?);
    (users.header, users.cookie, users.cookies) = (header, cookie, cookies);
    Some(users)
}

fn header(keys: &Section<'_>) -> Option<String> {
    let name = keys.text("header")?;
    super::requests::field_name(keys, (name, keys.place_of("header")))
}

/// How many requests a connection carries; `Some(None)` is without end.
#[expect(clippy::option_option, reason = "a mistake is not an answer")]
pub(super) fn requests_per_connection(section: &Section<'_>) -> Option<Option<u64>> {
    let Some(node) = section.own("keepalive") else { return Some(None) };
    let keepalive = section.inline("keepalive", node, &KEEPALIVE)?;
    let each_time = keepalive
        .own("new_connection_each_time")
        .map_or(Some(false), |node| values::boolean(node, "new_connection_each_time", section.mistakes))?;
    if !keepalive.has("requests_per_connection") {
        return Some(each_time.then_some(1));
    }
    let most = keepalive.integer("requests_per_connection", 1, i64::MAX)?;
    if each_time && most > 1 {
        let place: &Place = keepalive.place_of("requests_per_connection");
        let (message, label) = ("a connection carries one request or several", "not one each time");
        section.mistakes.note(place, message, label, "leave out one of the two");
        return None;
    }
    Some(Some(most.unsigned_abs()))
}
