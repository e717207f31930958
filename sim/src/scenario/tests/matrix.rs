//! `[matrix]`: which runs it stands for, and what its mistakes are told.

use super::*;
use crate::plan::{Cell, Figure, Percentile};

/// The shipped scenario with an algorithm that varies, and more of a matrix.
fn varied(matrix: &str) -> String {
    let text = with("name    = \"blue\"", "name    = \"blue\"\nalgorithm = \"${algorithm}\"");
    format!("{text}\n[matrix]\nalgorithm = [\"round-robin\", \"random\"]\n{matrix}\n")
}

fn mistakes(text: &str) -> Vec<String> {
    let input = input(text, &[]);
    matrix(&input)
        .unwrap_err()
        .iter()
        .map(|mistake| format!("{}: {mistake}", mistake.place.line(text)))
        .collect()
}

#[test]
fn a_value_takes_the_place_of_its_axis() {
    let text = varied("\"load.rate\" = [600, 1200]\nseed = { from = 5, count = 3 }");
    let matrix = matrix(&input(&text, &[])).unwrap();
    assert_eq!((matrix.choices(), matrix.len()), (4, 12));
    assert_eq!(matrix.cell(11), Cell { choice: vec![1, 1], seed: 7 });
    let chosen = |choice: &[usize]| {
        let plan = read(&Input { choice: choice.to_vec(), ..input(&text, &[]) }).unwrap();
        let blue =
            plan.gateway.config.upstreams().find(|(_, upstream)| upstream.name.as_str() == "blue").unwrap().1;
        (blue.algorithm.as_str().to_owned(), plan.load.total(), plan.source.resolved.contains("[matrix]"))
    };
    assert_eq!(chosen(&[]), ("round-robin".to_owned(), 18_000, false));
    assert_eq!(chosen(&[1, 1]), ("random".to_owned(), 36_000, false));
}

#[test]
fn an_axis_without_a_text_is_a_key_or_one_of_the_upstreams() {
    let sets = ["matrix.algorithm=[\"random\", \"latency\"]", "matrix.seed.count=2"];
    let matrix = matrix(&input(BLUE_GREEN, &sets)).unwrap();
    assert_eq!((matrix.len(), matrix.seeds.clone()), (4, vec![42, 43]));
    let compared = Input { choice: vec![1], is_compared: true, ..input(BLUE_GREEN, &sets) };
    let plan = read(&compared).unwrap();
    assert!(plan.gateway.config.upstreams().all(|(_, upstream)| upstream.algorithm.as_str() == "latency"));
}

#[test]
fn texts_are_filled_in_and_what_is_escaped_stays() {
    let text = format!(
        "{}\n[matrix]\nsize = [1, 2]\n",
        with("path   = \"/anything\"", "path   = \"/anything/${size}/$${size}\"")
    );
    let plan = read(&Input { choice: vec![1], ..input(&text, &[]) }).unwrap();
    assert!(plan.source.resolved.contains("/anything/2/$${size}"), "{}", plan.source.resolved);
}

#[test]
fn what_is_compared_is_read() {
    let report =
        "[report]\ncompare = [\"latency p(50) p(99)\", \"errors\"]\nrank_by = \"dropped\"\nmargin = 0.1";
    let matrix = matrix(&input(&varied(report), &[])).unwrap();
    let [p50, p99] = [Percentile::P50, Percentile::P99].map(Figure::Latency);
    assert_eq!(matrix.figures, [p50, p99, Figure::Errors, Figure::Dropped]);
    assert_eq!((matrix.rank_by, matrix.margin), (Figure::Dropped, 0.1));
}

#[test]
fn each_mistake_is_told_where_it_stands() {
    for (text, said) in [
        (varied("").replace("\"random\"", "\"randon\""), "`randon` is not a value of `algorithm`"),
        (varied("size = [1]"), "the axis `size` changes nothing"),
        (varied("size = 1"), "the axis `size` is not a list"),
        (varied("size = []"), "the axis `size` has no good number of values"),
        (varied("user = [1]"), "no axis can be called `user`"),
        (varied("\"load.rate\" = [6, 6]"), "the axis `load.rate` has a value twice"),
        (varied("\"load.rat\" = [6]"), "unknown key `rat`"),
        (varied("\"load.rate\" = [6, -6]"), "`rate` is out of range"),
        (varied("seed = 3"), "`seed` of a matrix is neither"),
        (varied("seed = [3, 3]"), "a seed twice"),
        (varied("seed = { from = 3 }"), "a range of seeds needs `count`"),
        (varied("seed = { from = 1, count = 20000 }"), "`count` is out of range"),
        (varied("[report]\nrank_by = \"latency p(98)\""), "`latency p(98)` is no figure"),
        (varied("[report]\nrank_by = \"latency p(50) p(99)\""), "a ranking is by one figure"),
        (varied("[report]\nrank = 1"), "unknown key `rank`"),
        (format!("matrix = 3\n{BLUE_GREEN}"), "`matrix` is not a table of axes"),
    ] {
        let told = mistakes(&text);
        assert!(told.len() == 1 && told[0].contains(said), "{said}: {told:#?}");
        assert!(!told[0].starts_with("0:"), "it has a line: {told:?}");
    }
}

#[test]
fn a_matrix_that_is_too_large_is_refused_before_it_is_read() {
    let many = |name: &str| {
        format!("\"load.{name}\" = [{}]", (1..=900).map(|n| n.to_string()).collect::<Vec<_>>().join(", "))
    };
    let text = varied(&format!("{}\n{}", many("rate"), many("connections")));
    let told = mistakes(&text);
    assert!(told.len() == 1 && told[0].contains("the matrix is too large"), "{told:#?}");
}

#[test]
fn what_a_flag_varies_is_told_in_the_words_of_the_flag() {
    let varied = |flag: &str| Input { vary: vec![flag.to_owned()], ..input(BLUE_GREEN, &[]) };
    let told = |flag: &str| render(&matrix(&varied(flag)).unwrap_err(), &varied(flag), false);
    insta::assert_snapshot!(told("load.rat=1,2") + &told("algorithm=random,rondom") + &told("size"), @r"
    error: unknown key `rat`
     --> --vary:1:1
      |
    1 | load.rat=1,2
      | ^^^^^^^^ not a key of the load
      = help: did you mean `rate`?

    error: `rondom` is not a value of `algorithm`
     --> --vary:1:18
      |
    1 | algorithm=random,rondom
      |                  ^^^^^^ no such value
      = help: did you mean `random`?

    error: a --vary has no values
     --> --vary:1:1
      |
    1 | size
      | ^^^^ no `=` here
      = help: write axis=value,value, such as algorithm=round-robin,latency
    ");
    let repeated = Input { repeat: Some(3), ..varied("algorithm=random,latency") };
    let read = matrix(&repeated).unwrap();
    assert_eq!((read.choices(), read.seeds), (2, vec![42, 43, 44]));
    // Also where the file has its own seeds.
    let text = self::varied("seed = [7, 3]");
    let repeated = Input { repeat: Some(2), ..input(&text, &[]) };
    assert_eq!(matrix(&repeated).unwrap().seeds, [7, 8]);
}
