//! `sim compare` and `sim merge` as a user, a CI job or a job array meets them, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
#[path = "../support/mod.rs"]
mod support;

mod known;
mod recipes;
mod shards;

use std::fs;
use std::path::{Path, PathBuf};

use support::{sim, told};

/// Two algorithms on three targets of which one is slow, on eight seeds.
const SCENARIO: &str = r#"
name = "small"
engine = "model"
seed = 1
[load]
rate = 300
duration = "2s"
arrivals = "poisson"
[[load.requests]]
path = "/"
[[services]]
name = "s"
host = "u"
[[routes]]
paths = ["/"]
service = { name = "s" }
[[upstreams]]
name = "u"
targets = { count = 3, name = "t-{i}:80" }
[[mocks]]
match = "*"
latency = { exponential = "4ms" }
capacity = 2
[[faults]]
at = "0s"
match = "t-1:80"
latency_x = 8
[matrix]
algorithm = ["least-connections", "random"]
seed = { from = 1, count = 8 }
[report]
compare = ["latency p(50) p(99)", "dropped"]
"#;

/// A folder with the scenario in it.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    fs::write(&file, SCENARIO).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

/// `compare.json` of the newest comparison of `scenario` below `out`, which is as its schema says, without what changes from time
/// to time.
fn newest(out: &Path, scenario: &str) -> serde_json::Value {
    let text = fs::read_to_string(out.join(scenario).join("latest-compare/compare.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schema = serde_json::from_str(include_str!("../../compare.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = schema.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(json.as_object_mut().unwrap().remove("volatile").is_some());
    json
}

/// The same of the small scenario.
fn json(out: &Path) -> serde_json::Value {
    newest(out, "small")
}

/// The same, byte for byte: all that comes before what changes from time to time, which comes last.
fn bytes(out: &Path) -> String {
    let text = fs::read_to_string(out.join("small/latest-compare/compare.json")).unwrap();
    let (same, volatile) = text.split_once("\"volatile\": {").unwrap();
    assert_eq!(volatile.matches('}').count(), 2, "nothing follows it: {volatile}");
    same.to_owned()
}

fn path(folder: &Path, name: &str) -> (PathBuf, String) {
    let path = folder.join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

#[test]
fn a_comparison_ranks_and_leaves_its_files() {
    let (folder, file) = folder();
    let (out, named) = path(folder.path(), "out");
    let (code, stdout, stderr) = told(&sim(&["compare", &file, "--out", &named]).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("1  least-connections") && stdout.contains("2  random"), "{stdout}");
    assert!(stdout.trim_end().ends_with("compare.html"), "{stdout}");
    for name in
        ["compare.json", "compare.html", "compare.csv", "compare.md", "junit.xml", "part-1-of-1.ndjson"]
    {
        assert!(out.join("small/latest-compare").join(name).is_file(), "{name}");
    }
    let json = json(&out);
    let words: Vec<_> = json["conditions"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["against"][1]["word"].clone())
        .collect();
    assert_eq!(words, [serde_json::Value::Null, "worse".into()], "random is worse than the baseline");
    let failing = ["compare", &file, "--out", &named, "--fail-if-worse", "--quiet", "--format", "json"];
    let (code, stdout, stderr) = told(&sim(&failing).output().unwrap());
    assert_eq!((code, stderr.as_str()), (98, ""));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["schema"], 1);
}

#[test]
fn one_thing_under_two_seeds_has_nothing_to_be_compared_with() {
    let (folder, file) = folder();
    let (_, out) = path(folder.path(), "out");
    let arguments = ["compare", &file, &file, "--out", &out, "--set", "matrix.algorithm=[\"random\"]"];
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("1= small 1") && stdout.contains("1= small 2") && stdout.contains("unclear"),
        "{stdout}"
    );
}

#[test]
fn finished_runs_are_compared_by_their_requests() {
    let (folder, file) = folder();
    let (_, out) = path(folder.path(), "runs");
    let mut runs = Vec::new();
    for slow in ["4ms", "40ms"] {
        let set = format!("mocks[0].latency.exponential={slow}");
        let (code, stdout, stderr) =
            told(&sim(&["run", &file, "--out", &out, "--set", &set]).output().unwrap());
        assert_eq!(code, 0, "{stderr}");
        let page = stdout.trim_end().rsplit(' ').next().unwrap().to_owned();
        runs.push(Path::new(&page).parent().unwrap().to_str().unwrap().to_owned());
    }
    let (_, out) = path(folder.path(), "out");
    let arguments = ["compare", &runs[0], &runs[1], "--out", &out, "--fail-if-worse"];
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert!(code == 98 && stdout.contains("worse"), "{stdout}{stderr}");
    let (code, _, stderr) = told(&sim(&["compare", &runs[0], &file]).output().unwrap());
    assert!(code == 2 && stderr.contains("is a finished run"), "{stderr}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let (folder, file) = folder();
    let (_, out) = path(folder.path(), "out");
    let with = |flag: &str, value: &str| {
        told(&sim(&["compare", &file, "--out", &out, flag, value]).output().unwrap())
    };
    let (code, _, stderr) = with("--vary", "load.rat=1,2");
    assert!(
        code == 3 && stderr.contains("unknown key `rat`") && stderr.contains("--> --vary:1:1"),
        "{stderr}"
    );
    let (code, _, stderr) = with("--vary", "size=1,2");
    assert!(code == 3 && stderr.contains("the axis `size` changes nothing"), "{stderr}");
    assert_eq!(with("--vary", "size").0, 3);
    assert_eq!(with("--repeat", "0").0, 2);
    assert_eq!(with("--shard", "9/8").0, 2);
    assert!(!Path::new(&out).exists(), "nothing ran");
}

#[test]
fn a_stopped_comparison_goes_on_where_it_was() {
    let (folder, file) = folder();
    let (out, named) = path(folder.path(), "out");
    assert_eq!(told(&sim(&["compare", &file, "--out", &named]).output().unwrap()).0, 0);
    let whole = json(&out);
    // What a comparison that was stopped leaves: its first lines, the last one cut off.
    let part = fs::read_to_string(out.join("small/latest-compare/part-1-of-1.ndjson")).unwrap();
    let cut = part.lines().take(6).collect::<Vec<_>>().join("\n");
    let sha256 = whole["sha256"].as_str().unwrap();
    let (again, named) = path(folder.path(), "again");
    fs::create_dir_all(again.join("small")).unwrap();
    let journal = again.join("small").join(format!(".compare-{}.ndjson", &sha256[..12]));
    fs::write(&journal, &cut[..cut.len() - 7]).unwrap();
    let (code, _, stderr) = told(&sim(&["compare", &file, "--out", &named, "--resume"]).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(bytes(&again), bytes(&out));
    assert!(!journal.exists(), "it goes when the comparison is whole");
}

#[test]
fn every_choice_is_validated_and_counted() {
    let (folder, file) = folder();
    let (code, stdout, _) = told(&sim(&["validate", &file]).output().unwrap());
    assert!(code == 0 && stdout.contains(" in each of 16 runs"), "{stdout}");
    let (_, stdout, _) = told(&sim(&["list", folder.path().to_str().unwrap()]).output().unwrap());
    assert!(stdout.contains("16 × 2 s"), "{stdout}");
    // A mistake in what is not the first choice.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"random\"", "\"rondom\"")).unwrap();
    let (code, _, stderr) = told(&sim(&["validate", &file]).output().unwrap());
    assert!(code == 3 && stderr.contains("did you mean `random`"), "{stderr}");
}
