//! What a kill or a full disk leaves behind: the old report or the new one, never half of one, and `latest` never points to
//! nothing. strace kills the program at each system call that changes a folder, one after another; without strace the test
//! says that it was skipped, and in CI that is a failure.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "whether this is CI decides whether strace may be missing")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use support::{rendered, root, sim, told};

/// The system calls that change what a folder holds.
const CHANGES: &str = "rename,renameat,renameat2,symlink,symlinkat,mkdir,mkdirat,fsync";
/// More of them than any command here makes.
const CALLS_MAX: usize = 200;

/// A model run of a tenth of a second.
fn run(out: &Path) -> Vec<String> {
    let out = out.to_str().unwrap();
    let arguments = ["run", "scenarios/blue_green.toml", "--engine", "model", "-q", "--out", out];
    let short = ["load.rate=100", "load.duration=3s", "load.warmup=0s", "steps[0].at=1s", "steps[1].at=2s"];
    let sets = short.into_iter().flat_map(|set| ["--set", set]);
    arguments.into_iter().chain(sets).map(str::to_owned).collect()
}

/// Runs the command under strace, killed at its `nth` change; whether it was.
fn killed(arguments: &[String], nth: usize) -> Option<bool> {
    let mut strace = Command::new("strace");
    strace.current_dir(root()).args(["-f", "-qq", "-o", "/dev/null"]);
    strace.arg(format!("-einject={CHANGES}:signal=KILL:when={nth}")).arg(format!("-etrace={CHANGES}"));
    let status = strace.arg(env!("CARGO_BIN_EXE_sim")).args(arguments).output().ok()?.status;
    Some(status.code().is_none())
}

/// Whether there is no strace; in CI there must be.
fn is_skipped() -> bool {
    let is_there = Command::new("strace").arg("--version").output().is_ok();
    assert!(is_there || std::env::var("CI").is_err(), "strace is missing, and in CI it must not be");
    if !is_there {
        // Written past the test harness, which would keep a passing test's words to itself.
        std::io::stderr()
            .write_all(b"skipped: crashes need strace (Debian: apt-get install strace)\n")
            .unwrap();
    }
    !is_there
}

/// The files of a report that is whole.
fn files(report: &Path) -> usize {
    let text = fs::read_to_string(report.join("report.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    names(report) + names(&report.join("charts"))
}

#[test]
fn a_run_that_is_killed_leaves_the_old_report_or_the_new_one() {
    if is_skipped() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let home = out.path().join("blue-green");
    let arguments = run(out.path());
    let (code, ..) = told(&sim(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap());
    assert!(code == 0 || code == 99, "{code}");
    let whole = files(&home.join("latest"));
    let mut kills = 0;
    for nth in 1..CALLS_MAX {
        let was_killed = killed(&arguments, nth).unwrap();
        assert_eq!(files(&home.join("latest")), whole, "killed at change {nth}");
        for entry in fs::read_dir(&home).unwrap().map(|entry| entry.unwrap()) {
            let is_shown = !entry.file_name().to_string_lossy().starts_with('.');
            assert!(!is_shown || files(&entry.path()) == whole, "{:?} at change {nth}", entry.path());
        }
        kills += usize::from(was_killed);
        if !was_killed {
            break;
        }
    }
    assert!((10..CALLS_MAX - 1).contains(&kills), "{kills} changes were tried");
}

#[test]
fn a_full_disk_leaves_every_file_as_it_was() {
    let folder = rendered();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    fs::write(folder.path().join("report.html"), "old").unwrap();
    let before = [read("report.json"), read("report.html")];
    // A file may not become larger than 8 blocks of 512 bytes: what a write meets on a full disk, but for the name.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec '{}' report '{}'",
        env!("CARGO_BIN_EXE_sim"),
        folder.path().display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let (code, _, stderr) = told(&output);
    assert!(code == 4 && stderr.starts_with("error: cannot write "), "{code} {stderr}");
    assert_eq!([read("report.json"), read("report.html")], before);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}
