//! Prints the tables of `src/balancer/PROMISES.md`.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/support/deviation.rs"]
mod deviation;

fn main() {
    print!("{}\n{}", deviation::table(), deviation::table_of_versions());
}
