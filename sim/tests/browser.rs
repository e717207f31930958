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

use support::rendered;

/// Asks the page how wide it is; the answer comes back as its title.
const PROBE: &str = "<script>addEventListener('load', () => { \
    document.title = `wide ${document.documentElement.scrollWidth} of ${innerWidth}, plots ${document.querySelectorAll('svg[role=img]').length}`; \
    });</script>";

/// The page as the browser has it, and what it complained of.
fn browse(page: &Path, width: u32) -> Option<(String, String)> {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", page.display()))
        .output()
        .ok()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some((text(output.stdout), text(output.stderr)))
}

#[test]
fn the_report_fits_a_desk_and_a_phone_and_nothing_complains() {
    let folder = rendered();
    let page = folder.path().join("report.html");
    fs::write(&page, fs::read_to_string(&page).unwrap() + PROBE).unwrap();
    for width in [1280, 500] {
        let Some((dom, complaints)) = browse(&page, width) else {
            assert!(std::env::var("CI").is_err(), "Chromium is missing, and in CI it must not be");
            // Written past the test harness, which would keep a passing test's words to itself.
            let said = "skipped: the report in a browser needs Chromium (Debian: apt-get install chromium)";
            writeln!(std::io::stderr(), "{said}").unwrap();
            return;
        };
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        let words: Vec<_> = title.split([' ', ',']).collect();
        let (wide, window): (u32, u32) = (words[1].parse().unwrap(), words[3].parse().unwrap());
        assert!(wide <= window, "{wide} pixels in a window of {window}");
        assert!(title.ends_with("plots 10"), "{title}");
        let console: Vec<_> = complaints.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "{console:#?}");
    }
}
