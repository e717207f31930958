//! The files of a report in readers that are not ours: HdrHistogram's log reader, an OpenMetrics parser, Jenkins's schema of
//! test results. They are Python packages; without them the test says that it was skipped, and in CI that is a failure.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "CI says where the readers are")]

#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use support::{rendered, root};

#[test]
fn other_programs_read_every_format() {
    // `.ci/run` makes this folder: a virtual environment of Python and `junit-10.xsd`.
    let Ok(readers) = std::env::var("SIM_READERS") else {
        assert!(std::env::var("CI").is_err(), "the readers are missing, and in CI they must not be");
        // Written past the test harness, which would keep a passing test's words to itself.
        let said = "skipped: SIM_READERS is not set; .ci/run says how to make that folder";
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    };
    let readers = Path::new(&readers);
    let folder = rendered();
    let output = Command::new(readers.join("bin/python"))
        .arg(root().join("sim/tests/readers.py"))
        .args([folder.path(), &readers.join("junit-10.xsd")])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
