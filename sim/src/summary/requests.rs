//! What was sent, seen from the load: a row for each stream and one for each kind of request, with the versions that answered.

use super::{RequestRow, StreamRow, VersionCell, latency, ledger};
use crate::measure::{Again, Answered, KindTally, Measured, PhaseKind, Tally};
use crate::plan::Plan;

/// A row for each stream, in file order.
pub(super) fn streams(plan: &Plan, measured: &Measured) -> Vec<StreamRow> {
    let of: Vec<usize> = plan.load.templates().map(|(stream, _)| stream).collect();
    let streams = plan.load.streams.iter().enumerate();
    let row = |(number, stream): (usize, &crate::load::Stream)| {
        let sum = Sum::of(plan, measured, |kind, _| of[kind] == number);
        StreamRow {
            name: stream.name.clone(),
            load: stream.in_words(),
            requests: ledger::page(sum.expected, &sum.tally, sum.again),
            latency_us: latency::answered(&sum.times.response),
            latency_all_us: latency::intended(&sum.times.response, sum.dropped),
            service_time_us: latency::answered(sum.times.service()),
        }
    };
    streams.map(row).collect()
}

/// A row for each kind of request, in file order.
pub(super) fn kinds(plan: &Plan, measured: &Measured) -> Vec<RequestRow> {
    let row = |(number, (stream, request)): (usize, (usize, &crate::load::RequestTemplate))| {
        let sum = Sum::of(plan, measured, |kind, _| kind == number);
        RequestRow {
            stream: plan.load.streams[stream].name.clone(),
            name: request.title(),
            method: request.method.clone(),
            requests: ledger::page(sum.expected, &sum.tally, sum.again),
            latency_us: latency::answered(&sum.times.response),
            latency_all_us: latency::intended(&sum.times.response, sum.dropped),
            versions: versions(plan, measured, number),
        }
    };
    plan.load.templates().enumerate().map(row).collect()
}

/// The versions that answered requests of a kind, in file order.
fn versions(plan: &Plan, measured: &Measured, number: usize) -> Vec<VersionCell> {
    let mut names: Vec<&str> = Vec::new();
    for mock in &plan.mocks {
        if !names.contains(&mock.version.as_str()) {
            names.push(&mock.version);
        }
    }
    let cell = |name: &str| {
        let is_one = |mock: Option<&str>| mock == Some(name);
        let sum = Sum::of(plan, measured, |kind, version| kind == number && is_one(version));
        VersionCell {
            version: name.to_owned(),
            answered: sum.tally.answered,
            errors: sum.tally.target_5xx,
            latency_us: latency::answered(&sum.times.response),
        }
    };
    names.into_iter().map(cell).filter(|cell| cell.answered > 0).collect()
}

/// Parts of all phases together; latencies outside the warm-up.
#[derive(Default)]
struct Sum {
    expected: KindTally,
    again: Again,
    tally: Tally,
    times: Answered,
    dropped: u64,
}

impl Sum {
    /// Those parts whose kind and version are meant.
    fn of(plan: &Plan, measured: &Measured, is_meant: impl Fn(usize, Option<&str>) -> bool) -> Self {
        let mut sum = Self::default();
        let version = |mock: Option<u32>| Some(plan.mocks.get(mock? as usize)?.version.as_str());
        for phase in &measured.phases {
            let kinds = phase.kinds.iter().enumerate().filter(|(kind, _)| is_meant(*kind, None));
            kinds.for_each(|(_, expected)| sum.expected.add(expected));
            let parts = phase.parts.iter().filter(|(key, _)| is_meant(key.kind, version(key.mock)));
            for (_, part) in parts {
                sum.tally.add(&part.tally);
                if phase.kind != PhaseKind::Warmup {
                    sum.dropped += part.dropped;
                    part.times.iter().for_each(|times| sum.times.add(times));
                }
            }
        }
        let again = measured.again.iter().enumerate().filter(|(kind, _)| is_meant(*kind, None));
        again.for_each(|(_, again)| sum.again.add(again));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{RequestMix, RequestTemplate, Stream};
    use crate::measure::rehearsal::{change, how_to, measure, play};
    use crate::measure::{Cause, Ending, Observation};

    /// The how-to under two streams, one of them of two kinds, a third of them POST.
    fn plan() -> Plan {
        let mut plan = how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")]);
        let pay = RequestTemplate {
            name: Some("pay".into()),
            method: "POST".into(),
            ..RequestTemplate::get("/pay")
        };
        let get = RequestTemplate { weight: 2, ..RequestTemplate::get("/") };
        let requests = RequestMix::new(vec![get, pay]).unwrap();
        let shop = Stream { name: "shop".into(), requests, ..plan.load.streams.remove(0) };
        let search = RequestMix::new(vec![RequestTemplate::get("/search")]).unwrap();
        let search = Stream { name: "search".into(), ..Stream::constant(60.0, shop.duration(), search) };
        plan.load.streams = vec![shop, search];
        plan
    }

    #[test]
    fn streams_and_kinds_have_their_own_ledger_and_latencies() {
        // Aim: rows add up to the whole and name who suffered. Method: each request of `search` dropped after 20 s, and one
        // POST served twice.
        let plan = plan();
        let numbering = crate::load::Numbering::new(&plan.load, plan.seed);
        let mut said = play(&plan);
        let is_hit = |index: u64| numbering.stream(index) == 1 && index >= 18_000 + 1200;
        let hit = change(
            &mut said,
            |record| is_hit(record.index),
            |record| {
                record.ending = Ending::Dropped(Cause::Refused);
                record.target = None;
            },
        );
        let post = (0..18_000).find(|&index| numbering.kind(index) == 1).unwrap();
        let served =
            |seen: &&Observation| matches!(seen, Observation::Served { request, .. } if *request == post);
        let again = said.iter().find(served).unwrap().clone();
        said.push(again);
        let measured = measure(&plan, &said);

        let streams = streams(&plan, &measured);
        assert_eq!(streams.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["shop", "search"]);
        assert_eq!([0, 1].map(|at| streams[at].requests.intended), [18_000, 1800]);
        assert_eq!((hit, streams[1].requests.dropped, streams[0].requests.dropped), (600, 600, 0));
        // 3,000 of a load that is warm after three seconds: a third of these were dropped, so p90 is a drop.
        assert!(streams[1].latency_all_us.p90.is_none() && streams[1].latency_us.p90.is_some());

        let kinds = kinds(&plan, &measured);
        let names: Vec<_> = kinds.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["GET /", "pay", "GET /search"]);
        assert!(kinds[1].requests.intended.abs_diff(6000) < 300, "{}", kinds[1].requests.intended);
        assert_eq!([0, 1, 2].map(|at| kinds[at].requests.duplicates), [0, 1, 0]);
        for kind in &kinds {
            let answered: u64 = kind.versions.iter().map(|cell| cell.answered).sum();
            assert_eq!(answered, kind.requests.answered, "{}", kind.name);
            assert_eq!(
                kind.versions.iter().map(|cell| cell.version.as_str()).collect::<Vec<_>>(),
                ["blue", "green"]
            );
        }
    }
}
