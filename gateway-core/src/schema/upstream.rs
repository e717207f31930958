//! An Upstream as Kong's JSON. Its health checks, and what we add to Kong's fields, have files of their own.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Default::{Boolean, Integer, Record, Text};
use super::healthchecks::{HEALTHCHECKS, healthchecks, healthchecks_json};
use super::tuning::{OUTLIERS, TUNING, outliers, outliers_json, tuning, tuning_json};
use super::{
    CREATED_AT, Entity, Field, ID, Kind, Row, Stamp, TAGS, UPDATED_AT, reach, tag_errors, tags_json,
};
use crate::config::{Change, Config};
use crate::entity::{Algorithm, FieldError, HashOn, Upstream};
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

    /// Kong couples the algorithm to the hash input, whatever was given. Algorithms that Kong has not are kept, as its
    /// `least-connections` and `latency` are.
    fn prepare(fields: &mut Map<String, Value>) {
        let word = |name: &str| fields.get(name).and_then(Value::as_str);
        match (word("algorithm"), word("hash_on")) {
            (Some(algorithm), Some(_))
                if !matches!(algorithm, "round-robin" | "consistent-hashing" | "sticky-sessions") =>
            {
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

    reach!(UpstreamId: CreateUpstream, UpdateUpstream, DeleteUpstream, upstream, upstreams, Config::find_upstream);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::entity::{OutlierDetection, SlowStart, Tuning};

    const STAMP: Stamp = Stamp { now_ms: 1_700_000_000_000, id: Uuid::nil() };

    fn read(fields: Value) -> Result<Upstream, Vec<String>> {
        super::super::read(&super::super::row::object(fields), &STAMP, &Config::default())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_hash_input_makes_kongs_turns_a_hash_and_leaves_our_own_algorithms_alone() {
        for (asked, expected) in [
            ("round-robin", Algorithm::ConsistentHashing),
            ("consistent-hashing", Algorithm::ConsistentHashing),
            ("least-connections", Algorithm::LeastConnections),
            ("two-choices", Algorithm::TwoChoices),
            ("peak-ewma", Algorithm::PeakEwma),
        ] {
            let mut fields = super::super::row::object(json!({
                "name": "u", "algorithm": asked, "hash_on": "header", "hash_on_header": "x-user"
            }));
            Upstream::prepare(&mut fields);
            assert_eq!(read(Value::Object(fields)).unwrap().algorithm, expected, "{asked}");
        }
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
