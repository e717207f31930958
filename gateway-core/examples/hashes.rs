//! Prints `balancer/HASHES.md`: how even consistent hashing is, and how many keys a change moves.

#![expect(clippy::print_stdout, reason = "what the program is for")]

#[path = "../tests/support/hashes.rs"]
mod hashes;

fn main() {
    print!("{}", hashes::page());
}
