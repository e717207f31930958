//! A comparison in parts, by launchers that are really started: what comes out is what one machine makes.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::support::{sim, told};
use crate::{bytes, folder, path};

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
    assert_eq!(bytes(&merged), bytes(&whole));
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
pub(crate) fn skip(why: &str) {
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
