//! What can be typed: verbs, flags, their defaults and their help. What they do is in the file of each verb.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
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
    pub(super) color: Color,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
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
pub(super) struct RunArgs {
    /// The scenario, or a folder of them; `-` reads it from standard input
    pub(super) file: PathBuf,
    /// Run it so often, each time with the next seed; several scenarios take turns
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: u32,
    /// What every draw comes from, instead of the file's `seed`
    // TOML has no larger whole numbers, and a run's resolved scenario holds its seed.
    #[arg(long, value_name = "N", env = "SIM_SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,
    /// Real sockets and real time, or virtual time, instead of the file's `engine`
    #[arg(long, value_name = "ENGINE", env = "SIM_ENGINE")]
    pub(super) engine: Option<Engine>,
    /// Repeat a modelled run until a figure is so sure, such as `latency p(99) 2%` (95 % confidence)
    #[arg(long, value_name = "FIGURE PART")]
    pub(super) precision: Option<Precision>,
    /// Change one key of the scenario, such as `load.rate=5000` or `steps[0].at=5s`; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "reports", env = "SIM_OUT")]
    pub(super) out: PathBuf,
    /// Compare with this baseline, or any run's folder: exit code 98 when a figure became worse, and not by chance
    #[arg(long, value_name = "FILE", env = "SIM_BASELINE")]
    pub(super) baseline: Option<PathBuf>,
    /// Check the scenario and say what would run, without running it
    #[arg(long)]
    pub(super) dry_run: bool,
    /// A measurement that is only DEGRADED fails too, with exit code 97
    #[arg(long, env = "SIM_STRICT")]
    pub(super) strict: bool,
    /// What is printed to stdout at the end
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    pub(super) format: Format,
    /// No progress on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// `sim calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim calibrate && sim run my_rollout.toml --engine model --set model.calibration=calibration.json

Takes about ten seconds. Nothing else should run meanwhile.")]
pub(super) struct CalibrateArgs {
    /// Where the result goes
    #[arg(long, value_name = "FILE", default_value = "calibration.json")]
    pub(super) out: PathBuf,
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
pub(super) struct CompareArgs {
    /// Scenarios, or folders of finished runs
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// An axis beside those of the file, such as `algorithm=round-robin,latency` or `load.rate=600,1200`; may be repeated
    #[arg(long, value_name = "AXIS=VALUES")]
    pub(super) vary: Vec<String>,
    /// Seeds: so many, from the file's own on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) repeat: Option<u32>,
    /// The first seed, instead of the file's
    #[arg(long, value_name = "N", env = "SIM_SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,
    /// Real sockets and real time, or virtual time, instead of the file's `engine`
    #[arg(long, value_name = "ENGINE", env = "SIM_ENGINE")]
    pub(super) engine: Option<Engine>,
    /// Change one key of every scenario; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// Make only part I of N; `sim merge` puts them together
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<crate::compare::Shard>,
    /// Go on with what a stopped comparison has left
    #[arg(long)]
    pub(super) resume: bool,
    /// Modelled runs at once; as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
    #[command(flatten)]
    pub(super) shown: Shown,
    /// No progress on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// `sim merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Parts of a comparison, or folders of them
    #[arg(required = true)]
    pub(super) parts: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) shown: Shown,
}

/// How a comparison is shown, in `sim compare` and `sim merge`.
#[derive(Debug, Args)]
pub(super) struct Shown {
    /// Where the comparison goes, or the part of it that was asked for
    #[arg(long, value_name = "DIR", default_value = "reports", env = "SIM_OUT")]
    pub(super) out: PathBuf,
    /// Exit with 98 when anything is worse than the baseline by the figure that ranks
    #[arg(long)]
    pub(super) fail_if_worse: bool,
    /// Show every condition
    #[arg(long)]
    pub(super) all: bool,
    /// What is printed to stdout at the end
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    pub(super) format: Printed,
}

/// `sim validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Scenario files; `-` is standard input
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

/// `sim report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The folder of a run, such as reports/blue-green/latest
    pub(super) run: PathBuf,
    /// What is printed to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "SIM_FORMAT")]
    pub(super) format: Format,
}

