//! The command line: one file for each verb. Parses arguments, prints results to stdout and everything else to stderr, and
//! maps what happened to an exit code. Decides nothing about runs.

mod about;
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

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::exit::Failure;
use crate::mock::{Errors, Latency, Respond};
use crate::replicate::Precision;
use crate::scenario;

/// Debug builds say so, because their figures mean nothing.
const VERSION: &str = if cfg!(debug_assertions) {
    concat!(env!("CARGO_PKG_VERSION"), " (debug)")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " (release)")
};

/// One page; what is not there yet is not promised.
const HELP: &str = "\
{about}

{usage-heading} {usage}

Start here:
  run        Run a scenario and judge it          sim run scenarios/blue_green.toml
  compare    Run a matrix and rank the cells      sim compare scenarios/balancers.toml
  validate   Check scenario files                 sim validate scenarios/*.toml
  init       Write a scenario to start from       sim init my_rollout.toml

Results:
  report     Render a run again from its report.json
  baseline   Save, show or compare a baseline

By hand:
  gateway    The proxy and its Admin API alone    sim gateway --config kong.yaml
  target     One mock target alone                sim target --listen 127.0.0.1:9001
More: calibrate  merge  list  schema  completions  man  help

{options}
Exit codes: 0 pass, 1 unexpected, 2 usage, 3 scenario invalid, 4 environment, 97 not trustworthy,
            98 regression, 99 threshold failed, 130, 143 stopped by a signal: sim help exit-codes
";

/// Rehearse a rollout against a real proxy, and account for every request.
#[derive(Debug, Parser)]
#[command(name = "sim", version = VERSION, help_template = HELP, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "SIM_COLOR",
        hide_possible_values = true,
        hide_env = true
    )]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a scenario and judge it
    Run(RunArgs),
    /// Run a matrix, several scenarios or several times, and rank them
    Compare(CompareArgs),
    /// Put the parts of a comparison together
    Merge(MergeArgs),
    /// Check scenario files: all mistakes at once
    Validate(ValidateArgs),
    /// Render a run again from its report.json
    Report(ReportArgs),
    /// The proxy and its Admin API alone
    Gateway(GatewayArgs),
    /// One mock target alone
    Target(TargetArgs),
    /// Save, show or compare a baseline
    Baseline(BaselineArgs),
    /// Measure what this machine costs, for the model
    Calibrate(CalibrateArgs),
    /// Write a scenario to start from
    Init(InitArgs),
    /// What the scenarios of a folder show
    List(ListArgs),
    /// The JSON Schema of scenario files, reports or comparisons
    Schema(SchemaArgs),
    /// A script that completes commands in a shell
    Completions(CompletionsArgs),
    /// The manual, in troff
    Man(ManArgs),
    /// Help on a verb, or on exit-codes
    Help(HelpArgs),
}

/// `sim run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim run scenarios/blue_green.toml
  sim run scenarios/blue_green.toml --set load.rate=5000 --seed 7
  sim run - --format json < my_rollout.toml | jq .verdict

Of several runs the highest exit code counts. The report's path is the last line on stdout. Ctrl-C drains and still writes a report; twice ends at once.")]
struct RunArgs {
    /// The scenario, or a folder of them; `-` reads it from standard input
    file: PathBuf,
    /// Run it so often, each time with the next seed; several scenarios take turns
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// What every draw comes from, instead of the file's `seed`
    // TOML has no larger whole numbers, and a run's resolved scenario holds its seed.
    #[arg(long, value_name = "N", env = "SIM_SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Real sockets and real time, or virtual time, instead of the file's `engine`
    #[arg(long, value_name = "ENGINE", env = "SIM_ENGINE")]
    engine: Option<Engine>,
    /// Repeat a modelled run until a figure is so sure, such as `latency p(99) 2%` (95 % confidence)
    #[arg(long, value_name = "FIGURE PART")]
    precision: Option<Precision>,
    /// Change one key of the scenario, such as `load.rate=5000` or `steps[0].at=5s`; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports", env = "SIM_OUT")]
    out: PathBuf,
    /// Compare with this baseline, or any run's folder: exit code 98 when a figure became worse, and not by chance
    #[arg(long, value_name = "FILE", env = "SIM_BASELINE")]
    baseline: Option<PathBuf>,
    /// Check the scenario and say what would run, without running it
    #[arg(long)]
    dry_run: bool,
    /// A measurement that is only DEGRADED fails too, with exit code 97
    #[arg(long, env = "SIM_STRICT")]
    strict: bool,
    /// What is printed to stdout at the end
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    format: Format,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// `sim calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim calibrate && sim run my_rollout.toml --engine model --set model.calibration=calibration.json

Takes about ten seconds. Nothing else should run meanwhile.")]
struct CalibrateArgs {
    /// Where the result goes
    #[arg(long, value_name = "FILE", default_value = "calibration.json")]
    out: PathBuf,
}

/// `sim compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim compare scenarios/balancers.toml
  sim compare scenarios/blue_green.toml --engine model --vary algorithm=round-robin,random --repeat 20
  sim compare blue_green.toml canary.toml --repeat 20
  sim compare reports/blue-green/20260314T092653Z-42 reports/blue-green/latest
  sim compare scenarios/balancers.toml --shard 3/8 --out shards    on each of eight machines, then sim merge shards

The first axis is ranked, and its first value is the baseline. What is on both sides of a comparison has the same seeds: the
same arrivals, the same answer times and the same faults. Ctrl-C keeps what has ended; --resume goes on.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct CompareArgs {
    /// Scenarios, or folders of finished runs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// An axis beside those of the file, such as `algorithm=round-robin,latency` or `load.rate=600,1200`; may be repeated
    #[arg(long, value_name = "AXIS=VALUES")]
    vary: Vec<String>,
    /// Seeds: so many, from the file's own on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: Option<u32>,
    /// The first seed, instead of the file's
    #[arg(long, value_name = "N", env = "SIM_SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Real sockets and real time, or virtual time, instead of the file's `engine`
    #[arg(long, value_name = "ENGINE", env = "SIM_ENGINE")]
    engine: Option<Engine>,
    /// Change one key of every scenario; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Where the comparison goes; of a part, the folder of its file
    #[arg(long, value_name = "DIR", default_value = "reports", env = "SIM_OUT")]
    out: PathBuf,
    /// Make only part I of N; `sim merge` puts them together
    #[arg(long, value_name = "I/N")]
    shard: Option<crate::compare::Shard>,
    /// Go on with what a stopped comparison has left
    #[arg(long)]
    resume: bool,
    /// Modelled runs at once; as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Exit with 98 when anything is worse than the baseline by the figure that ranks
    #[arg(long)]
    fail_if_worse: bool,
    /// Show every condition
    #[arg(long)]
    all: bool,
    /// What is printed to stdout at the end
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    format: Printed,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// `sim merge`.
#[derive(Debug, Args)]
struct MergeArgs {
    /// Parts of a comparison, or folders of them
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// Where the comparison goes
    #[arg(long, value_name = "DIR", default_value = "reports", env = "SIM_OUT")]
    out: PathBuf,
    /// Exit with 98 when anything is worse than the baseline by the figure that ranks
    #[arg(long)]
    fail_if_worse: bool,
    /// Show every condition
    #[arg(long)]
    all: bool,
    /// What is printed to stdout at the end
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    format: Printed,
}

/// `sim validate`.
#[derive(Debug, Args)]
struct ValidateArgs {
    /// Scenario files; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// `sim report`.
#[derive(Debug, Args)]
struct ReportArgs {
    /// The folder of a run, such as reports/blue-green/latest
    run: PathBuf,
    /// What is printed to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    format: Format,
}

/// `sim gateway`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim gateway --config kong.yaml
  sim gateway --state state.yaml    then POST to the Admin API; the next start goes on with it

SIGHUP reads the files again. SIGTERM and Ctrl-C drain and end; twice ends at once.")]
struct GatewayArgs {
    /// A decK file; may be repeated, `-` reads standard input. Without one the gateway begins empty
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Where clients connect; port 0 is a free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8000")]
    proxy: SocketAddr,
    /// Where the Admin API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    admin: SocketAddr,
    /// Worker threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    workers: usize,
    /// Keep the configuration here after each change, and go on with it at the next start
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Exact balancers shared by all workers, or Kong's own ways
    #[arg(long, value_name = "PROFILE", default_value = "default")]
    profile: Profile,
}

/// `sim target`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim target --listen 127.0.0.1:9001 --version blue --latency p50=4ms,p99=20ms

Each answer's x-sim-version says who answered. SIGTERM and Ctrl-C drain and end.")]
struct TargetArgs {
    /// Where it listens; port 0 is a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// What it is called; its address when nothing is said
    #[arg(long)]
    name: Option<String>,
    /// What its answers say they are; its name when nothing is said
    #[arg(id = "VERSION", long = "version", value_parser = scenario::version_of)]
    mock_version: Option<String>,
    /// How long an answer takes: 5ms, or p50=4ms,p99=20ms
    #[arg(long, value_name = "FORM", default_value = "0ms", value_parser = scenario::latency_of)]
    latency: Latency,
    /// What is in it: anything, echo, or bytes=N
    #[arg(long, value_name = "FORM", default_value = "anything", value_parser = scenario::respond_of)]
    respond: Respond,
    /// Requests served at once; the others wait
    #[arg(long, value_name = "N", value_parser = scenario::capacity_of)]
    capacity: Option<usize>,
    /// How many may wait; further ones are answered 503
    #[arg(long, value_name = "N", requires = "capacity", value_parser = scenario::queue_of)]
    queue: Option<usize>,
    /// Answers that are errors: 0.04, or share=0.04,status=503
    #[arg(long, value_name = "FORM", value_parser = scenario::errors_of)]
    errors: Option<Errors>,
}

/// `sim baseline`.
#[derive(Debug, Args)]
struct BaselineArgs {
    #[command(subcommand)]
    verb: BaselineVerb,
}

/// What to do with a baseline.
#[derive(Debug, Subcommand)]
enum BaselineVerb {
    /// Keep a run to compare later ones with
    Save {
        /// The folder of a run, such as reports/blue-green/latest
        run: PathBuf,
        /// The file to write
        #[arg(default_value = "baseline.json")]
        file: PathBuf,
    },
    /// Print the run that a baseline is
    Show {
        /// The baseline
        #[arg(default_value = "baseline.json")]
        file: PathBuf,
    },
    /// Compare a run with a baseline: exit code 98 when a figure became worse, and not by chance
    Diff {
        /// The baseline, or any run
        file: PathBuf,
        /// The folder of the run
        run: PathBuf,
    },
}

/// `sim init`.
#[derive(Debug, Args)]
struct InitArgs {
    /// The file to write, which must not be there yet; `-` prints it
    #[arg(default_value = "rollout.toml")]
    file: PathBuf,
}

/// `sim list`.
#[derive(Debug, Args)]
struct ListArgs {
    /// The folder
    #[arg(default_value = "scenarios")]
    folder: PathBuf,
}

/// `sim schema`.
#[derive(Debug, Args)]
struct SchemaArgs {
    /// Of what
    #[arg(default_value = "scenario")]
    what: Schemas,
    /// Instead, every default of a scenario, with comments
    #[arg(long)]
    defaults: bool,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Schemas {
    /// A scenario file
    Scenario,
    /// `report.json`
    Report,
    /// `compare.json`
    Compare,
}

/// `sim completions`.
#[derive(Debug, Args)]
struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// `sim man`.
#[derive(Debug, Args)]
struct ManArgs {
    /// Write a page for each verb into this folder, instead of printing the first
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `sim help`.
#[derive(Debug, Args)]
struct HelpArgs {
    /// A verb, or `exit-codes`
    topic: Option<String>,
}

/// Worker threads, as many as a scenario may have.
fn workers(flag: &str) -> Result<usize, String> {
    let most = usize::from(scenario::WORKERS_MAX);
    let number = flag.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {most}"))
}

/// What runs a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Real sockets, real time
    Live,
    /// The same gateway in virtual time, at any scale
    Model,
}

impl From<Engine> for crate::plan::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Live => Self::Live,
            Engine::Model => Self::Model,
        }
    }
}

/// How a gateway behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Exact balancers that all workers share; changes at once
    Default,
    /// Kong's: a balancer for each worker, changes within 5 s
    Kong,
}

/// What `sim run` prints at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One screen for people
    Text,
    /// `summary.md`, the same bytes
    Markdown,
    /// `report.json`, the same bytes
    Json,
    /// With --dry-run: the calls of the Admin API that the steps stand for
    Deck,
}

/// What `sim compare` and `sim merge` print at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Printed {
    /// One screen for people
    Text,
    /// `compare.md`, the same bytes
    Markdown,
    /// `compare.json`, the same bytes
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    Auto,
    Always,
    Never,
}

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
