//! `sticky`, `sticky_cookie`, `max_age`, `primary_sticky`, `salt`: by what users are divided, and for how long they stay where they
//! are.

use std::time::Duration;

use gateway_core::entity::{SplitCookie, SplitKey};

use super::reader::Section;
use super::requests::field_name;
use super::told::cookie_name;
use super::values::boolean;
use crate::load::{Load, Stream};
use crate::rollout::ByKey;
use crate::rollout::strategies::Strategy;

/// The longest that a cookie is kept: a year.
const MAX_AGE_MAX: Duration = Duration::from_secs(31_536_000);

/// Whether users are divided, and not requests.
pub(super) fn divides(section: &Section<'_>) -> bool {
    ["sticky", "sticky_cookie"].iter().any(|key| section.own(key).is_some())
}

/// By what, if they are; the salt is `usual` where nothing is said.
pub(super) fn read(section: &Section<'_>, usual: &str) -> Option<ByKey> {
    if !divides(section) {
        return None;
    }
    read_as(section, ("sticky", "sticky_cookie"), usual)
}

/// The same, where a header field and a cookie are called so.
pub(super) fn read_as(section: &Section<'_>, (header, cookie): (&str, &str), usual: &str) -> Option<ByKey> {
    let key = match section.own(cookie) {
        Some(node) if section.own(header).is_some() => {
            let message = "users are divided by a header field or by a cookie";
            section.mistakes.note(&node.place, message, "a second one", "leave out one of the two");
            return None;
        }
        Some(_) => SplitKey::Cookie(cookie_key(section, cookie)?),
        None => {
            let name = section.required_text(header, "x-user")?;
            let name = field_name(section, (name, section.place_of(header)))?;
            SplitKey::Header(name.to_ascii_lowercase())
        }
    };
    let salt = section.own("salt").and_then(|_| section.text("salt")).unwrap_or(usual).to_owned();
    Some(ByKey { key, salt })
}

/// The cookie called what `key` says.
fn cookie_key(section: &Section<'_>, key: &str) -> Option<SplitCookie> {
    let name = cookie_name(section, key)?;
    let max_age = if section.has("max_age") { section.some_time("max_age")? } else { SplitCookie::MAX_AGE };
    if max_age.subsec_nanos() > 0 || max_age > MAX_AGE_MAX {
        let (place, label) = (section.place_of("max_age"), "browsers count in seconds, up to a year");
        section.mistakes.note(
            place,
            "`max_age` is no whole number of seconds",
            label,
            "write \"60s\" or \"24h\"",
        );
    }
    let primary_sticky = match section.node("primary_sticky") {
        Some(node) => boolean(node, "primary_sticky", section.mistakes)?,
        None => true,
    };
    Some(SplitCookie { name, max_age, primary_sticky })
}

/// What is of a cookie needs one.
pub(super) fn check_keys(section: &Section<'_>, strategy: &Strategy) {
    for key in ["max_age", "primary_sticky"] {
        let Some(node) = section.own(key).filter(|_| strategy.keys.contains(&key)) else { continue };
        if section.own("sticky_cookie").is_none() {
            let message = format!("`{key}` is of a cookie that the gateway gives");
            let help = "write sticky_cookie = \"group\" instead of sticky, or leave it out";
            section.mistakes.note(&node.place, message, "there is none", help);
        }
    }
}

/// A cookie that nobody keeps makes everybody somebody new with each request.
pub(super) fn check_load(section: &Section<'_>, by_key: &ByKey, load: &Load) {
    let SplitKey::Cookie(cookie) = &by_key.key else { return };
    let sends_some = |stream: &Stream| {
        let mut kinds = stream.requests.templates().iter().flat_map(|kind| &kind.headers);
        kinds.any(|(name, _)| name.eq_ignore_ascii_case("cookie"))
    };
    let keeps = |stream: &Stream| {
        stream.users.cookies || stream.users.cookie.as_ref() == Some(&cookie.name) || sends_some(stream)
    };
    if !load.streams.iter().any(keeps) {
        let message = format!("no user keeps the cookie `{}`", cookie.name);
        let help = "write [load.keys] with users = 1000 and cookies = true";
        section.mistakes.absent(
            section.place_of("sticky_cookie"),
            message,
            "each request is somebody new",
            help,
        );
    }
}