/// `sim gateway`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim gateway --config kong.yaml
  sim gateway --state state.yaml    then POST to the Admin API; the next start goes on with it

SIGHUP reads the files again. SIGTERM and Ctrl-C drain and end; twice ends at once.")]
pub(super) struct GatewayArgs {
    /// A decK file; may be repeated, `-` reads standard input. Without one the gateway begins empty
    #[arg(long, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// Where clients connect; port 0 is a free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8000")]
    pub(super) proxy: SocketAddr,
    /// Where the Admin API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    pub(super) admin: SocketAddr,
    /// Worker threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    pub(super) workers: usize,
    /// Keep the configuration here after each change, and go on with it at the next start
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Exact balancers shared by all workers, or Kong's own ways
    #[arg(long, value_name = "PROFILE", default_value = "default")]
    pub(super) profile: Profile,
}

/// `sim target`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim target --listen 127.0.0.1:9001 --version blue --latency p50=4ms,p99=20ms

Each answer's x-sim-version says who answered. SIGTERM and Ctrl-C drain and end.")]
pub(super) struct TargetArgs {
    /// Where it listens; port 0 is a free one
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: SocketAddr,
    /// What it is called; its address when nothing is said
    #[arg(long)]
    pub(super) name: Option<String>,
    /// What its answers say they are; its name when nothing is said
    #[arg(id = "VERSION", long = "version", value_parser = scenario::version_of)]
    pub(super) mock_version: Option<String>,
    /// How long an answer takes: 5ms, or p50=4ms,p99=20ms
    #[arg(long, value_name = "FORM", default_value = "0ms", value_parser = scenario::latency_of)]
    pub(super) latency: Latency,
    /// What is in it: anything, echo, or bytes=N
    #[arg(long, value_name = "FORM", default_value = "anything", value_parser = scenario::respond_of)]
    pub(super) respond: Respond,
    /// Requests served at once; the others wait
    #[arg(long, value_name = "N", value_parser = scenario::capacity_of)]
    pub(super) capacity: Option<usize>,
    /// How many may wait; further ones are answered 503
    #[arg(long, value_name = "N", requires = "capacity", value_parser = scenario::queue_of)]
    pub(super) queue: Option<usize>,
    /// Answers that are errors: 0.04, or share=0.04,status=503
    #[arg(long, value_name = "FORM", value_parser = scenario::errors_of)]
    pub(super) errors: Option<Errors>,
}

/// `sim baseline`.
#[derive(Debug, Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    pub(super) verb: BaselineVerb,
}

/// What to do with a baseline.
#[derive(Debug, Subcommand)]
pub(super) enum BaselineVerb {
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
pub(super) struct InitArgs {
    /// The file to write, which must not be there yet; `-` prints it
    #[arg(default_value = "rollout.toml")]
    pub(super) file: PathBuf,
}

/// `sim list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The folder
    #[arg(default_value = "scenarios")]
    pub(super) folder: PathBuf,
}

/// `sim schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of what
    #[arg(default_value = "scenario")]
    pub(super) what: Schemas,
    /// Instead, every default of a scenario, with comments
    #[arg(long)]
    pub(super) defaults: bool,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Schemas {
    /// A scenario file
    Scenario,
    /// `report.json`
    Report,
    /// `compare.json`
    Compare,
}

/// `sim completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

/// `sim man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each verb into this folder, instead of printing the first
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// `sim help`.
#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// A verb, or `exit-codes`
    pub(super) topic: Option<String>,
}

/// Worker threads, as many as a scenario may have.
pub(super) fn workers(flag: &str) -> Result<usize, String> {
    let most = usize::from(scenario::WORKERS_MAX);
    let number = flag.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {most}"))
}

/// What runs a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
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
pub(super) enum Profile {
    /// Exact balancers that all workers share; changes at once
    Default,
    /// Kong's: a balancer for each worker, changes within 5 s
    Kong,
}

/// What `sim run` prints at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
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
pub(super) enum Printed {
    /// One screen for people
    Text,
    /// `compare.md`, the same bytes
    Markdown,
    /// `compare.json`, the same bytes
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    Auto,
    Always,
    Never,
}
