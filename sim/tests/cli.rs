//! The command line as a user meets it: what is refused, in which words and with which exit code. No request is sent here.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Stdio;

use support::{root, sim, told};

/// The shipped scenario with `old` replaced by `new`, in a file of its own.
fn broken(old: &str, new: &str) -> tempfile::NamedTempFile {
    let text = fs::read_to_string(root().join("scenarios/blue_green.toml")).unwrap();
    assert!(text.contains(old), "the shipped scenario says {old:?}");
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.replacen(old, new, 1).as_bytes()).unwrap();
    file
}

#[test]
fn every_mistake_in_a_file_is_named_and_exits_with_3() {
    for (old, new, said) in [
        ("[load]", "[load", "error: "),
        ("rate        = 600", "rat = 600", "unknown key `rat`"),
        ("duration    = \"30s\"", "duration = 30", "a duration needs a unit"),
        ("weight = 50 }", "weight = 70000 }", "65535"),
        ("host = \"blue\"", "host = \"bleu\"", "`bleu`"),
        ("service = \"example-service\", host = \"green\"", "service = \"shop\", host = \"green\"", "`shop`"),
        ("name = \"blue-green\"", "name = \"../blue-green\"", "name"),
        (
            "[[services]]",
            "[[services]]\nname = \"example-service\"\nhost = \"blue\"\n[[services]]",
            "`example-service`",
        ),
    ] {
        let file = broken(old, new);
        let path = file.path().to_str().unwrap();
        for arguments in [&["validate", path][..], &["run", path]] {
            let (code, stdout, stderr) = told(&sim(arguments).output().unwrap());
            assert_eq!((code, stdout.as_str()), (3, ""), "{new:?}: {stderr}");
            assert!(stderr.contains(said), "{new:?} should be answered with {said:?}:\n{stderr}");
            assert!(stderr.contains("-->") && stderr.contains('^'), "where it stands:\n{stderr}");
            let told = stderr.lines().filter(|line| line.ends_with(" error") || line.ends_with(" errors"));
            assert_eq!(told.count(), 1, "once:\n{stderr}");
        }
    }
}

#[test]
fn the_shipped_scenario_is_valid_and_says_what_it_holds() {
    let (code, stdout, stderr) = told(&sim(&["validate", "scenarios/blue_green.toml"]).output().unwrap());
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "blue_green.toml: ok (18,000 requests, 2 switches, 30 s)\n", "")
    );
}

