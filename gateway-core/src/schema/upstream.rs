//! An Upstream as Kong's JSON, health checks included.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Default::{Boolean, Integer, Integers, Record, Text};
use super::{
    CREATED_AT, Entity, Field, ID, Kind, Row, Stamp, TAGS, TEXTS, UPDATED_AT, tag_errors, tags_json,
};
use crate::config::{Change, Config};
use crate::entity::{
    Active, Algorithm, FieldError, HashOn, HashTable, Healthchecks, Limits, OutlierDetection, ProbeKind,
    SlowStart, Tuning, Upstream,
};
use crate::id::UpstreamId;

const ALGORITHMS: &[&str] = &ALGORITHM_WORDS;
const ALGORITHM_WORDS: [&str; Algorithm::ALL.len()] = {
    let mut words = [""; Algorithm::ALL.len()];
    let mut i = 0;
    while i < words.len() {
        words[i] = Algorithm::ALL[i].as_str();
        i += 1;
    }
    words
};
const HASH_ON: Kind = Kind::Word(&HashOn::WORDS);
const PROBES: Kind = Kind::Word(&["tcp", "http", "https", "grpc", "grpcs"]);
const SECONDS: Kind = Kind::Number(0.0, 65_535.0);
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
const HEALTHCHECKS: &[Field] = &[
    Field::new("threshold", Kind::Number(0.0, 100.0)).or(Integer(0)),
    Field::new("active", Kind::Record(ACTIVE)).or(Record),
    Field::new("passive", Kind::Record(PASSIVE)).or(Record),
];
const OUTLIERS: &[Field] = &[
    Field::new("consecutive_5xx", Kind::Integer(0, u32::MAX as i64)).or(Integer(5)),
    Field::new("interval", SECONDS).or(Integer(10)),
    Field::new("base_ejection_time", SECONDS).or(Integer(30)),
    Field::new("max_ejection_time", SECONDS).or(Integer(300)),
    Field::new("max_ejection_percent", Kind::Integer(0, 100)).or(Integer(10)),
    Field::new("success_rate_minimum_hosts", Kind::Integer(0, u32::MAX as i64)).or(Integer(5)),
    Field::new("success_rate_request_volume", Kind::Integer(0, u32::MAX as i64)).or(Integer(100)),
    Field::new("success_rate_stdev_factor", Kind::Integer(0, u32::MAX as i64)).or(Integer(1900)),
];

const SLOW_START: &[Field] = &[
    Field::new("window", Kind::Number(0.001, 65_535.0)).or(Integer(30)),
    Field::new("min_weight_percent", Kind::Integer(1, 100)).or(Integer(10)),
    Field::new("aggression", Kind::Number(0.01, 100.0)).or(Integer(1)),
];
const TUNING: &[Field] = &[
    Field::new("choices", Kind::Integer(2, 16)).or(Integer(2)),
    Field::new("active_request_bias", Kind::Number(0.0, 16.0)).or(Integer(1)),
    Field::new("hash_table", Kind::Word(&["ring", "maglev"])).or(Text("ring")),
    Field::new("hash_balance_factor", Kind::Integer(0, 10_000)).or(Integer(0)),
    Field::new("slow_start", Kind::Record(SLOW_START)),
    Field::new("panic_threshold", Kind::Number(0.0, 100.0)).or(Integer(0)),
];

