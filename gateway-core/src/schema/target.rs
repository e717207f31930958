//! A Target as Kong's JSON.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Default::Integer;
use super::{Entity, Field, ID, Kind, Row, Stamp, TAGS, reach, tag_errors, tags_json};
use crate::config::{Change, Config};
use crate::entity::{Address, FieldError, Target};
use crate::id::{TargetId, UpstreamId};
use crate::weight::Weight;

/// Seconds since 1970, with milliseconds as their fraction.
const STAMP: Kind = Kind::Number(0.0, 9e12);

impl Entity for Target {
    type Id = TargetId;
    const PLURAL: &'static str = "targets";
    const FIELDS: &'static [Field] = &[
        ID,
        Field::new("created_at", STAMP),
        Field::new("updated_at", STAMP),
        Field::new("upstream", Kind::Reference("upstreams")).required(),
        Field::new("target", Kind::Text).required(),
        Field::new("weight", Kind::Integer(0, 65_535)).or(Integer(100)),
        TAGS,
    ];

    fn from_row(row: Row<'_>, stamp: &Stamp, config: &Config) -> (Self, Vec<FieldError>) {
        let mut errors = Vec::new();
        let address = Address::parse(row.text("target").unwrap_or_default()).unwrap_or_else(|message| {
            errors.push(FieldError::new("target", message));
            Address::new("", 0)
        });
        let upstream =
            super::route::linked(row, "upstream", |link| config.find_upstream(link).map(|(id, _)| id))
                .unwrap_or_else(|error| {
                    errors.push(error);
                    None
                });
        let target = Self {
            uuid: row.uuid("id").unwrap_or(stamp.id),
            upstream: upstream.unwrap_or(UpstreamId(u32::MAX)),
            target: address,
            weight: row.integer("weight").map_or(Weight::DEFAULT, Weight::new),
            tags: row.texts("tags"),
            created_at_ms: row.number("created_at").map_or(stamp.now_ms, |s| (s * 1000.0).round() as u64),
            updated_at_ms: stamp.now_ms,
        };
        errors.extend(tag_errors(&target.tags));
        (target, errors)
    }

    fn to_json(&self, config: &Config) -> Map<String, Value> {
        super::row::object(json!({
            "id": self.uuid,
            "upstream": config.upstream(self.upstream).map(|upstream| json!({ "id": upstream.uuid })),
            "target": self.target.to_string(),
            "weight": self.weight.get(),
            "tags": tags_json(&self.tags),
            "created_at": seconds(self.created_at_ms),
            "updated_at": seconds(self.updated_at_ms),
        }))
    }

    reach!(TargetId: CreateTarget, UpdateTarget, DeleteTarget, target, targets, |config, uuid| config.target_with(Uuid::parse_str(uuid).ok()?));
}

fn seconds(millis: u64) -> Value {
    if millis.is_multiple_of(1000) { (millis / 1000).into() } else { (millis as f64 / 1000.0).into() }
}
