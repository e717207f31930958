//! The copies of a run: what became of them, and what the new version would have said.

use std::collections::BTreeMap;

use gateway_core::gateway::Fingerprint;
use serde::{Deserialize, Serialize};

use super::tables::{ms, request_id};
use super::{Latency, latency};
use crate::measure::{Copies, DifferenceSample, Measured};
use crate::plan::{Aggregation, Plan};

/// Copies of requests, which no user waited for and no other page counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MirrorSummary {
    /// Sent.
    pub copies: u64,
    /// Of those, in the targets' books, as copies.
    pub served: u64,
    /// Of those sent, answered.
    pub answered: u64,
    /// Of those, with a 5xx status.
    pub target_5xx: u64,
    /// Of those sent, given up because they took too long.
    #[serde(default)]
    pub timed_out: u64,
    /// Not sent because too many were under way.
    pub overflow: u64,
    /// Not sent because there was no target.
    pub no_target: u64,
    /// Whose answer was that of the request.
    pub alike: u64,
    /// Whose answer was another one.
    pub different: u64,
    /// Without an answer where the request had one.
    pub no_copy: u64,
    /// Of requests without an answer.
    pub no_own: u64,
    /// How often answers differed in `status`, `body`, or a header field.
    pub parts: BTreeMap<String, u64>,
    /// From the pick of a copy to the end of its answer.
    pub latency_us: Latency,
    /// The first differences, three at most.
    pub samples: Vec<DifferenceRow>,
}

/// Two answers to one request that differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DifferenceRow {
    /// The request's id.
    pub request: String,
    /// When the later answer was complete.
    pub t_ms: f64,
    /// In what they differ.
    pub parts: Vec<String>,
    /// What the user got.
    pub own: AnswerRow,
    /// What the copy got.
    pub copy: AnswerRow,
}

/// What answers are compared by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnswerRow {
    /// The status.
    pub status: u16,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// A hash of the body, in hex.
    pub body_hash: String,
    /// The header fields that are compared; null where there is none.
    pub headers: BTreeMap<String, Option<String>>,
}

/// The copies of this run, if there were to be any.
pub(super) fn mirror(plan: &Plan, measured: &Measured) -> Option<MirrorSummary> {
    let copies = &measured.copies;
    if copies.sent + copies.overflow + copies.no_target == 0 {
        return None;
    }
    Some(MirrorSummary {
        copies: copies.sent,
        served: copies.served,
        answered: copies.answered,
        target_5xx: copies.target_5xx,
        timed_out: copies.timed_out,
        overflow: copies.overflow,
        no_target: copies.no_target,
        alike: copies.alike,
        different: copies.different,
        no_copy: copies.no_copy,
        no_own: copies.no_own,
        parts: copies.parts.clone(),
        latency_us: copies.latency.as_deref().map_or_else(Latency::default, latency::answered),
        samples: copies.samples.iter().map(|sample| difference(plan, sample)).collect(),
    })
}

fn difference(plan: &Plan, sample: &DifferenceSample) -> DifferenceRow {
    DifferenceRow {
        request: request_id(plan, sample.request),
        t_ms: ms(sample.at),
        parts: sample.parts.clone(),
        own: answer(&sample.own),
        copy: answer(&sample.copy),
    }
}

fn answer(print: &Fingerprint) -> AnswerRow {
    AnswerRow {
        status: print.status,
        body_bytes: print.body_bytes,
        body_hash: format!("{:016x}", print.body),
        headers: print.headers.iter().cloned().collect(),
    }
}

/// What a threshold asks of copies; `None` when it asks something else.
pub(super) fn asked(copies: &Copies, aggregation: Aggregation) -> Option<u64> {
    match aggregation {
        Aggregation::Copied => Some(copies.sent),
        Aggregation::Different => Some(copies.different),
        Aggregation::Unanswered => Some(copies.no_copy + copies.no_target),
        Aggregation::Overflow => Some(copies.overflow),
        _ => None,
    }
}
