//! The recipes of `SHARDS.md` for services that a test cannot start: their manifests are read as YAML, and their commands are run as
//! the service would start them, once for each part.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shards::skip;
use crate::support::{sim, told};
use crate::{bytes, folder, path};

/// Where a Job's container stands in its manifest.
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// The documents of the YAML block of `SHARDS.md` that has `mark` in it, and the block itself.
fn recipe(mark: &str) -> (Vec<Value>, &'static str) {
    let blocks = include_str!("../../SHARDS.md").split("```yaml\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains(mark)).unwrap();
    (block.split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect(), block)
}

/// The texts at `pointer` of a document, which is a text or a list of steps with one.
fn script(document: &Value, pointer: &str) -> String {
    let at = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {document:#}"));
    let lines: Vec<&str> = match at {
        Value::String(line) => vec![line],
        lines => lines
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|line| line.as_str().or(line["run"].as_str()))
            .collect(),
    };
    lines.join("\n")
}

/// Runs `part` under each of these environments and then `whole`, by a shell, with `sim` where the recipe has it, the small
/// scenario instead of the large one, and a folder instead of the volume; what comes out is what one machine makes.
fn assert_is_whole(part: &str, environments: &[Vec<(&str, String)>], whole: &str) {
    let (folder, file) = folder();
    let (home, _) = path(folder.path(), "home");
    fs::create_dir(&home).unwrap();
    let run = |script: &str, environment: &[(&str, String)]| {
        let script = script
            .replace("scenarios/balancers.toml", &file)
            .replace("cargo run --release --", "sim")
            .replace("/shards", home.join("shards").to_str().unwrap())
            .replace("sim ", concat!(env!("CARGO_BIN_EXE_sim"), " "));
        let mut command = Command::new("sh");
        command.args(["-euc", &script]).current_dir(&home).envs(environment.iter().cloned());
        told(&command.output().unwrap())
    };
    for environment in environments {
        let (code, _, stderr) = run(part, environment);
        assert_eq!(code, 0, "{part}: {stderr}");
    }
    let summary = [("GITHUB_STEP_SUMMARY", home.join("summary.md").to_str().unwrap().to_owned())];
    let (code, _, stderr) = run(whole, &summary);
    assert_eq!(code, 98, "random is worse, and the recipe asks whether anything is: {stderr}");
    let (alone, out) = path(folder.path(), "alone");
    assert_eq!(told(&sim(&["compare", &file, "--out", &out]).output().unwrap()).0, 0);
    let merged = ["reports", "shards/reports"].map(|out| home.join(out));
    assert_eq!(bytes(merged.iter().find(|out| out.exists()).unwrap()), bytes(&alone));
}

#[test]
fn an_indexed_job_of_kubernetes_makes_every_part_once() {
    let (documents, _) = recipe("completionMode");
    let [parts, merge, volume] = documents.as_slice() else { panic!("{documents:#?}") };
    let text = |document: &Value, pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    let completions = text(parts, "/spec/completions").as_u64().unwrap();
    assert_eq!((text(parts, "/kind"), text(parts, "/spec/completionMode")), ("Job".into(), "Indexed".into()));
    for job in [parts, merge] {
        assert_eq!(text(job, &format!("{CONTAINER}/command")), serde_json::json!(["sh", "-c"]));
        // Both have the volume that the third document claims, where the command looks for it.
        let claim = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";
        assert_eq!(text(job, claim), text(volume, "/metadata/name"));
        assert_eq!(text(job, &format!("{CONTAINER}/volumeMounts/0/mountPath")), "/shards");
    }
    let environments = (0..completions).map(|index| vec![("JOB_COMPLETION_INDEX", index.to_string())]);
    let arguments = |job: &Value| script(job, &format!("{CONTAINER}/args"));
    assert_is_whole(&arguments(parts), &environments.collect::<Vec<_>>(), &arguments(merge));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "CI says where the readers are")]
fn the_manifests_are_as_the_schemas_of_kubernetes_say() {
    // `.ci/run` makes this folder.
    let Ok(readers) = std::env::var("SIM_READERS") else {
        return skip("SIM_READERS is not set; .ci/run says how to make that folder");
    };
    let (documents, manifest) = recipe("completionMode");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compare.yaml");
    fs::write(&file, manifest).unwrap();
    let validate = Path::new(&readers).join("bin/kubernetes-validate");
    let output = Command::new(validate).args(["--strict", file.to_str().unwrap()]).output().unwrap();
    let (code, stdout, stderr) = told(&output);
    assert_eq!((code, stdout.matches(" passed ").count()), (0, documents.len()), "{stdout}{stderr}");
}

#[test]
fn a_matrix_of_github_makes_every_part_once() {
    let (documents, _) = recipe("runs-on");
    let jobs = &documents[0]["jobs"];
    let numbers = jobs["part"]["strategy"]["matrix"]["part"].as_array().unwrap();
    let environments: Vec<_> = numbers.iter().map(|number| vec![("PART", number.to_string())]).collect();
    // A shell knows the expression under another name.
    let part = script(jobs, "/part/steps").replace("${{ matrix.part }}", "$PART");
    assert!(part.contains(&format!("$PART/{}", numbers.len())), "{part}");
    assert_is_whole(&part, &environments, &script(jobs, "/whole/steps"));
}

#[test]
fn parallel_jobs_of_gitlab_make_every_part_once() {
    let (documents, _) = recipe("CI_NODE_INDEX");
    let jobs = &documents[0];
    let total = jobs["part"]["parallel"].as_u64().unwrap();
    let node = |index: u64| vec![("CI_NODE_INDEX", index.to_string()), ("CI_NODE_TOTAL", total.to_string())];
    let environments: Vec<_> = (1..=total).map(node).collect();
    assert_is_whole(&script(jobs, "/part/script"), &environments, &script(jobs, "/whole/script"));
    let stages: Vec<_> = jobs["stages"].as_array().unwrap().iter().collect();
    assert_eq!(stages, [&jobs["part"]["stage"], &jobs["whole"]["stage"]], "parts come first");
}
