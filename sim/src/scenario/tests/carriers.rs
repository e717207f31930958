//! What is warned of because no request carries it, where that stands, and what is let be.

use super::*;

/// The shipped users and targets of a canary by users, with these keys, header fields of requests, and rollout or steps.
fn file(keys: &str, headers: &str, more: &str) -> String {
    let file = include_str!("../../../../scenarios/sticky_canary.toml");
    let head = &file[..file.find("[rollout]").unwrap()];
    let head = head.replace("header = \"x-user\"", keys);
    head.replace("path = \"/cart\"", &format!("path = \"/cart\"\nheaders = {{ {headers} }}")) + more
}

fn rollout(more: &str) -> String {
    format!("[rollout]\nservice = \"shop\"\nstable = \"v1\"\ncanary = \"v2\"\nat = \"1s\"\n{more}\n")
}

/// Each warning: what is odd, at which text, and why.
fn warned(text: &str) -> Vec<[String; 3]> {
    let (_, warnings) = check(&input(text, &[])).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let told = |warning: Diagnostic| [warning.message, text[warning.place.span].to_owned(), warning.label];
    warnings.into_iter().map(told).collect()
}

const HEADER: &str = "header = \"x-user\"";

#[test]
fn a_header_or_a_cookie_that_nobody_carries_leads_nobody() {
    let of = |headers: &str, more: &str| warned(&file(HEADER, headers, &rollout(more)));
    let ab = "strategy = \"ab\"\nheader = \"x-tester\"";
    let [warning] = &of("", ab)[..] else { panic!() };
    assert_eq!(
        warning.each_ref().map(String::as_str),
        ["no request carries x-tester = yes", "\"x-tester\"", "nobody is led to the new version by it"]
    );
    assert_eq!(of("X-Tester = \"Yes\"", ab).len(), 0);
    let dark = "strategy = \"dark\"\ncookie = \"group\"\nvalues = [\"b\", \"c\"]";
    assert_eq!(of("cookie = \"group=a; c=b\"", dark)[0][0], "no request carries cookie group = b or c");
    assert_eq!(of("cookie = \"a=1; group=c\"", dark).len(), 0, "one of them is enough");
    let preview = "strategy = \"blue-green\"\nheader = \"x-tester\"";
    assert_eq!(of("", preview).len(), 1);
    assert_eq!(of("", &format!("{preview}\npreview = false")).len(), 0, "nobody asks for it");
}

#[test]
fn values_are_looked_for_as_requests_carry_them() {
    let ring = |first: &str, second: &str| {
        let rings =
            format!("{{ values = [{first}], soak = \"1s\" }}, {{ values = [{second}], soak = \"1s\" }}");
        let more = format!("strategy = \"ring\"\nheader = \"x-user\"\nrings = [{rings}]");
        warned(&file(HEADER, "", &rollout(&more)))
    };
    assert_eq!(ring("\"0001\", \"1999\"", "\"0002\"").len(), 0);
    let [warning] = &ring("\"0001\"", "\"2\", \"3\"")[..] else { panic!() };
    assert_eq!(warning[0], "no request carries x-user = 2 or 3");
    assert_eq!(warning[2], "requests carry `${user}`, and users are 0000 to 1999");
    assert_eq!(ring("\"2000\"", "\"0001\"").len(), 1);
}

#[test]
fn keys_that_nobody_has_divide_nobody() {
    let sticky = |key: &str| {
        let steps = "strategy = \"canary\"\nsteps = [{ weight = 5, pause = \"1s\" }]";
        warned(&file(HEADER, "", &rollout(&format!("{steps}\nsticky = \"{key}\""))))
    };
    assert_eq!(sticky("X-User").len(), 0);
    let [warning] = &sticky("x-customer")[..] else { panic!() };
    assert_eq!(warning[0], "no request carries `x-customer`, by which users are divided");
    assert_eq!(warning[1], "\"x-customer\"");
    let step =
        "[[steps]]\nset_split = { service = \"shop\", upstream = \"v2\", percent = 5, cookie = \"group\" }\n";
    let [warning] = &warned(&file(HEADER, "", step))[..] else { panic!() };
    assert_eq!(warning[0], "no user keeps the cookie `group`");
    assert!(
        warning[2].starts_with("line ") && warning[2].ends_with(": each request is somebody new"),
        "{warning:?}"
    );
    assert_eq!(warned(&file("cookies = true", "", step)).len(), 0);
}

#[test]
fn what_is_hashed_or_sticks_must_be_carried() {
    let of = |keys: &str, upstream: &str| {
        let text = file(keys, "", "");
        warned(&text.replacen("name    = \"v1\"", &format!("name    = \"v1\"\n{upstream}"), 1))
    };
    let hash = "algorithm = \"consistent-hashing\"\nhash_on = \"header\"\nhash_on_header = \"x-customer\"";
    let [warning] = &of(HEADER, hash)[..] else { panic!() };
    assert_eq!(warning[0], "no request carries what is hashed");
    assert_eq!(warning[2], "the header field `x-customer` is in none of them");
    assert_eq!(of(HEADER, &hash.replace("x-customer", "x-user")).len(), 0);
    assert_eq!(of(HEADER, &hash.replace("consistent-hashing", "random")).len(), 0, "nothing is hashed");
    let fallback = format!("{hash}\nhash_fallback = \"cookie\"\nhash_on_cookie = \"uid\"");
    assert_eq!(of(HEADER, &fallback).len(), 2);
    assert_eq!(of("cookie = \"uid\"", &fallback).len(), 1);
    let session = "algorithm = \"sticky-sessions\"";
    assert_eq!(of(HEADER, session)[0][0], "no user keeps the cookie that says where to go");
    assert_eq!(of("cookies = true", session).len(), 0);
}

#[test]
fn no_shipped_scenario_is_warned_of_that() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // Some name files that this test does not read.
        let Ok((_, warnings)) = check(&input(&text, &[])) else { continue };
        seen += 1;
        let odd = |warning: &&Diagnostic| {
            warning.message.contains("no request carries") || warning.message.contains("no user keeps")
        };
        assert_eq!(warnings.iter().find(odd), None);
    }
    assert!(seen > 20, "{seen}");
}
