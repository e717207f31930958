//! What an Upstream may say beyond Kong's fields, as JSON: outlier detection, and more about choosing.

use serde_json::{Value, json};

use super::Default::{Integer, Text};
use super::healthchecks::{SECONDS, number, seconds};
use super::{Field, Kind, Row};
use crate::entity::{HashTable, OutlierDetection, SlowStart, Tuning};

pub(super) const OUTLIERS: &[Field] = &[
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
pub(super) const TUNING: &[Field] = &[
    Field::new("choices", Kind::Integer(2, 16)).or(Integer(2)),
    Field::new("active_request_bias", Kind::Number(0.0, 16.0)).or(Integer(1)),
    Field::new("hash_table", Kind::Word(&["ring", "maglev"])).or(Text("ring")),
    Field::new("hash_balance_factor", Kind::Integer(0, 10_000)).or(Integer(0)),
    Field::new("slow_start", Kind::Record(SLOW_START)),
    Field::new("panic_threshold", Kind::Number(0.0, 100.0)).or(Integer(0)),
];

pub(super) fn outliers(row: Row<'_>) -> OutlierDetection {
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

pub(super) fn outliers_json(outliers: &OutlierDetection) -> Value {
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

pub(super) fn tuning(row: Row<'_>) -> Tuning {
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

pub(super) fn tuning_json(tuning: &Tuning) -> Value {
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
