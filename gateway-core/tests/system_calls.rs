//! What a proxied request costs in system calls, counted by strace: a bound that a change may not silently go beyond. Runs
//! itself once more as the gateway under strace and plays client and target from outside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/closed_loop.rs"]
mod closed_loop;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use gateway_core::shell::Hooks;

/// System calls of one request, waits that it shares with others not counted, at most.
const PER_REQUEST_MAX: f64 = 6.0;
/// Requests of a short and of a long run; what starting and ending costs is the same in both.
const REQUESTS: [usize; 2] = [200, 1200];
/// What the gateway says before its address.
const LISTENING: &str = "the gateway listens on ";

type Calls = BTreeMap<String, u64>;

#[test]
fn a_proxied_request_makes_no_more_system_calls_than_its_bound() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed, which CI must not accept");
        println!("SKIPPED: strace is not installed");
        return;
    }
    let [short, long] = REQUESTS.map(counted);
    let mut all = 0.0;
    for (name, calls) in
        long.iter().filter(|(name, _)| !(name.starts_with("epoll_") && name.contains("wait")))
    {
        let more = calls.saturating_sub(short.get(name).copied().unwrap_or_default());
        let per_request = more as f64 / (REQUESTS[1] - REQUESTS[0]) as f64;
        all += per_request;
        if more > 0 {
            println!("{name:>16} {per_request:.3}");
        }
    }
    println!("{:>16} {all:.3} per request", "together");
    assert!(all >= 4.0, "two reads and two writes are counted at all: {all:.2}");
    assert!(all <= PER_REQUEST_MAX, "{all:.2} system calls per request: {long:?}");
}

/// The calls of a gateway that serves so many requests.
fn counted(requests: usize) -> Calls {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("system-calls-{requests}.txt"));
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&report)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "gateway", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = strace.stdin.take().unwrap();
    writeln!(stdin, "{}", closed_loop::target()).unwrap();
    let stdout = BufReader::new(strace.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    let address = lines.find_map(|line| Some(line.split_once(LISTENING)?.1.to_owned()));
    closed_loop::ask(address.expect("the gateway starts under strace").parse().unwrap(), requests);
    drop(stdin);
    assert!(lines.any(|line| line.contains("1 passed")), "the gateway ends well");
    assert!(strace.wait().unwrap().success());
    calls(&std::fs::read_to_string(&report).unwrap())
}

/// The table of `strace -c`: share, seconds, microseconds, calls, errors if any, name.
fn calls(report: &str) -> Calls {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = *words.last().filter(|name| **name != "total")?;
        Some((name.to_owned(), words.get(3)?.parse().ok()?))
    };
    report.lines().filter_map(row).collect()
}

/// Not a test: the gateway that the test above runs. Takes its target's address from standard input and serves until that
/// ends.
#[test]
#[ignore = "is run by the test in this file"]
fn gateway() {
    let mut lines = std::io::stdin().lines();
    let Some(Ok(Ok(target))) = lines.next().map(|line| line.map(|line| line.parse::<SocketAddr>())) else {
        return;
    };
    let shell = closed_loop::gateway(target, Hooks::default());
    println!("{LISTENING}{}", shell.proxy_addr());
    assert!(lines.next().is_none(), "nothing more is said");
    shell.stop();
}
