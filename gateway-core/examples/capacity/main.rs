//! Prints how each algorithm that looks at load shares requests out among targets of unequal speed, and what that does to
//! response times: the table of the balancer module's page.

#![expect(clippy::print_stdout, reason = "its output is the table")]

mod simulation;
mod table;

fn main() {
    print!("{}", table::table());
}
