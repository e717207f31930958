//! `[gateway]`: entities from decK files, and what a profile stands for.

use std::path::Path;
use std::time::Duration;

use gateway_core::gateway::{Balancing, Options};

use super::*;

const KONG_YAML: &str = "_format_version: \"3.0\"
upstreams:
  - { name: blue, targets: [{ target: \"httpbin.konghq.com:80\" }, { target: \"httpbin.org:80\", weight: 50 }] }
  - { name: green, targets: [{ target: \"any.httpbun.com:80\" }, { target: \"httpbun.com:80\" }] }
services:
  - { name: example-service, host: ${{ env \"DECK_HOST\" }}, routes: [{ name: r, paths: [\"/anything\"] }] }
";

/// The shipped scenario with its entities in `config`, files beside it.
fn by_file(config: &str) -> Input {
    let (load, rest) = BLUE_GREEN.split_once("[[services]]").unwrap();
    let mocks = &rest[rest.find("[[mocks]]").unwrap()..];
    let file = |path: &Path| match path.to_str().unwrap() {
        "folder/kong.yaml" => Ok(KONG_YAML.to_owned()),
        "folder/other.yaml" => Ok(KONG_YAML.replace("httpbun.com", "httpbun.org")),
        "folder/wrong.yaml" => Ok("_format_version: \"3.0\"\nservices: [{ name: a, port: x }]\n".to_owned()),
        "folder/plugins.yaml" => Ok(format!("{KONG_YAML}plugins: [{{ name: cors }}]\n")),
        path => Err(format!("cannot read {path}")),
    };
    let variable = |name: &str| (name == "DECK_HOST").then(|| "blue".to_owned());
    Input {
        path: "folder/scenario.toml".into(),
        text: format!("{load}[gateway]\nconfig = {config}\n{mocks}"),
        surroundings: Surroundings { file, variable },
        ..Input::default()
    }
}

/// Surroundings in which each file holds something else.
fn others() -> Surroundings {
    let file = |path: &Path| (by_file("").surroundings.file)(path).map(|text| format!("{text}# edited\n"));
    Surroundings { file, ..by_file("").surroundings }
}

#[test]
fn entities_may_come_from_deck_files() {
    let (plan, warnings) = check(&by_file("\"kong.yaml\"")).unwrap();
    assert_eq!(warnings, []);
    let mocks: Vec<_> =
        plan.mocks.iter().map(|mock| (mock.name.as_str(), mock.upstream_name.as_str())).collect();
    assert_eq!(mocks[1], ("httpbin.org:80", "blue"));
    assert_eq!((mocks.len(), plan.steps.len(), plan.thresholds.len()), (4, 2, 8));
    assert!(plan.source.resolved.contains("# kong.yaml: sha256 "), "{}", plan.source.resolved);
    let other = read(&by_file("[\"other.yaml\"]")).unwrap();
    assert_eq!(other.mocks[3].name, "httpbun.org:80");
    let same_text = Input { text: by_file("\"kong.yaml\"").text, surroundings: others(), ..by_file("") };
    assert_ne!(read(&same_text).unwrap().source.sha256, plan.source.sha256, "what the file holds counts");
    assert_eq!(check(&by_file("\"plugins.yaml\"")).unwrap().1.len(), 1, "what is left out is warned of");
}

#[test]
fn what_is_wrong_with_deck_files_is_told_at_their_names() {
    let both = Input { text: by_file("\"kong.yaml\"").text + "[[services]]\nname = \"s\"\n", ..by_file("") };
    let nobody = Input { surroundings: Surroundings::default(), ..by_file("\"kong.yaml\"") };
    let mut shown = String::new();
    for input in
        [both, nobody, by_file("[\"kong.yaml\", \"no.yaml\"]"), by_file("\"wrong.yaml\""), by_file("7")]
    {
        shown.push_str(&render(&read(&input).unwrap_err(), &input, false));
    }
    insta::assert_snapshot!("files", shown);
}

#[test]
fn a_profile_is_options_and_what_is_said_beside_it_wins() {
    let options = |gateway: &str| {
        let text = with("[load]", &format!("[gateway]\nworkers = 2\n{gateway}\n[load]"));
        read(&input(&text, &[])).unwrap().gateway.options
    };
    let plain = Options { workers: 2, seed: 42, ..Options::default() };
    assert_eq!(options(""), plain);
    assert_eq!(options("profile = \"kong\""), Options::kong(2, 42));
    let shared = Options { balancing: Balancing::Shared, sync_interval: None, ..Options::kong(2, 42) };
    assert_eq!(options("profile = \"kong\"\nbalancing = \"shared\"\nsync_interval = \"0s\""), shared);
    let late = Options { sync_interval: Some(Duration::from_secs(2)), ..plain };
    assert_eq!(options("sync_interval = \"2s\""), late);
}
