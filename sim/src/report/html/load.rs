//! The tables about the load: its streams, its kinds of requests and who answered them, and what was sent or served twice.

use std::collections::BTreeMap;

use super::table::{Cell, Table};
use super::tables::{of_all, times};
use crate::markup::{Markup, markup};
use crate::summary::Summary;
use crate::words;

/// Those that say something.
pub(super) fn all(summary: &Summary) -> Markup {
    let mut out = Markup::new();
    if summary.streams.len() > 1 {
        markup!(out, "<h3>Streams</h3>"[streams(summary)]);
    }
    if summary.request_kinds.len() > 1 {
        markup!(out, "<h3>Requests, by kind and version</h3>"[kinds(summary)]);
    }
    let ledger = &summary.requests;
    if ledger.retries + ledger.hedges + ledger.duplicates > 0 {
        markup!(out, "<h3>Sent or served more than once, by method</h3>"[again(summary)]);
    }
    out
}

fn streams(summary: &Summary) -> Markup {
    let heads = [
        "Stream",
        "Load",
        "#Intended",
        "#Answered",
        "#Dropped",
        "#p50",
        "#p90",
        "#p99",
        "#max, ms",
        "#p99 of all",
    ];
    let mut table = Table::new("Streams", &heads);
    for stream in &summary.streams {
        let head: [Cell; 5] = [
            stream.name.as_str().into(),
            stream.load.as_str().into(),
            words::count(stream.requests.intended).into(),
            words::count(stream.requests.answered).into(),
            words::count(stream.requests.dropped).into(),
        ];
        let of_all = Cell::from(of_all(&stream.latency_all_us));
        table.row(head.into_iter().chain(times(&stream.latency_us)).chain([of_all]));
    }
    table.finish()
}

/// A row for each kind and version, and one for what nobody answered.
fn kinds(summary: &Summary) -> Markup {
    let heads = ["Request", "Stream", "Version", "#Requests", "#Errors", "#p50", "#p90", "#p99", "#max, ms"];
    let mut table = Table::new("Requests", &heads);
    for kind in &summary.request_kinds {
        for version in &kind.versions {
            let head: [Cell; 5] = [
                kind.name.as_str().into(),
                kind.stream.as_str().into(),
                version.version.as_str().into(),
                words::count(version.answered).into(),
                words::count(version.errors).into(),
            ];
            table.row(head.into_iter().chain(times(&version.latency_us)));
        }
        if kind.requests.dropped > 0 {
            let head: [Cell; 4] = [
                kind.name.as_str().into(),
                kind.stream.as_str().into(),
                "dropped".into(),
                words::count(kind.requests.dropped).into(),
            ];
            let nothing = (0..5).map(|_| Cell::from(words::NOTHING));
            table.row(head.into_iter().chain(nothing));
        }
    }
    table.finish()
}

/// A method that changes something must not be served twice; one that does not, may.
fn again(summary: &Summary) -> Markup {
    let mut methods: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for kind in &summary.request_kinds {
        let ledger = &kind.requests;
        let counts = [ledger.intended, ledger.retries, ledger.hedges, ledger.duplicates];
        let sums = methods.entry(&kind.method).or_default();
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    let heads = ["Method", "#Requests", "#Sent again", "#Hedged", "#Served more than once"];
    let mut table = Table::new("More than once", &heads);
    for (method, counts) in methods {
        table.row(
            std::iter::once(Cell::Code(method.to_owned())).chain(counts.map(|n| words::count(n).into())),
        );
    }
    table.finish()
}
