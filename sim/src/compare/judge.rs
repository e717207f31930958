//! From runs to words. Each value of the first axis is compared with the first one, its baseline, on the same seeds; the words
//! better, worse and unclear are corrected, by Holm, for all comparisons of a figure. Ranks are equal where seeds cannot tell.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::answer;
use super::model::SCHEMA;
use super::{Against, Comparison, Condition, Head, Part, Ran, Row, Value, Word};
use crate::hdr;
use crate::plan::{Figure, Scale};
use crate::stats::{self, Estimate};
use crate::summary::{Trust, Volatile, quantile};

/// Points of a spectrum for each factor of ten in rarity.
const POINTS_PER_DECADE: u32 = 12;

/// Judges a part that is whole, or the runs there are.
pub fn judge(part: &Part, volatile: Volatile) -> Comparison {
    let mut cells = part.ran.clone();
    cells.sort_by_key(|ran| ran.cell);
    let head = &part.head;
    let jury = Jury { head, figures: head.figures(), cells: &cells };
    let mut conditions: Vec<Condition> =
        jury.conditions().iter().map(|others| jury.condition(others)).collect();
    correct(&mut conditions, &jury.figures);
    let count = |trust| cells.iter().filter(|ran| ran.validity == trust).count();
    let mut comparison = Comparison {
        schema: SCHEMA,
        tool: head.tool.clone(),
        name: head.name.clone(),
        summary: head.summary.clone(),
        engine: head.engine.clone(),
        sha256: head.sha256.clone(),
        axes: head.axes.clone(),
        seeds: head.seeds.clone(),
        figures: head.figures.clone(),
        rank_by: head.rank_by.clone(),
        margin: head.margin,
        sentence: String::new(),
        valid: count(Trust::Valid),
        degraded: count(Trust::Degraded),
        invalid: count(Trust::Invalid),
        requests: cells.iter().map(|ran| ran.intended).sum(),
        conditions,
        cells: Vec::new(),
        volatile,
    };
    comparison.sentence = answer::sentence(&comparison);
    comparison.cells = cells.into_iter().map(|ran| Ran { times: None, track: None, ..ran }).collect();
    comparison
}

/// What is judged by what.
struct Jury<'a> {
    head: &'a Head,
    figures: Vec<Figure>,
    cells: &'a [Ran],
}

/// The runs of one value under one condition, by seed.
type Runs<'a> = BTreeMap<u64, &'a Ran>;

