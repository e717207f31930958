//! What a Service may say beyond Kong's fields, as JSON: who gets copies of its requests, and which keys go
//! elsewhere.

use std::time::Duration;

use serde_json::{Value, json};

use super::Default::{Boolean, Integer, Texts};
use super::healthchecks::number;
use super::service::TIMEOUT;
use super::{Field, Kind, Row};
use crate::entity::{Mirror, Percent, Split, SplitCookie, SplitKey};

pub(super) const MIRROR: &[Field] = &[
    Field::new("host", Kind::Text).required(),
    Field::new("percent", Kind::Number(0.0, 100.0)).or(Integer(100)),
    Field::new("methods", Kind::Set(&Kind::Text)).or(Texts(&["GET", "HEAD"])),
    Field::new("compare_status", Kind::Boolean).or(Boolean(true)),
    Field::new("compare_body", Kind::Boolean).or(Boolean(true)),
    Field::new("compare_headers", Kind::Set(&Kind::Text)),
    // Milliseconds.
    Field::new("timeout", TIMEOUT),
];

pub(super) fn mirror(row: Row<'_>) -> Mirror {
    Mirror {
        host: row.owned("host").unwrap_or_default(),
        percent: percent(row),
        methods: row.texts("methods"),
        compare_status: row.flag("compare_status").unwrap_or(true),
        compare_body: row.flag("compare_body").unwrap_or(true),
        timeout: row.integer("timeout").map(Duration::from_millis),
        compare_headers: row.texts("compare_headers").iter().map(|name| name.to_ascii_lowercase()).collect(),
    }
}

pub(super) fn mirror_json(mirror: &Mirror) -> Value {
    json!({
        "host": mirror.host,
        "percent": number(mirror.percent.get()),
        "methods": mirror.methods,
        "compare_status": mirror.compare_status,
        "compare_body": mirror.compare_body,
        "compare_headers": mirror.compare_headers,
        "timeout": mirror.timeout.map(|timeout| timeout.as_millis() as u64),
    })
}

/// A year, in seconds: no browser keeps a cookie for longer than about that.
const MAX_AGE_MAX: i64 = 31_536_000;

pub(super) const SPLIT: &[Field] = &[
    Field::new("host", Kind::Text).required(),
    Field::new("percent", Kind::Number(0.0, 100.0)).or(Integer(0)),
    // One of both.
    Field::new("header", Kind::Text),
    Field::new("cookie", Kind::Text),
    // Of the cookie; seconds.
    Field::new("max_age", Kind::Integer(1, MAX_AGE_MAX)),
    Field::new("primary_sticky", Kind::Boolean),
    Field::new("salt", Kind::Text),
];

pub(super) fn split(row: Row<'_>) -> Split {
    Split {
        host: row.owned("host").unwrap_or_default(),
        percent: percent(row),
        key: key(row),
        salt: row.owned("salt").unwrap_or_default(),
    }
}

/// A header field, unless there is a cookie.
fn key(row: Row<'_>) -> SplitKey {
    match row.owned("cookie") {
        Some(name) if row.text("header").is_none() => SplitKey::Cookie(SplitCookie {
            name,
            max_age: row.integer("max_age").map_or(SplitCookie::MAX_AGE, Duration::from_secs),
            primary_sticky: row.flag("primary_sticky").unwrap_or(true),
        }),
        _ => SplitKey::Header(row.text("header").unwrap_or_default().to_ascii_lowercase()),
    }
}

pub(super) fn split_json(split: &Split) -> Value {
    let salt = Some(split.salt.as_str()).filter(|salt| !salt.is_empty());
    let mut fields = json!({ "host": split.host, "percent": number(split.percent.get()), "salt": salt });
    match &split.key {
        SplitKey::Header(name) => fields["header"] = json!(name),
        SplitKey::Cookie(SplitCookie { name, max_age, primary_sticky }) => {
            fields["cookie"] = json!(name);
            fields["max_age"] = json!(max_age.as_secs());
            fields["primary_sticky"] = json!(primary_sticky);
        }
    }
    fields
}

fn percent(row: Row<'_>) -> Percent {
    Percent::new(row.number("percent").unwrap_or(100.0))
}
