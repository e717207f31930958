//! The report in a real browser: nothing sticks out on a desk or on a phone, and nothing complains. Needs Chromium; without
//! it the test says that it was skipped, and in CI that is a failure.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "whether this is CI decides whether a browser may be missing")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use support::{rendered, sim, told};

/// Asks the page how wide it is, what it has fetched, and what a hover reads out; tells whoever has the page in a frame.
const PROBE: &str = "<script>addEventListener('load', () => { \
    const plot = document.querySelector('#timeline .plot').getBoundingClientRect(); \
    document.querySelector('#timeline .timeline').dispatchEvent(new PointerEvent('pointermove', \
      { clientX: plot.left + plot.width / 2, clientY: plot.top })); \
    parent.postMessage(JSON.stringify({ dark: matchMedia('(prefers-color-scheme: dark)').matches, wide: document.documentElement.scrollWidth, window: innerWidth, \
      plots: document.querySelectorAll('svg[role=img]').length, \
      fetched: performance.getEntriesByType('resource').length, \
      hover: [...document.querySelectorAll('#timeline output')].map(o => o.textContent).join('; ') }), '*'); \
    });</script>";

/// Asks axe what it objects to.
const AXE: &str = "<script>addEventListener('load', () => axe.run().then(found => { \
    parent.postMessage(JSON.stringify(found.violations.map( \
      v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 150)])), '*'); \
    }));</script>";

/// The page in a frame, since a window cannot be narrower than 500 pixels; what the page tells becomes the title.
const FRAME: &str = "<!doctype html><title>it told nothing</title>\
    <style>:root { color-scheme: light dark } body { margin: 0 } iframe { border: 0 }</style>\
    <script>addEventListener('message', told => document.title = told.data)</script>\
    <iframe title='report' src='PAGE' height='900' width='WIDTH'></iframe>";

/// Says that a test was skipped, past the test harness, which would keep a passing test's words to itself.
fn skip(why: &str) {
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// What a browser made of a page.
struct Seen {
    /// What a script left as the page's title.
    title: String,
    /// What was logged, line by line.
    log: Vec<String>,
}

/// Opens a page so wide in Chromium; `None` where there is no Chromium, which in CI is a failure.
fn browse(page: &Path, width: u32, is_dark: bool) -> Option<Seen> {
    let profile = tempfile::tempdir().unwrap();
    let frame = page.with_file_name("frame.html");
    let name = page.file_name().unwrap().to_str().unwrap();
    fs::write(&frame, FRAME.replace("WIDTH", &width.to_string()).replace("PAGE", name)).unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .args(["--dump-dom", "--virtual-time-budget=60000", "--window-size=1700,900"])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark)))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", frame.display()))
        .output();
    let Ok(output) = output else {
        assert!(std::env::var("CI").is_err(), "Chromium is missing, and in CI it must not be");
        skip("the report in a browser needs Chromium (Debian: apt-get install chromium)");
        return None;
    };
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
    let title = title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let log = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    Some(Seen { title, log })
}

#[test]
fn the_report_fits_a_desk_and_a_phone_and_nothing_complains() {
    let folder = rendered();
    let page = folder.path().join("report.html");
    fs::write(&page, fs::read_to_string(&page).unwrap() + PROBE).unwrap();
    for (width, is_dark) in [(1600, false), (1280, true), (390, false), (360, true)] {
        let Some(seen) = browse(&page, width, is_dark) else { return };
        let told: serde_json::Value = serde_json::from_str(&seen.title).unwrap();
        assert_eq!((&told["window"], &told["dark"]), (&width.into(), &is_dark.into()), "{told}");
        assert!(told["wide"].as_u64() <= told["window"].as_u64(), "{told}");
        assert!(told["plots"].as_u64() >= Some(10), "{told}");
        assert_eq!(told["fetched"], 0, "{told}");
        let hover = told["hover"].as_str().unwrap();
        assert!(hover.contains(" s: ") && hover.contains("p99 "), "{told}");
        let console: Vec<_> = seen.log.iter().filter(|line| line.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "{console:#?}");
    }
}

#[test]
fn axe_finds_nothing_in_light_and_dark_on_a_desk_and_on_a_phone() {
    // `.ci/run` makes this folder.
    let Ok(readers) = std::env::var("SIM_READERS") else {
        assert!(std::env::var("CI").is_err(), "axe is missing, and in CI it must not be");
        skip("SIM_READERS is not set; .ci/run says how to make that folder");
        return;
    };
    let axe = fs::read_to_string(Path::new(&readers).join("axe.min.js")).unwrap();
    let (folder, out) = (rendered(), tempfile::tempdir().unwrap());
    let made = |arguments: &[&str], page: &str| {
        let arguments =
            [arguments, &["-q", "--engine", "model", "--out", out.path().to_str().unwrap()]].concat();
        let (code, _, stderr) = told(&sim(&arguments).output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        out.path().join(page)
    };
    let few = ["--repeat", "2", "--set", "load.duration=25s"];
    for page in [
        folder.path().join("report.html"),
        made(&["run", "scenarios/canary_bad.toml"], "canary-bad/latest/report.html"),
        made(
            &[&["compare", "scenarios/strategies.toml"], &few[..]].concat(),
            "strategies/latest-compare/compare.html",
        ),
    ] {
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, format!("{text}<script>{axe}</script>{AXE}")).unwrap();
        for (width, is_dark) in [(1280, true), (1280, false), (390, true), (390, false)] {
            let Some(seen) = browse(&page, width, is_dark) else { return };
            assert_eq!(seen.title, "[]", "{} at {width} pixels, dark: {is_dark}", page.display());
        }
    }
}

#[test]
fn the_report_prints_on_whole_pages() {
    let folder = rendered();
    let paper = folder.path().join("report.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    let page = folder.path().join("report.html");
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", &print]);
    let profile = tempfile::tempdir().unwrap();
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    if command.arg(format!("file://{}", page.display())).output().is_err() {
        assert!(std::env::var("CI").is_err(), "Chromium is missing, and in CI it must not be");
        skip("printing needs Chromium (Debian: apt-get install chromium)");
        return;
    }
    let bytes = fs::read(&paper).unwrap();
    let pages = String::from_utf8_lossy(&bytes).matches("/Type /Page\n").count();
    assert!(bytes.starts_with(b"%PDF") && (3..30).contains(&pages), "{pages} pages");
}