impl Jury<'_> {
    /// Each choice of the axes but the first.
    fn conditions(&self) -> Vec<Vec<usize>> {
        let others = self.head.axes.iter().skip(1);
        others.fold(vec![Vec::new()], |choices, (_, values)| {
            let longer = |choice: &Vec<usize>| {
                let choice = choice.clone();
                (0..values.len()).map(move |value| [choice.clone(), vec![value]].concat()).collect::<Vec<_>>()
            };
            choices.iter().flat_map(longer).collect()
        })
    }

    fn condition(&self, others: &[usize]) -> Condition {
        let named = |(at, &value): (usize, &usize)| {
            let (name, values) = &self.head.axes[at + 1];
            format!("{name} {}", values[value])
        };
        let name = others.iter().enumerate().map(named).collect::<Vec<_>>().join(", ");
        let names =
            self.head.axes.first().map_or_else(|| vec![self.head.name.clone()], |(_, values)| values.clone());
        let runs: Vec<Runs<'_>> = (0..names.len()).map(|first| self.runs(first, others)).collect();
        let mut rows: Vec<Row> = names
            .iter()
            .enumerate()
            .map(|(at, name)| self.row(name, &runs[at], (at > 0).then(|| &runs[0])))
            .collect();
        let order = self.rank(&mut rows, &runs);
        Condition { name, rows: order.into_iter().map(|at| rows[at].clone()).collect() }
    }

    fn runs(&self, first: usize, others: &[usize]) -> Runs<'_> {
        let choice: Vec<usize> =
            if self.head.axes.is_empty() { Vec::new() } else { [&[first], others].concat() };
        let own = self.cells.iter().filter(|ran| ran.choice == choice && ran.validity != Trust::Invalid);
        own.map(|ran| (ran.seed, ran)).collect()
    }

    fn row(&self, name: &str, runs: &Runs<'_>, baseline: Option<&Runs<'_>>) -> Row {
        let against = |figure: &Figure| baseline.and_then(|baseline| self.against(*figure, runs, baseline));
        Row {
            name: name.to_owned(),
            rank: 0,
            tied: false,
            values: self.figures.iter().map(|figure| value(*figure, runs)).collect(),
            against: self.figures.iter().map(against).collect(),
            spectrum: spectrum(runs),
            track: runs.values().find_map(|ran| ran.track.clone()),
        }
    }

    fn against(&self, figure: Figure, runs: &Runs<'_>, baseline: &Runs<'_>) -> Option<Against> {
        let margin = self.margin(figure, baseline);
        let difference = Difference::new(figure, runs, baseline, margin)?;
        let told = |value: f64| {
            Some(if figure.scale() == Scale::Ratio { value.exp_m1() } else { value })
                .filter(|v| v.is_finite())
        };
        let values = |runs: &Runs<'_>| runs.values().filter_map(|ran| ran.figure(figure)).collect::<Vec<_>>();
        Some(Against {
            word: difference.word(margin),
            change: told(difference.estimate.value),
            low: told(difference.estimate.low),
            high: told(difference.estimate.high),
            p_value: difference.p_value,
            effect: stats::effect(&values(runs), &values(baseline)),
            n: difference.n,
        })
    }

    /// What does not matter, on the figure's scale.
    fn margin(&self, figure: Figure, baseline: &Runs<'_>) -> f64 {
        match figure.scale() {
            Scale::Ratio => self.head.margin.ln_1p(),
            Scale::Difference => value(figure, baseline)
                .and_then(|value| value.value)
                .map_or(0.0, |value| value * self.head.margin),
        }
    }

    /// Gives ranks by the figure that ranks; returns the order. A place is shared with the first of its group while the seeds
    /// cannot tell the two apart, at a level that is divided by the number of places.
    fn rank(&self, rows: &mut [Row], runs: &[Runs<'_>]) -> Vec<usize> {
        let by = self.head.figures.iter().position(|figure| *figure == self.head.rank_by).unwrap_or(0);
        let Some(&figure) = self.figures.get(by) else { return (0..rows.len()).collect() };
        let key = |row: &Row| match row.values[by] {
            None => (2, 0.0),
            Some(Value { value: None, .. }) => (1, 0.0),
            Some(Value { value: Some(value), .. }) => (0, value),
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (key(&rows[a]), key(&rows[b]));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let level = stats::ALPHA / rows.len().saturating_sub(1).max(1) as f64;
        let mut leader = 0;
        for place in 0..order.len() {
            let (first, own) = (order[leader], order[place]);
            let margin = self.margin(figure, &runs[first]);
            let apart = Difference::new(figure, &runs[own], &runs[first], margin);
            if place > 0 && apart.is_some_and(|apart| apart.is_apart(margin, level)) {
                leader = place;
            }
            rows[own].rank = leader + 1;
        }
        let ranks: Vec<usize> = rows.iter().map(|row| row.rank).collect();
        for row in rows {
            row.tied = ranks.iter().filter(|&&rank| rank == row.rank).count() > 1;
        }
        order
    }
}

/// A figure of two values on the same seeds, on the figure's scale.
struct Difference {
    estimate: Estimate,
    /// Against a true difference within the margin; `None` from single runs.
    p_value: Option<f64>,
    n: usize,
}

impl Difference {
    fn new(figure: Figure, runs: &Runs<'_>, baseline: &Runs<'_>, margin: f64) -> Option<Self> {
        let shared = runs.iter().filter_map(|(seed, ran)| Some((*ran, *baseline.get(seed)?)));
        let differences: Vec<f64> = shared
            .filter_map(|(ran, base)| difference(figure.scale(), ran.figure(figure)?, base.figure(figure)?))
            .collect();
        if runs.len() == 1 && baseline.len() == 1 {
            let (ran, base) = (runs.values().next()?, baseline.values().next()?);
            return Self::of_single_runs(figure, ran, base);
        }
        let stats::Paired { difference: estimate, n } = stats::paired(&differences)?;
        let p_value = if estimate.value.abs() <= margin {
            1.0
        } else {
            stats::p_value(&differences, margin.copysign(estimate.value))
        };
        Some(Self { estimate, p_value: Some(p_value), n })
    }

    /// From the requests within two runs, by order statistics and shares; they do not know how runs differ.
    fn of_single_runs(figure: Figure, ran: &Ran, base: &Ran) -> Option<Self> {
        let (after, before) = (within(figure, ran)?, within(figure, base)?);
        Some(Self { estimate: stats::difference(after, before), p_value: None, n: 1 })
    }

    fn is_apart(&self, margin: f64, level: f64) -> bool {
        self.p_value.map_or_else(|| self.is_beyond(margin), |p| p <= level)
    }

    /// Whether the whole interval lies beyond the margin.
    fn is_beyond(&self, margin: f64) -> bool {
        self.estimate.low > margin || self.estimate.high < -margin
    }

    /// Before any correction.
    fn word(&self, margin: f64) -> Word {
        if !self.is_apart(margin, stats::ALPHA) {
            Word::Unclear
        } else if self.estimate.value < 0.0 {
            Word::Better
        } else {
            Word::Worse
        }
    }
}

/// One difference; two that are both infinite do not differ.
fn difference(scale: Scale, after: f64, before: f64) -> Option<f64> {
    match (after.is_infinite(), before.is_infinite()) {
        (true, true) => Some(0.0),
        (true, false) => Some(f64::INFINITY),
        (false, true) => Some(f64::NEG_INFINITY),
        (false, false) if scale == Scale::Difference => Some(after - before),
        (false, false) => (after > 0.0 && before > 0.0).then(|| (after / before).ln()),
    }
}

/// A figure of one run with the interval that its requests give, on the figure's scale.
fn within(figure: Figure, ran: &Ran) -> Option<Estimate> {
    match figure {
        // What was dropped is in no histogram.
        Figure::Latency(percentile) if ran.dropped == 0 => {
            let times = hdr::decode(ran.times.as_deref()?).ok()?;
            let Estimate { value, low, high } = quantile(&times, percentile.share())?;
            Some(Estimate { value: value.ln(), low: low.ln(), high: high.ln() })
        }
        Figure::Dropped | Figure::Errors | Figure::Duplicates => {
            let hits = (ran.figure(figure)? * ran.intended as f64).round() as u64;
            stats::proportion(hits, ran.intended)
        }
        _ => None,
    }
}

/// A figure over all runs: the mean, of what has ratios the geometric one.
fn value(figure: Figure, runs: &Runs<'_>) -> Option<Value> {
    let values: Vec<f64> = runs.values().filter_map(|ran| ran.figure(figure)).collect();
    let n = values.len();
    if n == 0 {
        return None;
    }
    if values.iter().any(|value| value.is_infinite()) {
        return Some(Value { value: None, low: None, high: None, n });
    }
    let is_ratio = figure.scale() == Scale::Ratio && values.iter().all(|&value| value > 0.0);
    let scaled: Vec<f64> = if is_ratio { values.iter().map(|value| value.ln()).collect() } else { values };
    let Estimate { value, low, high } = if let [only] = scaled[..] {
        let run = runs.values().next()?;
        let none = Estimate { value: only, low: f64::NEG_INFINITY, high: f64::INFINITY };
        within(figure, run).map_or(none, |found| Estimate { value: only, ..found })
    } else {
        stats::mean(&scaled)
    };
    let told = |value: f64| Some(if is_ratio { value.exp() } else { value });
    let end = |end: f64| if end.is_finite() { told(if is_ratio { end } else { end.max(0.0) }) } else { None };
    Some(Value { value: told(value), low: end(low), high: end(high), n })
}

/// All runs together, which add up exactly.
fn spectrum(runs: &Runs<'_>) -> Vec<(f64, f64)> {
    let mut whole = Histogram::<u64>::new(3).ok();
    for times in runs.values().filter_map(|ran| hdr::decode(ran.times.as_deref()?).ok()) {
        whole = whole.and_then(|mut whole| whole.add(times).ok().map(|()| whole));
    }
    let Some(whole) = whole.filter(|whole| !whole.is_empty()) else { return Vec::new() };
    let decades = (whole.len() as f64).log10();
    let steps = (decades * f64::from(POINTS_PER_DECADE)).floor() as u32;
    let point = |step: u32| {
        let q = 1.0 - 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_DECADE));
        (rounded(q, 1e7), rounded(whole.value_at_quantile(q) as f64 / 1e3, 10.0))
    };
    (1..=steps).map(point).collect()
}

