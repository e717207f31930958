//! The command line: what can be typed is in `args`, and each verb has a file. Prints results to stdout and everything else to
//! stderr, and maps what happened to an exit code. Decides nothing about runs.

mod about;
mod args;
mod baseline;
mod calibrate;
mod compare;
mod exit;
mod faults;
mod gateway;
mod github;
mod input;
mod list;
mod merge;
mod progress;
mod report;
mod run;
mod server;
mod state;
mod target;
mod terminal;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Color, Verb};
use self::exit::Failure;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    terminal::choose_color(match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::AlwaysAnsi,
        Color::Never => anstream::ColorChoice::Never,
    });
    let ended = match cli.verb {
        Verb::Run(args) => run::run(&args),
        Verb::Compare(args) => compare::compare(&args),
        Verb::Merge(args) => merge::merge(&args),
        Verb::Validate(args) => validate::validate(&args),
        Verb::Report(args) => report::report(&args),
        Verb::Gateway(args) => gateway::gateway(&args),
        Verb::Target(args) => target::target(&args),
        Verb::Baseline(args) => baseline::baseline(&args),
        Verb::Calibrate(args) => calibrate::calibrate(&args),
        Verb::Init(args) => list::init(&args),
        Verb::List(args) => list::list(&args),
        Verb::Schema(args) => about::schema(&args),
        Verb::Completions(args) => about::completions(&args),
        Verb::Man(args) => about::man(&args),
        Verb::Help(args) => about::help(&args),
    };
    ended.unwrap_or_else(|failure: Failure| failure.report())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_the_help_fits_a_screen() {
        use clap::CommandFactory;
        let mut command = Cli::command();
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        assert!(help.lines().count() <= 24, "{help}");
        for verb in command.get_subcommands() {
            assert!(verb.get_name() == "help" || help.contains(verb.get_name()), "{}", verb.get_name());
        }
    }
}
