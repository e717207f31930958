//! Runs the `sim` command as a user would and reads what it left behind. Shared by the tests of the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command, run at the root, in a plain environment.
pub(crate) fn sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    // No terminal anywhere, so that what is printed is as wide wherever the tests run.
    command.current_dir(root()).args(arguments).stdin(Stdio::null());
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("SIM_") || name.starts_with("GITHUB_"))
    {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
    command
}

/// Exit code, stdout, stderr.
pub(crate) fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// `report.json` of the newest run of `scenario` below `out`, which is as its schema says.
pub(crate) fn newest(out: &Path, scenario: &str) -> serde_json::Value {
    let path = out.join(scenario).join("latest/report.json");
    let report = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let schema = serde_json::from_str(include_str!("../../report.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = schema.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    report
}

/// Every request is in exactly one bin, in the whole and in each phase, as an outside program would check it.
pub(crate) fn assert_ledger_balances(report: &serde_json::Value) {
    let n = |value: &serde_json::Value, name: &str| value[name].as_u64().unwrap();
    let balanced = |requests: &serde_json::Value| {
        let by_cause = requests["dropped_by_cause"].as_object().unwrap();
        let dropped: u64 = by_cause.values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(n(requests, "intended"), n(requests, "answered") + n(requests, "dropped"), "{requests}");
        assert_eq!(n(requests, "dropped"), dropped, "{requests}");
    };
    balanced(&report["requests"]);
    let phases = report["phases"].as_array().unwrap();
    for phase in phases {
        balanced(&phase["requests"]);
    }
    for name in ["intended", "answered", "dropped", "target_5xx", "duplicates"] {
        let sum: u64 = phases.iter().map(|phase| n(&phase["requests"], name)).sum();
        assert_eq!(sum, n(&report["requests"], name), "{name} over all phases");
    }
}

/// The files of a run in virtual time, drawn anew from its `report.json`.
pub(crate) fn rendered() -> tempfile::TempDir {
    let [folder, out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let run = [
        "run",
        "scenarios/blue_green.toml",
        "--engine",
        "model",
        "-q",
        "--out",
        out.path().to_str().unwrap(),
    ];
    let (code, _, stderr) = told(&sim(&run).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    fs::copy(out.path().join("blue-green/latest/report.json"), folder.path().join("report.json")).unwrap();
    let (code, _, stderr) = told(&sim(&["report", folder.path().to_str().unwrap()]).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    folder
}