#[test]
fn what_cannot_work_is_warned_of_and_the_file_is_valid() {
    let old = "name    = \"green\"";
    let file = broken(old, &format!("{old}\nhealthchecks = {{ threshold = 100 }}"));
    let path = file.path().to_str().unwrap();
    for arguments in [&["validate", path][..], &["run", path, "--dry-run"]] {
        let (code, stdout, stderr) = told(&sim(arguments).output().unwrap());
        assert!(code == 0 && stdout.contains("18,000 requests"), "{stdout}");
        assert!(stderr.starts_with("warning: an Upstream never has enough available\n"), "{stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_read_exits_with_3() {
    for verb in ["run", "validate"] {
        let (code, stdout, stderr) = told(&sim(&[verb, "scenarios/no_such.toml"]).output().unwrap());
        assert_eq!((code, stdout.as_str()), (3, ""));
        assert!(stderr.starts_with("error: cannot read scenarios/no_such.toml: "), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (code, _, stderr) = told(&sim(&["validate", "scenarios"]).output().unwrap());
    assert!(code == 3 && stderr.contains("it is a folder"), "{stderr}");
    let (code, _, stderr) = told(&sim(&["run", "gateway-core/src"]).output().unwrap());
    assert!(code == 3 && stderr.contains("holds no scenario"), "{stderr}");
}

#[test]
fn wrong_usage_exits_with_2_and_suggests() {
    let (code, _, stderr) = told(&sim(&["valdate"]).output().unwrap());
    assert!(code == 2 && stderr.contains("'validate'"), "{stderr}");
    assert_eq!(told(&sim(&["run"]).output().unwrap()).0, 2);
}

#[test]
fn a_mistake_in_a_flag_points_into_the_flag() {
    let arguments = ["run", "scenarios/blue_green.toml", "--set", "load.rat=5", "--set", "load.duration=5"];
    let (code, _, stderr) = told(&sim(&arguments).output().unwrap());
    assert_eq!(code, 3);
    assert!(stderr.contains("--set") && stderr.contains("`rat`"), "{stderr}");
    assert!(stderr.contains("a duration needs a unit"), "all mistakes at once:\n{stderr}");
}

#[test]
fn a_folder_that_cannot_be_written_exits_with_4_before_anything_runs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let out = file.path().to_str().unwrap();
    let (code, stdout, stderr) =
        told(&sim(&["run", "scenarios/blue_green.toml", "--out", out]).output().unwrap());
    assert_eq!((code, stdout.as_str()), (4, ""));
    assert!(stderr.starts_with("error: cannot create the folder "), "{stderr}");
}

#[test]
fn a_port_that_is_taken_exits_with_4_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let out = tempfile::tempdir().unwrap();
    for key in ["proxy_listen", "admin_listen"] {
        let set = format!("gateway.{key}={address}");
        let arguments =
            ["run", "scenarios/blue_green.toml", "--set", &set, "--out", out.path().to_str().unwrap()];
        let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
        assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
        assert!(stderr.contains(&address), "{stderr}");
    }
    assert!(!out.path().join("blue-green/latest").exists(), "a run that never began leaves no report");
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["run", "scenarios/blue_green.toml", "--dry-run", "--out", out.path().to_str().unwrap()];
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
    for said in ["18,000", "PATCH /services/example-service", "httpbin.konghq.com:80", "10 s", "20 s"] {
        assert!(stdout.contains(said), "{said:?} is missing:\n{stdout}");
    }
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_is_all_its_scenarios_and_one_mistake_keeps_all_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("scenarios/blue_green.toml")).unwrap();
    for name in ["b", "a"] {
        let named = text.replace("name = \"blue-green\"", &format!("name = \"{name}\""));
        fs::write(folder.path().join(format!("{name}.toml")), named).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "none").unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = told(&sim(&["run", path, "--dry-run"]).output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
    let at = |name: &str| stdout.find(&format!("{name}  live  seed 42\n"));
    assert!(at("a") == Some(0) && at("\nb").is_some(), "{stdout}");
    fs::write(folder.path().join("c.toml"), "nam = \"c\"").unwrap();
    let out = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) =
        told(&sim(&["run", path, "--out", out.path().to_str().unwrap()]).output().unwrap());
    assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing ran");
}

#[test]
fn a_scenario_may_come_from_standard_input() {
    let text = fs::read(root().join("scenarios/blue_green.toml")).unwrap();
    let mut child = sim(&["validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let (code, stdout, _) = told(&child.wait_with_output().unwrap());
    assert_eq!((code, stdout.as_str()), (0, "-: ok (18,000 requests, 2 switches, 30 s)\n"));
}

#[test]
fn a_new_scenario_is_valid_and_never_takes_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let path = file.to_str().unwrap();
    let (code, stdout, _) = told(&sim(&["init", path]).output().unwrap());
    assert!(code == 0 && stdout.contains("next: sim run "), "{stdout}");
    let (code, stdout, stderr) = told(&sim(&["validate", path]).output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    fs::write(&file, "mine").unwrap();
    let (code, _, stderr) = told(&sim(&["init", path]).output().unwrap());
    assert!(code == 4 && stderr.starts_with("error: cannot write "), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn the_list_tells_what_scenarios_show_and_which_are_broken() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("scenarios/blue_green.toml"), folder.path().join("good.toml")).unwrap();
    fs::write(folder.path().join("broken.toml"), "nam = 1").unwrap();
    let (code, stdout, _) = told(&sim(&["list", folder.path().to_str().unwrap()]).output().unwrap());
    assert_eq!(code, 0);
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[1].starts_with("broken.toml") && lines[1].contains("errors: sim validate"), "{stdout}");
    assert!(lines[2].starts_with("good.toml    live    30 s  Kong's blue-green how-to"), "{stdout}");
}

#[test]
fn schemas_completions_and_manuals_are_printed() {
    for (arguments, start) in [
        (&["schema"][..], "{"),
        (&["schema", "report"], "{"),
        (&["schema", "--defaults"], "# Every default"),
        (&["completions", "bash"], "_sim()"),
        (&["completions", "zsh"], "#compdef sim"),
        (&["man"], ".ie"),
    ] {
        let (code, stdout, stderr) = told(&sim(arguments).output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.starts_with(start), "{arguments:?}: {stdout}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (code, ..) = told(&sim(&["man", "--out", folder.path().to_str().unwrap()]).output().unwrap());
    assert!(code == 0 && folder.path().join("sim-run.1").exists() && folder.path().join("sim.1").exists());
}

#[test]
fn every_shipped_scenario_is_valid_and_says_what_it_shows() {
    let (code, stdout, stderr) = told(&sim(&["list"]).output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
    for line in stdout.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words.len() > 6, "{line}");
        let (code, _, stderr) =
            told(&sim(&["validate", &format!("scenarios/{}", words[0])]).output().unwrap());
        assert_eq!(code, 0, "{stderr}");
    }
    assert!(stdout.lines().count() > 20, "{stdout}");
}

#[test]
fn what_is_read_of_help() {
    // A terminal that is none is 100 columns wide.
    let all = ["run", "compare", "validate", "init", "report", "baseline", "gateway", "target"];
    let more = ["calibrate", "merge", "list", "schema", "completions", "man"];
    let mut said = told(&sim(&["--help"]).output().unwrap()).1;
    for verb in all.into_iter().chain(more) {
        let (code, stdout, stderr) = told(&sim(&[verb, "--help"]).output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""), "{verb}");
        said.extend(["\n=== ", verb, "\n", &stdout]);
    }
    insta::assert_snapshot!("help", said);
}

#[test]
fn help_has_topics() {
    let (code, stdout, _) = told(&sim(&["help", "exit-codes"]).output().unwrap());
    assert!(code == 0 && stdout.contains("  99  a threshold was not met"), "{stdout}");
    let (code, stdout, _) = told(&sim(&["help", "run"]).output().unwrap());
    assert!(code == 0 && stdout.contains("--repeat"), "{stdout}");
    let (code, _, stderr) = told(&sim(&["help", "nothing"]).output().unwrap());
    assert!(code == 2 && stderr.contains("no help on `nothing`"), "{stderr}");
}

#[test]
fn help_names_every_exit_code_and_the_version_is_told() {
    let (code, stdout, _) = told(&sim(&["--help"]).output().unwrap());
    assert_eq!(code, 0);
    for code in ["0 pass", "2 usage", "3 scenario invalid", "4 environment", "97", "99", "130"] {
        assert!(stdout.contains(code), "{stdout}");
    }
    let (_, stdout, _) = told(&sim(&["--version"]).output().unwrap());
    assert!(stdout.starts_with("sim 0.1.0 ("), "{stdout}");
}
