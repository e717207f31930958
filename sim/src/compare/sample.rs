//! Comparisons for tests, made of numbers alone.

use std::collections::BTreeMap;

use gateway_core::rng;
use hdrhistogram::Histogram;

use super::{Comparison, Head, Part, Ran, Shard, judge};
use crate::hdr;
use crate::summary::{Trust, Volatile};

/// Three things under two conditions on eight seeds: the second has twice the latency, the third is the first but for noise.
pub(super) fn part() -> Part {
    made(1, &[("base", 1.0), ("slow", 2.0), ("same", 1.0)], 8, times)
}

/// Things that differ by noise alone; without the distributions of their runs, which say nothing here.
pub(super) fn noise(turn: u64, things: usize, seeds: u64) -> Part {
    let names: Vec<String> = (0..things).map(|thing| format!("thing {thing}")).collect();
    let things: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    made(turn + 100, &things, seeds, |_| None)
}

/// The same as [`part`] with names that would like to be more than names.
pub(super) fn hostile() -> Comparison {
    let nasty = "</script><script>alert(1)</script>\u{1b}[2J|`]]>&amp;\n=1+1";
    let mut part = made(1, &[(nasty, 1.0), ("slow", 2.0)], 8, times);
    nasty.clone_into(&mut part.head.name);
    part.head.summary = Some(nasty.to_owned());
    nasty.clone_into(&mut part.head.axes[0].0);
    part.head.axes[1].1[0] = nasty.to_owned();
    comparison_of(&part)
}

/// [`part`], judged.
pub(super) fn comparison() -> Comparison {
    comparison_of(&part())
}

fn comparison_of(part: &Part) -> Comparison {
    let started_at = "2026-03-14T10:02:11Z".to_owned();
    judge(part, Volatile { started_at, wall_s: 41.0, host: "kernel 6.1".to_owned() })
}

/// A thousand response times of which this is the 99th percentile.
fn times(latency: f64) -> Option<String> {
    let mut times = Histogram::<u64>::new(3).ok()?;
    for k in 1..=1000_u64 {
        times.record((latency * 10.0) as u64 * k).ok()?;
    }
    Some(hdr::encode(&times))
}

/// Noise of a few per cent: 0.97 to 1.03, on its own for each run.
fn scatter(turn: u64, cell: usize) -> f64 {
    let draw = (rng::draw(turn, 7, cell as u64) >> 11) as f64 / (1_u64 << 53) as f64;
    0.97 + 0.06 * draw
}

fn made(turn: u64, things: &[(&str, f64)], seeds: u64, times: impl Fn(f64) -> Option<String>) -> Part {
    let head = Head {
        schema: 1,
        tool: "sim 0.1.0".to_owned(),
        name: "sample".to_owned(),
        summary: Some("Which is faster?".to_owned()),
        engine: "model".to_owned(),
        axes: vec![
            ("thing".to_owned(), things.iter().map(|(name, _)| (*name).to_owned()).collect()),
            ("size".to_owned(), vec!["3".to_owned(), "30".to_owned()]),
        ],
        seeds: (1..=seeds).collect(),
        figures: ["latency p(50)", "latency p(99)", "dropped"].map(str::to_owned).to_vec(),
        rank_by: "latency p(99)".to_owned(),
        margin: 0.03,
        sha256: "0".repeat(64),
        shard: Shard::WHOLE,
    };
    let runs = things.len() * 2 * seeds as usize;
    let one = |cell: usize| {
        let choice = vec![cell / seeds as usize / 2, cell / seeds as usize % 2];
        let latency = 20_000.0 * things[choice[0]].1 * scatter(turn, cell);
        let figures = [("latency p(50)", latency / 5.0), ("latency p(99)", latency), ("dropped", 0.0)];
        Ran {
            cell,
            seed: 1 + cell as u64 % seeds,
            choice,
            validity: Trust::Valid,
            intended: 1000,
            dropped: 0,
            figures: figures
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            never: Vec::new(),
            times: times(latency),
            track: None,
        }
    };
    Part { head, ran: (0..runs).map(one).collect() }
}