impl Entity for Upstream {
    type Id = UpstreamId;
    const PLURAL: &'static str = "upstreams";
    const FIELDS: &'static [Field] = &[
        ID,
        CREATED_AT,
        UPDATED_AT,
        Field::new("name", Kind::Text).required(),
        Field::new("algorithm", Kind::Word(ALGORITHMS)).or(Text("round-robin")),
        Field::new("hash_on", HASH_ON).or(Text("none")),
        Field::new("hash_fallback", HASH_ON).or(Text("none")),
        Field::new("hash_on_header", Kind::Text),
        Field::new("hash_fallback_header", Kind::Text),
        Field::new("hash_on_cookie", Kind::Text),
        Field::new("hash_on_cookie_path", Kind::Text).or(Text("/")),
        Field::new("hash_on_query_arg", Kind::Text),
        Field::new("hash_fallback_query_arg", Kind::Text),
        Field::new("hash_on_uri_capture", Kind::Text),
        Field::new("hash_fallback_uri_capture", Kind::Text),
        Field::new("slots", Kind::Integer(10, 65_536)).or(Integer(10_000)),
        Field::new("healthchecks", Kind::Record(HEALTHCHECKS)).or(Record),
        Field::new("outlier_detection", Kind::Record(OUTLIERS)),
        Field::new("balancer", Kind::Record(TUNING)),
        Field::new("sticky_sessions_cookie", Kind::Text),
        Field::new("sticky_sessions_cookie_path", Kind::Text),
        TAGS,
        Field::new("host_header", Kind::Text),
        Field::new("client_certificate", Kind::Reference("certificates")),
        Field::new("use_srv_name", Kind::Boolean).or(Boolean(false)),
    ];

    /// Kong couples the algorithm to the hash input, whatever was given.
    fn prepare(fields: &mut Map<String, Value>) {
        let word = |name: &str| fields.get(name).and_then(Value::as_str);
        match (word("algorithm"), word("hash_on")) {
            (Some("least-connections" | "latency"), Some(_)) => {
                fields.insert("hash_on".to_owned(), "none".into());
            }
            (_, Some("none")) if matches!(word("algorithm"), Some("round-robin" | "consistent-hashing")) => {
                fields.insert("algorithm".to_owned(), "round-robin".into());
            }
            (_, Some(hash_on)) if hash_on != "none" => {
                fields.insert("algorithm".to_owned(), "consistent-hashing".into());
            }
            _ => {}
        }
    }

    fn from_row(row: Row<'_>, stamp: &Stamp, _: &Config) -> (Self, Vec<FieldError>) {
        let mut errors = Vec::new();
        let upstream = Self {
            uuid: row.uuid("id").unwrap_or(stamp.id),
            name: row.owned("name").unwrap_or_default(),
            algorithm: row.text("algorithm").and_then(Algorithm::parse).unwrap_or_default(),
            hash_on: hash_input(row, "hash_on", &mut errors),
            hash_fallback: hash_input(row, "hash_fallback", &mut errors),
            hash_on_cookie_path: row.owned("hash_on_cookie_path").unwrap_or_else(|| "/".to_owned()),
            slots: row.integer("slots").unwrap_or(10_000),
            healthchecks: healthchecks(row.record("healthchecks")),
            outlier_detection: row
                .raw("outlier_detection")
                .map(|_| outliers(row.record("outlier_detection"))),
            balancer: row.raw("balancer").map(|_| tuning(row.record("balancer"))),
            sticky_sessions_cookie: row.owned("sticky_sessions_cookie"),
            sticky_sessions_cookie_path: row
                .owned("sticky_sessions_cookie_path")
                .unwrap_or_else(|| "/".to_owned()),
            host_header: row.owned("host_header"),
            use_srv_name: row.flag("use_srv_name").unwrap_or(false),
            client_certificate: row.reference("client_certificate"),
            tags: row.texts("tags"),
            created_at: row.integer("created_at").unwrap_or(stamp.now_ms / 1000),
            updated_at: stamp.now_ms / 1000,
        };
        errors.extend(upstream.errors());
        errors.extend(tag_errors(&upstream.tags));
        (upstream, errors)
    }

    fn to_json(&self, _: &Config) -> Map<String, Value> {
        let mut fields = super::row::object(json!({
            "id": self.uuid,
            "name": self.name,
            "algorithm": self.algorithm.as_str(),
            "hash_on": self.hash_on.as_str(),
            "hash_fallback": self.hash_fallback.as_str(),
            "hash_on_cookie": null,
            "hash_on_cookie_path": self.hash_on_cookie_path,
            "slots": self.slots,
            "healthchecks": healthchecks_json(&self.healthchecks),
            "host_header": self.host_header,
            "use_srv_name": self.use_srv_name,
            "client_certificate": self.client_certificate.map(|id| json!({ "id": id })),
            "tags": tags_json(&self.tags),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }));
        for (field, input) in [("hash_on", &self.hash_on), ("hash_fallback", &self.hash_fallback)] {
            for named in ["header", "query_arg", "uri_capture"] {
                fields.insert(format!("{field}_{named}"), Value::Null);
            }
            let cookie = matches!(input, HashOn::Cookie(_));
            if let Some(name) = input.name().filter(|_| !cookie || field == "hash_on") {
                fields.insert(format!("{field}_{}", input.as_str()), name.into());
            }
        }
        // Additions to what Kong has: who has not asked for them does not see them.
        if let Some(outliers) = &self.outlier_detection {
            fields.insert("outlier_detection".to_owned(), outliers_json(outliers));
        }
        if let Some(tuning) = &self.balancer {
            fields.insert("balancer".to_owned(), tuning_json(tuning));
        }
        if let Some(cookie) = &self.sticky_sessions_cookie {
            fields.insert("sticky_sessions_cookie".to_owned(), cookie.clone().into());
            let path = self.sticky_sessions_cookie_path.clone();
            fields.insert("sticky_sessions_cookie_path".to_owned(), path.into());
        }
        fields
    }

    fn create(self) -> Change {
        Change::CreateUpstream(self)
    }
    fn update(self, id: UpstreamId) -> Change {
        Change::UpdateUpstream(id, self)
    }
    fn delete(id: UpstreamId) -> Change {
        Change::DeleteUpstream(id)
    }
    fn get(config: &Config, id: UpstreamId) -> Option<&Self> {
        config.upstream(id)
    }
    fn all(config: &Config) -> impl Iterator<Item = (UpstreamId, &Self)> {
        config.upstreams()
    }
    fn find<'a>(config: &'a Config, name_or_uuid: &str) -> Option<(UpstreamId, &'a Self)> {
        config.find_upstream(name_or_uuid)
    }
    fn uuid(&self) -> Uuid {
        self.uuid
    }
    fn tags(&self) -> &[String] {
        &self.tags
    }
}