/// Few digits, so that files stay small.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Takes back what Holm's correction, over all comparisons of one figure, does not bear out.
fn correct(conditions: &mut [Condition], figures: &[Figure]) {
    for at in 0..figures.len() {
        let mut family: Vec<&mut Against> = conditions
            .iter_mut()
            .flat_map(|condition| &mut condition.rows)
            .filter_map(|row| row.against.get_mut(at)?.as_mut())
            .filter(|against| against.p_value.is_some())
            .collect();
        let p_values: Vec<f64> = family.iter().map(|against| against.p_value.unwrap_or(1.0)).collect();
        for (against, held) in family.iter_mut().zip(stats::holm(&p_values)) {
            if !held {
                against.word = Word::Unclear;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn judged(part: &Part) -> Comparison {
        judge(part, Volatile::default())
    }

    fn words_of(comparison: &Comparison, figure: usize) -> Vec<(String, Word)> {
        let rows = comparison.conditions.iter().flat_map(|condition| &condition.rows);
        rows.filter_map(|row| Some((row.name.clone(), row.against[figure].as_ref()?.word))).collect()
    }

    #[test]
    fn what_is_faster_on_every_seed_is_better_and_the_same_is_unclear() {
        // Three things: the second is twice as slow, the third like the first but for noise.
        let comparison = judged(&sample::part());
        let said = words_of(&comparison, comparison.ranking());
        for (name, word) in &said {
            assert_eq!(*word, if name == "slow" { Word::Worse } else { Word::Unclear }, "{said:?}");
        }
        for condition in &comparison.conditions {
            let ranks: Vec<_> = condition.rows.iter().map(|row| (row.rank, row.tied)).collect();
            assert_eq!(ranks, [(1, true), (1, true), (3, false)]);
            assert_eq!(condition.rows[2].name, "slow");
        }
        assert!(comparison.is_worse());
        assert!(comparison.sentence.contains("slow has"), "{}", comparison.sentence);
    }

    #[test]
    fn an_invalid_run_is_in_no_figure() {
        let mut part = sample::part();
        let all = judged(&part);
        for ran in &mut part.ran {
            if ran.seed == 1 {
                ran.validity = Trust::Invalid;
                ran.figures.values_mut().for_each(|value| *value *= 100.0);
            }
        }
        let fewer = judged(&part);
        assert_eq!((all.invalid, fewer.invalid), (0, part.ran.len() / part.head.seeds.len()));
        let n = |comparison: &Comparison| comparison.conditions[0].rows[0].values[0].unwrap().n;
        assert_eq!(n(&all), n(&fewer) + 1);
        let row =
            |comparison: &Comparison| comparison.conditions[0].rows[0].values[0].unwrap().value.unwrap();
        assert!((row(&all) / row(&fewer) - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_percentile_that_is_a_drop_is_last_and_worse() {
        let mut part = sample::part();
        let rank_by = part.head.rank_by.clone();
        for ran in part.ran.iter_mut().filter(|ran| ran.choice[0] == 2) {
            ran.figures.remove(&rank_by);
            ran.never.push(rank_by.clone());
        }
        let comparison = judged(&part);
        let last = comparison.conditions[0].rows.last().unwrap();
        assert_eq!((last.name.as_str(), last.rank), ("same", 3));
        let against = last.against[comparison.ranking()].as_ref().unwrap();
        assert_eq!((against.word, against.change), (Word::Worse, None));
    }

    #[test]
    fn the_order_of_runs_says_nothing() {
        let mut part = sample::part();
        let before = judged(&part);
        part.ran.reverse();
        assert_eq!(judged(&part), before);
    }

    // Aim: the same thing twice is unclear at least 95 times in 100. Method: 200 comparisons of five things under two
    // conditions whose runs are noise alone; not one word about the figure that ranks may be anything else.
    #[test]
    fn the_same_thing_under_many_names_is_unclear() {
        let wolf = (0..200).filter(|&turn| {
            let comparison = judged(&sample::noise(turn, 5, 10));
            words_of(&comparison, comparison.ranking()).iter().any(|(_, word)| *word != Word::Unclear)
        });
        let wolf = wolf.count();
        assert!(wolf <= 10, "{wolf} of 200");
    }
}
