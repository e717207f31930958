//! Files as users have them: the how-to's, older ones, broken ones and hostile ones.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const HOW_TO: &str = r#"
_format_version: "3.0"
upstreams:
  - name: blue
    targets:
      - target: httpbin.konghq.com:80
        weight: 100
      - target: httpbin.org:80
        weight: 50
  - name: green
    targets:
      - target: any.httpbun.com:80
        weight: 100
      - target: httpbun.com:80
        weight: 100
services:
  - name: example-service
    host: ${{ env "DECK_HOST" }}
    routes:
      - name: example-route
        paths: [/anything]
"#;

fn load(text: &str) -> Result<Loaded, DeckError> {
    load_all(&[text])
}

fn load_all(texts: &[&str]) -> Result<Loaded, DeckError> {
    let variable = |name: &str| (name == "DECK_HOST").then(|| "blue".to_owned());
    let texts: Vec<_> = texts.iter().map(|&text| Text { name: "kong.yaml", text }).collect();
    read(&texts, &variable, 1_700_000_000_000)
}

fn mistakes(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => vec![],
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn the_how_to_is_read_and_reading_it_again_changes_nothing() {
    let loaded = load(HOW_TO).unwrap();
    let targets: Vec<_> =
        loaded.config.targets().map(|(_, t)| (t.target.to_string(), t.weight.get())).collect();
    assert_eq!(targets[1], ("httpbin.org:80".to_owned(), 50));
    assert_eq!(targets.len(), 4);
    let (id, service) = loaded.config.find_service("example-service").unwrap();
    assert_eq!(service.host, "blue");
    assert_eq!(loaded.config.find_route("example-route").unwrap().1.service, Some(id));
    let again = load(HOW_TO).unwrap();
    assert_eq!(again.config.find_service("example-service").unwrap().1.uuid, service.uuid);
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let loaded = load(HOW_TO).unwrap();
    let text = write(&loaded.config);
    let again = load(&text).unwrap();
    assert_eq!(write(&again.config), text);
    assert_eq!(format!("{:?}", again.config), format!("{:?}", loaded.config));
    assert!(!text.contains("retries"), "defaults are left out: {text}");
}

#[test]
fn files_are_joined_and_links_may_go_from_one_to_another() {
    let services = "_format_version: \"3.0\"\nservices:\n- name: s\n  host: blue\n";
    let rest = "_format_version: \"3.0\"\nroutes:\n- name: r\n  service: s\n  paths: [/]\n- name: q\n  service: {name: s}\n  hosts: [a.com]\nupstreams:\n- name: blue\ntargets:\n- target: a:80\n  upstream: blue\n";
    let loaded = load_all(&[rest, services]).unwrap();
    assert!(loaded.config.routes().all(|(_, route)| route.service.is_some()));
    assert_eq!(loaded.config.targets().count(), 1);
    let twice = load_all(&[services, services]).unwrap_err().to_string();
    assert!(twice.contains("services[0].name: uniqueness violation"), "{twice}");
}

#[test]
fn defaults_and_tags_of_the_file_hold_for_all_its_entities() {
    let text = r#"
_format_version: "3.0"
_info:
  select_tags: [team-a]
  defaults:
    service: { retries: 1, read_timeout: 1000 }
    upstream: { healthchecks: { passive: { unhealthy: { http_failures: 3 } } } }
    target: { weight: 7 }
services:
- { name: a, host: b, retries: 2, tags: [own] }
upstreams:
- name: b
  healthchecks: { threshold: 20 }
  targets: [{ target: "c:80" }]
"#;
    let config = load(text).unwrap().config;
    let service = config.find_service("a").unwrap().1;
    assert_eq!((service.retries, service.read_timeout.as_millis()), (2, 1000));
    assert_eq!(service.tags, ["own", "team-a"]);
    let upstream = config.find_upstream("b").unwrap().1;
    assert_eq!(upstream.healthchecks.passive.http_failures, 3);
    assert!((upstream.healthchecks.threshold - 20.0).abs() < f64::EPSILON);
    assert_eq!(config.targets().next().unwrap().1.weight.get(), 7);
}

#[test]
fn what_the_gateway_has_none_of_is_left_out_with_a_warning() {
    let text = "_format_version: \"3.0\"\n_comment: hi\nplugins: [{name: cors}]\nconsumers: []\nservices:\n- name: a\n  host: b\n  plugins: [{name: cors}]\n  routes: [{paths: [/], plugins: [{name: cors}]}]\n";
    assert_eq!(load(text).unwrap().warnings, ["`plugins` are left out: this gateway has none"]);
}

#[test]
fn before_3_0_a_path_that_looks_like_a_regex_is_one() {
    let of = |version: &str| {
        let text =
            format!("_format_version: \"{version}\"\nroutes:\n- name: r\n  paths: ['/a/\\d+', /plain]\n");
        load(&text).map(|loaded| loaded.config.find_route("r").unwrap().1.paths.clone())
    };
    assert_eq!(of("1.1").unwrap(), ["~/a/\\d+", "/plain"]);
    assert!(of("3.0").is_err());
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_where_they_stand() {
    let text = r#"
_format_version: "3.0"
nonsense: 1
services:
- name: a b
  port: 70000
  routes:
  - { name: r, paths: [x] }
- { name: ok, host: h }
- { name: ok, host: h }
upstreams:
- name: blue
  targets:
  - { target: "a b" }
  - { wieght: 3, target: "a:80" }
routes:
- { name: q, paths: [/], service: { name: none } }
"#;
    assert_eq!(
        mistakes(text),
        [
            "upstreams[0].targets[0].target: Invalid target; not a valid hostname or ip address",
            "upstreams[0].targets[1].wieght: unknown field",
            "services[0].host: required field missing",
            "services[0].port: value should be between 0 and 65535",
            "services[0].name: invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
            "services[0].routes[0].paths[0]: should start with: / (fixed path) or ~/ (regex path)",
            "services[2].name: uniqueness violation: 'services' entity with name set to 'ok' already declared",
            "nonsense: unknown field",
            "routes[0].service: the foreign key '{name=\"none\"}' does not reference an existing 'services' entity.",
        ]
    );
    assert_eq!(mistakes("services: []"), ["_format_version: required field missing"]);
    assert_eq!(mistakes("_format_version: 3.0"), ["_format_version: expected a string, such as \"3.0\""]);
    assert_eq!(mistakes("_format_version: \"4.0\""), ["_format_version: expected one of: 1.1, 2.1, 3.0"]);
    assert!(mistakes("a: [")[0].starts_with("kong.yaml: "));
    assert_eq!(mistakes("[1]"), ["@entity: expected a record"]);
}

#[test]
fn alias_bombs_deep_nesting_and_giant_files_are_refused() {
    let mut bomb = "_format_version: \"3.0\"\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let previous = format!("*a{}", i - 1);
        let _ = writeln!(bomb, "a{i}: &a{i} [{}]", vec![previous; 10].join(", "));
    }
    assert!(matches!(load(&bomb), Err(DeckError::Yaml(_))));
    assert!(matches!(load(&"[".repeat(5000)), Err(DeckError::Yaml(_))));
    assert!(matches!(load(&" ".repeat(FILE_MAX + 1)), Err(DeckError::TooLong(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic(
        at in 0_usize..600, length in 0_usize..40, put in "[\\[\\]{}:&*!|>\"'#a-z0-9\n -]{0,12}",
    ) {
        let down = |at: usize| (0..=at.min(HOW_TO.len())).rev().find(|&at| HOW_TO.is_char_boundary(at)).unwrap();
        let text = format!("{}{put}{}", &HOW_TO[..down(at)], &HOW_TO[down(at + length)..]);
        if let Ok(loaded) = load(&text) {
            let written = write(&loaded.config);
            prop_assert!(load(&written).is_ok(), "{written}");
        }
    }
}
