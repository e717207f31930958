//! An Upstream's health checks as Kong's JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::Default::{Boolean, Integer, Integers, Record, Text};
use super::{Field, Kind, Row, TEXTS};
use crate::entity::{Active, Healthchecks, Limits, ProbeKind};

const PROBES: Kind = Kind::Word(&["tcp", "http", "https", "grpc", "grpcs"]);
pub(super) const SECONDS: Kind = Kind::Number(0.0, 65_535.0);
const COUNTER: Kind = Kind::Integer(0, 255);
const STATUSES: Kind = Kind::List(&Kind::Integer(100, 999));

const ACTIVE_HEALTHY: &[Field] = &[
    Field::new("interval", SECONDS).or(Integer(0)),
    Field::new("http_statuses", STATUSES).or(Integers(&[200, 302])),
    Field::new("successes", COUNTER).or(Integer(0)),
];
const ACTIVE_UNHEALTHY: &[Field] = &[
    Field::new("interval", SECONDS).or(Integer(0)),
    Field::new("http_statuses", STATUSES).or(Integers(&[429, 404, 500, 501, 502, 503, 504, 505])),
    Field::new("tcp_failures", COUNTER).or(Integer(0)),
    Field::new("timeouts", COUNTER).or(Integer(0)),
    Field::new("http_failures", COUNTER).or(Integer(0)),
];
const ACTIVE: &[Field] = &[
    Field::new("type", PROBES).or(Text("http")),
    Field::new("timeout", SECONDS).or(Integer(1)),
    Field::new("concurrency", Kind::Integer(1, 1 << 31)).or(Integer(10)),
    Field::new("http_path", Kind::Text).or(Text("/")),
    Field::new("https_sni", Kind::Text),
    Field::new("https_verify_certificate", Kind::Boolean).or(Boolean(true)).required(),
    Field::new("headers", Kind::Map(&TEXTS)),
    Field::new("healthy", Kind::Record(ACTIVE_HEALTHY)).or(Record),
    Field::new("unhealthy", Kind::Record(ACTIVE_UNHEALTHY)).or(Record),
];
const PASSIVE_HEALTHY: &[Field] = &[
    Field::new("http_statuses", STATUSES).or(Integers(&[
        200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
    ])),
    Field::new("successes", COUNTER).or(Integer(0)),
];
const PASSIVE_UNHEALTHY: &[Field] = &[
    Field::new("http_statuses", STATUSES).or(Integers(&[429, 500, 503])),
    Field::new("tcp_failures", COUNTER).or(Integer(0)),
    Field::new("timeouts", COUNTER).or(Integer(0)),
    Field::new("http_failures", COUNTER).or(Integer(0)),
];
const PASSIVE: &[Field] = &[
    Field::new("type", PROBES).or(Text("http")),
    Field::new("healthy", Kind::Record(PASSIVE_HEALTHY)).or(Record),
    Field::new("unhealthy", Kind::Record(PASSIVE_UNHEALTHY)).or(Record),
];
pub(super) const HEALTHCHECKS: &[Field] = &[
    Field::new("threshold", Kind::Number(0.0, 100.0)).or(Integer(0)),
    Field::new("active", Kind::Record(ACTIVE)).or(Record),
    Field::new("passive", Kind::Record(PASSIVE)).or(Record),
];
pub(super) fn healthchecks(row: Row<'_>) -> Healthchecks {
    let (active, passive) = (row.record("active"), row.record("passive"));
    let kind = |row: Row<'_>| row.text("type").and_then(ProbeKind::parse).unwrap_or_default();
    Healthchecks {
        active: Active {
            kind: kind(active),
            timeout: active.seconds("timeout"),
            concurrency: active.integer("concurrency").unwrap_or(10),
            http_path: active.owned("http_path").unwrap_or_else(|| "/".to_owned()),
            headers: active.map("headers"),
            https_sni: active.owned("https_sni"),
            https_verify_certificate: active.flag("https_verify_certificate").unwrap_or(true),
            healthy_interval: active.record("healthy").seconds("interval"),
            unhealthy_interval: active.record("unhealthy").seconds("interval"),
            limits: limits(active),
        },
        passive: limits(passive),
        passive_kind: kind(passive),
        threshold: row.number("threshold").unwrap_or_default(),
    }
}

fn limits(row: Row<'_>) -> Limits {
    let (healthy, unhealthy) = (row.record("healthy"), row.record("unhealthy"));
    Limits {
        healthy_statuses: healthy.integers("http_statuses"),
        successes: healthy.integer("successes").unwrap_or_default(),
        unhealthy_statuses: unhealthy.integers("http_statuses"),
        tcp_failures: unhealthy.integer("tcp_failures").unwrap_or_default(),
        timeouts: unhealthy.integer("timeouts").unwrap_or_default(),
        http_failures: unhealthy.integer("http_failures").unwrap_or_default(),
    }
}

pub(super) fn healthchecks_json(checks: &Healthchecks) -> Value {
    let active = &checks.active;
    let (mut healthy, mut unhealthy) = limits_json(&active.limits);
    healthy["interval"] = seconds(active.healthy_interval);
    unhealthy["interval"] = seconds(active.unhealthy_interval);
    let (passive_healthy, passive_unhealthy) = limits_json(&checks.passive);
    json!({
        "active": {
            "type": active.kind.as_str(),
            "timeout": seconds(active.timeout),
            "concurrency": active.concurrency,
            "http_path": active.http_path,
            "headers": (!active.headers.is_empty()).then_some(&active.headers),
            "https_sni": active.https_sni,
            "https_verify_certificate": active.https_verify_certificate,
            "healthy": healthy,
            "unhealthy": unhealthy,
        },
        "passive": {
            "type": checks.passive_kind.as_str(),
            "healthy": passive_healthy,
            "unhealthy": passive_unhealthy,
        },
        "threshold": number(checks.threshold),
    })
}

fn limits_json(limits: &Limits) -> (Value, Value) {
    let healthy = json!({ "http_statuses": limits.healthy_statuses, "successes": limits.successes });
    let unhealthy = json!({
        "http_statuses": limits.unhealthy_statuses,
        "tcp_failures": limits.tcp_failures,
        "timeouts": limits.timeouts,
        "http_failures": limits.http_failures,
    });
    (healthy, unhealthy)
}

pub(super) fn seconds(duration: Duration) -> Value {
    number(duration.as_secs_f64())
}

/// A whole number where it is one: decK reads them as such.
pub(super) fn number(number: f64) -> Value {
    if number.fract() == 0.0 { (number as i64).into() } else { number.into() }
}
