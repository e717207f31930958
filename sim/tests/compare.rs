//! `sim compare` and `sim merge` as a user, a CI job or a job array meets them, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// `compare.json` of the newest comparison below `out`, without what changes from time to time.
fn json(out: &Path) -> serde_json::Value {
    let text = fs::read_to_string(out.join("small/latest/compare.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json.as_object_mut().unwrap().remove("volatile").is_some());
    json
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
        assert!(out.join("small/latest").join(name).is_file(), "{name}");
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
    assert!(code == 3 && stderr.contains("unknown key `rat`") && stderr.contains('^'), "{stderr}");
    let (code, _, stderr) = with("--vary", "size=1,2");
    assert!(code == 3 && stderr.contains("the axis `size` changes nothing"), "{stderr}");
    assert_eq!(with("--vary", "size").0, 2);
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
    let part = fs::read_to_string(out.join("small/latest/part-1-of-1.ndjson")).unwrap();
    let cut = part.lines().take(6).collect::<Vec<_>>().join("\n");
    let sha256 = whole["sha256"].as_str().unwrap();
    let (again, named) = path(folder.path(), "again");
    fs::create_dir_all(again.join("small")).unwrap();
    let journal = again.join("small").join(format!(".compare-{}.ndjson", &sha256[..12]));
    fs::write(&journal, &cut[..cut.len() - 7]).unwrap();
    let (code, _, stderr) = told(&sim(&["compare", &file, "--out", &named, "--resume"]).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json(&again), whole);
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

/// Makes three shards by `launcher`, which is told the program, the scenario and the folder; their sum is the whole.
fn shards_by(launcher: impl Fn(&str, &str, &str) -> Command) {
    let (folder, file) = folder();
    let (shards, named) = path(folder.path(), "shards");
    let output = launcher(env!("CARGO_BIN_EXE_sim"), &file, &named).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&shards).unwrap().count(), 3);
    let (merged, out) = path(folder.path(), "merged");
    assert_eq!(told(&sim(&["merge", &named, "--out", &out]).output().unwrap()).0, 0);
    let (whole, out) = path(folder.path(), "whole");
    assert_eq!(told(&sim(&["compare", &file, "--out", &out]).output().unwrap()).0, 0);
    assert_eq!(json(&merged), json(&whole));
    // One is missing: which, and how to make it.
    fs::remove_file(shards.join("part-2-of-3.ndjson")).unwrap();
    let (code, _, stderr) = told(&sim(&["merge", &named, "--out", &out]).output().unwrap());
    assert!(code == 3 && stderr.contains("run again with --shard 2/3"), "{stderr}");
}

#[test]
fn shards_by_xargs_add_up_to_the_whole() {
    shards_by(|sim, file, out| {
        let mut command = Command::new("sh");
        let script = "seq 3 | xargs -P 2 -I{} \"$0\" compare \"$1\" --shard {}/3 --out \"$2\" --quiet";
        command.args(["-c", script, sim, file, out]);
        command
    });
}

/// Says that a test is skipped, which in CI is a failure, past the test harness, which would keep it to itself.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI has it");
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// Whether `program` is there.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn shards_by_a_job_array_of_slurm_add_up_to_the_whole() {
    if !has("slurmd") || !rustix::process::geteuid().is_root() {
        return skip("needs root and Slurm (Debian: apt-get install slurmctld slurmd slurm-client munge)");
    }
    shards_by(|sim, file, out| {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/slurm.sh"));
        command.args([sim, file, out]);
        command
    });
}

#[test]
fn shards_by_gnu_parallel_add_up_to_the_whole() {
    if !has("parallel") {
        return skip("needs GNU parallel (Debian: apt-get install parallel)");
    }
    shards_by(|sim, file, out| {
        let mut command = Command::new("parallel");
        command.args(["-j2", "--halt", "now,fail=1", sim, "compare", file, "--shard", "{}/3", "--out", out]);
        command.args([":::", "1", "2", "3"]);
        command
    });
}

#[test]
fn the_best_of_a_pool_of_replies_beats_the_less_loaded_of_two_among_noisy_neighbours() {
    // Aim: a published result comes out (Wydrowski and others, NSDI 2024: at high load, on targets of different and changing
    // speed). Method: the shipped scenario, two of its balancers, six seeds and the first 2 s of it; with one comparison six
    // seeds that agree suffice.
    let out = tempfile::tempdir().unwrap();
    let compared =
        sim(&["compare", "scenarios/noisy_neighbours.toml", "-q", "--out", out.path().to_str().unwrap()])
            .args(["--set", "load.duration=2s", "--set", "load.warmup=0s"])
            .args(["--set", "faults=[{at=\"0s\",match=\"green-*\",fraction=0.1,latency_x=4}]"])
            .args(["--set", "matrix.algorithm=[\"two-choices\",\"prequal\"]"])
            .args(["--set", "matrix.seed={from=1,count=6}", "--format", "json"])
            .output()
            .unwrap();
    let (code, stdout, stderr) = told(&compared);
    assert_eq!(code, 0, "{stderr}");
    let comparison: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let first = &comparison["conditions"][0]["rows"][0];
    assert_eq!(
        (&first["name"], &first["rank"], &first["tied"]),
        (&"prequal".into(), &1.into(), &false.into()),
        "{comparison}"
    );
}

#[test]
fn strategies_hurt_as_many_as_they_expose_before_the_first_look() {
    // Aim: the shipped comparison says what its header says. Method: a shadow, the smallest share and the whole, on two seeds,
    // and no longer than the judge needs.
    let out = tempfile::tempdir().unwrap();
    let sets = [
        "matrix.strategy=[\"shadow\",\"canary\",\"blue-green\"]",
        "matrix.v2_errors=[0.05]",
        "matrix.seed.count=2",
        "load.duration=12s",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let folder = out.path().to_str().unwrap();
    let arguments: Vec<_> = ["compare", "scenarios/strategies.toml", "--quiet", "--out", folder]
        .into_iter()
        .chain(sets)
        .collect();
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let found = fs::read_dir(out.path().join("strategies")).unwrap().flatten();
    let file = found.map(|entry| entry.path().join("compare.json")).find(|path| path.exists()).unwrap();
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let rows = report["conditions"][0]["rows"].as_array().unwrap();
    let hurt = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        row["values"][0]["value"].as_f64().unwrap()
    };
    assert_eq!(report["rank_by"], "users hurt");
    let [shadow, canary, blue_green] = ["shadow", "canary", "blue-green"].map(hurt);
    assert!(shadow == 0.0 && canary > 0.0 && blue_green > 5.0 * canary, "{shadow} {canary} {blue_green}");
}
