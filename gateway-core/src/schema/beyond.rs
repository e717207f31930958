//! What a Service may say beyond Kong's fields, as JSON: who gets copies of its requests, and which keys go
//! elsewhere.

use serde_json::{Value, json};

use super::Default::{Integer, Texts};
use super::healthchecks::number;
use super::{Field, Kind, Row};
use crate::entity::{Mirror, Percent, Split};

pub(super) const MIRROR: &[Field] = &[
    Field::new("host", Kind::Text).required(),
    Field::new("percent", Kind::Number(0.0, 100.0)).or(Integer(100)),
    Field::new("methods", Kind::Set(&Kind::Text)).or(Texts(&["GET", "HEAD"])),
    Field::new("compare_headers", Kind::Set(&Kind::Text)),
];

pub(super) fn mirror(row: Row<'_>) -> Mirror {
    Mirror {
        host: row.owned("host").unwrap_or_default(),
        percent: percent(row),
        methods: row.texts("methods"),
        compare_headers: row.texts("compare_headers").iter().map(|name| name.to_ascii_lowercase()).collect(),
    }
}

pub(super) fn mirror_json(mirror: &Mirror) -> Value {
    json!({
        "host": mirror.host,
        "percent": number(mirror.percent.get()),
        "methods": mirror.methods,
        "compare_headers": mirror.compare_headers,
    })
}

pub(super) const SPLIT: &[Field] = &[
    Field::new("host", Kind::Text).required(),
    Field::new("percent", Kind::Number(0.0, 100.0)).or(Integer(0)),
    Field::new("header", Kind::Text).required(),
    Field::new("salt", Kind::Text),
];

pub(super) fn split(row: Row<'_>) -> Split {
    Split {
        host: row.owned("host").unwrap_or_default(),
        percent: percent(row),
        header: row.text("header").unwrap_or_default().to_ascii_lowercase(),
        salt: row.owned("salt").unwrap_or_default(),
    }
}

pub(super) fn split_json(split: &Split) -> Value {
    let salt = Some(split.salt.as_str()).filter(|salt| !salt.is_empty());
    json!({ "host": split.host, "percent": number(split.percent.get()), "header": split.header, "salt": salt })
}

fn percent(row: Row<'_>) -> Percent {
    Percent::new(row.number("percent").unwrap_or(100.0))
}