/// `hash_on` or `hash_fallback` with what it names; a name that is missing is noted.
fn hash_input(row: Row<'_>, field: &str, errors: &mut Vec<FieldError>) -> HashOn {
    let word = row.text(field).unwrap_or("none");
    let mut named = || {
        // Both inputs share the one cookie.
        let name = if word == "cookie" { "hash_on_cookie".to_owned() } else { format!("{field}_{word}") };
        row.owned(&name).unwrap_or_else(|| {
            let rule = format!("failed conditional validation given value of field '{field}'");
            errors.push(FieldError::entity(rule));
            errors.push(FieldError::new(&name, "required field missing"));
            String::new()
        })
    };
    match word {
        "consumer" => HashOn::Consumer,
        "ip" => HashOn::Ip,
        "path" => HashOn::Path,
        "header" => HashOn::Header(named()),
        "cookie" => HashOn::Cookie(named()),
        "query_arg" => HashOn::QueryArg(named()),
        "uri_capture" => HashOn::UriCapture(named()),
        _ => HashOn::None,
    }
}

fn healthchecks(row: Row<'_>) -> Healthchecks {
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

fn healthchecks_json(checks: &Healthchecks) -> Value {
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

fn outliers(row: Row<'_>) -> OutlierDetection {
    let count = |name| row.integer(name).unwrap_or_default();
    OutlierDetection {
        consecutive_5xx: count("consecutive_5xx"),
        interval: row.seconds("interval"),
        base_ejection_time: row.seconds("base_ejection_time"),
        max_ejection_time: row.seconds("max_ejection_time"),
        max_ejection_percent: row.integer("max_ejection_percent").unwrap_or_default(),
        success_rate_minimum_hosts: count("success_rate_minimum_hosts"),
        success_rate_request_volume: count("success_rate_request_volume"),
        success_rate_stdev_factor: count("success_rate_stdev_factor"),
    }
}

fn outliers_json(outliers: &OutlierDetection) -> Value {
    json!({
        "consecutive_5xx": outliers.consecutive_5xx,
        "interval": seconds(outliers.interval),
        "base_ejection_time": seconds(outliers.base_ejection_time),
        "max_ejection_time": seconds(outliers.max_ejection_time),
        "max_ejection_percent": outliers.max_ejection_percent,
        "success_rate_minimum_hosts": outliers.success_rate_minimum_hosts,
        "success_rate_request_volume": outliers.success_rate_request_volume,
        "success_rate_stdev_factor": outliers.success_rate_stdev_factor,
    })
}

fn tuning(row: Row<'_>) -> Tuning {
    let slow_start = |row: Row<'_>| SlowStart {
        window: row.seconds("window"),
        min_weight_percent: row.integer("min_weight_percent").unwrap_or(10),
        aggression: row.number("aggression").unwrap_or(1.0),
    };
    Tuning {
        choices: row.integer("choices").unwrap_or(2),
        active_request_bias: row.number("active_request_bias").unwrap_or(1.0),
        hash_table: row.text("hash_table").and_then(HashTable::parse).unwrap_or_default(),
        hash_balance_factor: row.integer("hash_balance_factor").unwrap_or_default(),
        slow_start: row.raw("slow_start").map(|_| slow_start(row.record("slow_start"))),
        panic_threshold: row.number("panic_threshold").unwrap_or_default(),
    }
}

fn tuning_json(tuning: &Tuning) -> Value {
    let slow_start = |slow: &SlowStart| {
        json!({
            "window": seconds(slow.window),
            "min_weight_percent": slow.min_weight_percent,
            "aggression": number(slow.aggression),
        })
    };
    json!({
        "choices": tuning.choices,
        "active_request_bias": number(tuning.active_request_bias),
        "hash_table": tuning.hash_table.as_str(),
        "hash_balance_factor": tuning.hash_balance_factor,
        "slow_start": tuning.slow_start.as_ref().map(slow_start),
        "panic_threshold": number(tuning.panic_threshold),
    })
}

fn seconds(duration: Duration) -> Value {
    number(duration.as_secs_f64())
}

/// A whole number where it is one: decK reads them as such.
fn number(number: f64) -> Value {
    if number.fract() == 0.0 { (number as i64).into() } else { number.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { now_ms: 1_700_000_000_000, id: Uuid::nil() };

    fn read(fields: Value) -> Result<Upstream, Vec<String>> {
        super::super::read(&super::super::row::object(fields), &STAMP, &Config::default())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_upstream_of_nothing_but_a_name_is_kongs_default() {
        let expected = Upstream {
            uuid: Uuid::nil(),
            created_at: 1_700_000_000,
            updated_at: 1_700_000_000,
            ..Upstream::new("blue")
        };
        assert_eq!(read(json!({ "name": "blue" })), Ok(expected));
    }

    #[test]
    fn an_upstream_reads_back_as_it_was_written() {
        let mut upstream = Upstream {
            uuid: Uuid::nil(),
            hash_on: HashOn::Header("x-user".into()),
            hash_fallback: HashOn::QueryArg("q".into()),
            outlier_detection: Some(OutlierDetection::default()),
            balancer: Some(Tuning { slow_start: Some(SlowStart::default()), ..Tuning::default() }),
            sticky_sessions_cookie: Some("who".into()),
            updated_at: 1_700_000_000,
            ..Upstream::new("blue")
        };
        upstream.healthchecks.active.healthy_interval = Duration::from_millis(500);
        upstream.healthchecks.passive.http_failures = 3;
        upstream.healthchecks.threshold = 12.5;
        let json = Value::Object(upstream.to_json(&Config::default()));
        assert_eq!(json["healthchecks"]["active"]["healthy"]["interval"], 0.5);
        assert_eq!(json["healthchecks"]["active"]["timeout"], 1);
        assert_eq!(read(json), Ok(upstream));
    }

    #[test]
    fn a_selector_needs_the_name_it_selects_by() {
        assert_eq!(
            read(json!({ "name": "u", "hash_on": "header" })).unwrap_err(),
            [
                "@entity: failed conditional validation given value of field 'hash_on'",
                "hash_on_header: required field missing"
            ]
        );
        let deep = json!({ "name": "u", "healthchecks": { "active": { "healthy": { "successes": 300 } } } });
        let expected = "healthchecks.active.healthy.successes: value should be between 0 and 255";
        assert_eq!(read(deep).unwrap_err(), [expected]);
    }
}
