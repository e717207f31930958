//! Prints the tables of `balancer/COSTS.md` from what the benchmark of picks has left behind:
//! `cargo bench -p gateway-core --bench pick`, then this. Of one thread the fastest sample counts, since whatever else the machine
//! does only makes a pick slower; of two the median, since they are fast when one of them does not run.

#![expect(clippy::print_stdout, reason = "what the program is for")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const TARGETS: [usize; 5] = [2, 10, 100, 1000, 10_000];

fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/criterion"), PathBuf::from);
    let mut groups: Vec<_> = fs::read_dir(&home)?.collect::<Result<_, _>>()?;
    groups.sort_by_key(fs::DirEntry::file_name);
    for threads in ["1 thread", "2 threads"] {
        println!("| {threads}, targets | {} |", TARGETS.map(|targets| targets.to_string()).join(" | "));
        println!("|---|{}", "---|".repeat(TARGETS.len()));
        for group in &groups {
            if let Some(name) = group.file_name().to_string_lossy().strip_prefix("pick_") {
                println!(
                    "| {name} | {} |",
                    TARGETS.map(|targets| cell(&group.path(), targets, threads)).join(" | ")
                );
            }
        }
        println!();
    }
    Ok(())
}

/// Nanoseconds of one pick, if that was measured.
fn cell(group: &Path, targets: usize, threads: &str) -> String {
    let file = group.join(format!("{targets} targets, {threads}")).join("new/sample.json");
    let samples = fs::read(file).ok().and_then(|text| sorted(&text));
    let nanos = |samples: Vec<f64>| samples[if threads == "1 thread" { 0 } else { samples.len() / 2 }];
    samples.map_or_else(String::new, |samples| format!("{:.0}", nanos(samples)))
}

/// Nanoseconds of one pick in each sample, in order; of one sample at least.
fn sorted(sample: &[u8]) -> Option<Vec<f64>> {
    let sample: Value = serde_json::from_slice(sample).ok()?;
    let numbers =
        |name: &str| Some(sample[name].as_array()?.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
    let (times, picks) = (numbers("times")?, numbers("iters")?);
    let mut nanos: Vec<_> = times.into_iter().zip(picks).map(|(time, picks)| time / picks).collect();
    nanos.sort_by(f64::total_cmp);
    (!nanos.is_empty()).then_some(nanos)
}
