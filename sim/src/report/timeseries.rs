//! `timeseries.csv`: the run over time, one line for each bin, for notebooks and spreadsheets. Every column's name begins with
//! a word of this program, so that no name from a scenario can become a formula; an empty field is a figure that is not known.

use crate::summary::{CpuPerRequest, Series, Summary};
use crate::words;

/// A column: its head and the value of each bin.
type Column<'a> = (String, Box<dyn Fn(usize) -> String + 'a>);

/// The file.
///
/// # Panics
/// Never: a Vec takes whatever is written.
pub(super) fn csv(summary: &Summary) -> Vec<u8> {
    let columns = columns(summary);
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(columns.iter().map(|(head, _)| head)).expect("a Vec takes whatever is written");
    for bin in 0..summary.series.t_ms.len() {
        file.write_record(columns.iter().map(|(_, value)| value(bin))).expect("all rows are as long");
    }
    file.into_inner().expect("a Vec takes whatever is written")
}

fn columns(summary: &Summary) -> Vec<Column<'_>> {
    let series = &summary.series;
    let mut columns = whole(series);
    for (cause, bins) in &series.dropped {
        columns.push((named("dropped", cause), count(bins)));
    }
    for (at, target) in summary.targets.iter().enumerate() {
        for (word, rows) in [("answered", &series.answered), ("picks", &series.picks)] {
            if let Some(bins) = rows.get(at) {
                columns.push((named(word, &target.name), count(bins)));
            }
        }
        if let Some(bins) = series.in_flight.get(at) {
            let value = move |bin: usize| bins.get(bin).map_or_else(String::new, |value| figure(*value));
            columns.push((named("in_flight", &target.name), Box::new(value)));
        }
    }
    for (upstream, ranges) in &series.lag_range {
        let end = move |bin: usize| ranges.get(bin).copied().flatten();
        columns.push((named("share_low_requests", upstream), optional(move |bin| Some(end(bin)?.0))));
        columns.push((named("share_high_requests", upstream), optional(move |bin| Some(end(bin)?.1))));
    }
    columns
}

/// The cores that one part used.
type Cores = fn(&CpuPerRequest) -> Option<f64>;

/// What is of all targets together.
fn whole(series: &Series) -> Vec<Column<'_>> {
    let of = |rows: &[Vec<u64>], bin: usize| rows.iter().filter_map(|row| row.get(bin)).sum::<u64>();
    let dropped = |bin: usize| series.dropped.values().filter_map(|row| row.get(bin)).sum::<u64>();
    let mut columns: Vec<Column<'_>> = vec![
        ("t_ms".to_owned(), optional(|bin| series.t_ms.get(bin).copied())),
        ("intended".to_owned(), count(&series.intended)),
        ("answered".to_owned(), Box::new(move |bin| of(&series.answered, bin).to_string())),
        ("dropped".to_owned(), Box::new(move |bin| dropped(bin).to_string())),
    ];
    for (head, bins) in [
        ("p50_us", &series.p50_us),
        ("p90_us", &series.p90_us),
        ("p99_us", &series.p99_us),
        ("max_us", &series.max_us),
        ("lag_p99_us", &series.lag_p99_us),
    ] {
        columns.push((head.to_owned(), optional(|bin| bins.get(bin).copied().flatten())));
    }
    columns.push(("in_flight_max".to_owned(), count(&series.in_flight_max)));
    let parts: [(&str, Cores); 3] = [
        ("cpu_gateway_cores", |cpu| cpu.gateway),
        ("cpu_generator_cores", |cpu| cpu.generator),
        ("cpu_targets_cores", |cpu| cpu.targets),
    ];
    for (head, part) in parts {
        columns.push((head.to_owned(), optional(move |bin| part(series.cpu.get(bin)?))));
    }
    columns
}

fn named(word: &str, name: &str) -> String {
    format!("{word}:{}", words::plain(name))
}

fn count(bins: &[u64]) -> Box<dyn Fn(usize) -> String + '_> {
    Box::new(|bin| bins.get(bin).map_or_else(String::new, u64::to_string))
}

fn optional<'a>(value: impl Fn(usize) -> Option<f64> + 'a) -> Box<dyn Fn(usize) -> String + 'a> {
    Box::new(move |bin| value(bin).map_or_else(String::new, figure))
}

fn figure(value: f64) -> String {
    words::short_plain(value, 3)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{hostile, summary};
    use super::*;

    fn rows(summary: &Summary) -> (csv::StringRecord, Vec<csv::StringRecord>) {
        let file = csv(summary);
        let mut reader = csv::Reader::from_reader(file.as_slice());
        (reader.headers().unwrap().clone(), reader.records().map(Result::unwrap).collect())
    }

    // Aim: nothing is lost on the way. Method: read the file again and add up.
    #[test]
    fn rows_add_up_to_the_ledger() {
        let summary = summary();
        let (heads, rows) = rows(&summary);
        let sum = |name: &str| {
            let column = heads.iter().position(|head| head == name).unwrap();
            rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>()
        };
        assert_eq!(rows.len(), summary.series.t_ms.len());
        assert_eq!(sum("intended"), summary.requests.intended);
        assert_eq!(sum("answered"), summary.requests.answered);
        assert_eq!(sum("answered:httpbin.org:80") + sum("answered:httpbin.konghq.com:80"), 12_000);
        assert_eq!((&heads[0], &rows[1][0]), ("t_ms", "500"));
    }

    // Aim: no spreadsheet computes what a scenario says. Method: names that would be formulas, commas, quotes, line ends.
    #[test]
    fn no_cell_is_a_formula() {
        let (heads, rows) = rows(&hostile());
        for cell in heads.iter().chain(rows.iter().flatten()) {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(
                cell.is_empty() || is_number || cell.starts_with(|c: char| c.is_ascii_lowercase()),
                "{cell:?}"
            );
        }
    }
}
