//! How far a run is, on stderr: one block redrawn four times a second on a terminal, one line for each phase elsewhere.

#![expect(clippy::disallowed_methods, reason = "how often a screen is redrawn is wall time")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use super::faults::Faults;
use super::terminal;
use crate::load::Load;
use crate::measure;
use crate::plan::{Engine, Plan};
use crate::rollout::{Action, Step};
use crate::scenario;
use crate::summary::Summary;
use crate::words;

/// Between two redraws.
const REDRAW: Duration = Duration::from_millis(250);
/// Columns of the bar on a wide terminal.
const BAR: usize = 61;
/// Narrower terminals get no bar.
const WIDTH_OF_BAR: usize = 92;

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const BLUE: Style = AnsiColor::Blue.on_default();
const GREEN: Style = AnsiColor::Green.on_default();

/// The progress of one run.
pub(super) struct Progress {
    quiet: bool,
    redraw: bool,
    head: String,
    engine: Engine,
    load: Load,
    faults: Faults,
    /// When each switch is planned.
    switches: Vec<Duration>,
    /// Set by the first tick: the run has begun.
    began: Option<Instant>,
    drawn: Option<Instant>,
    /// Phases that have been told.
    told: usize,
    /// Lines of the block on the screen.
    lines: usize,
}

impl Progress {
    /// The progress of `plan`; with `quiet` it says nothing.
    pub(super) fn new(plan: &Plan, quiet: bool) -> Self {
        let is_switch = |step: &&Step| matches!(step.action, Action::SetHost { .. });
        Self {
            quiet,
            redraw: terminal::can_redraw(),
            head: format!(
                "{}  {}  seed {}\n{}",
                words::plain(&plan.name),
                plan.engine.as_str(),
                plan.seed,
                scenario::reachable(plan)
            ),
            engine: plan.engine,
            load: plan.load.clone(),
            faults: Faults::new(plan),
            switches: plan.steps.iter().filter(is_switch).filter_map(Step::at).collect(),
            began: None,
            drawn: None,
            told: 0,
            lines: 0,
        }
    }

    /// Something was seen; `now` says how far the run is.
    pub(super) fn tick(&mut self, now: &dyn Fn() -> measure::Progress) {
        if self.quiet {
            return;
        }
        let at = Instant::now();
        let began = *self.began.get_or_insert_with(|| {
            terminal::tell(&self.head);
            at
        });
        if self.drawn.is_some_and(|drawn| at - drawn < REDRAW) {
            return;
        }
        self.drawn = Some(at);
        let progress = now();
        if self.redraw {
            let elapsed = match self.engine {
                Engine::Live => at - began,
                Engine::Model => progress.at.since(gateway_core::time::Instant::ZERO),
            };
            self.draw(&progress, elapsed, at - began);
        } else {
            self.tell(&progress);
        }
    }

    /// Takes the block off the screen, or tells what was not told yet and when the last request had ended. Without a summary
    /// the run has failed, and somebody else says why.
    pub(super) fn end(&mut self, summary: Option<&Summary>) {
        if self.redraw {
            self.erase();
        } else if let Some(summary) = summary.filter(|_| !self.quiet) {
            let mut text = String::new();
            for phase in summary.phases.iter().skip(self.told) {
                let _ = writeln!(text, "{:>7} s  {}", words::seconds(phase.from_ms, 3), phase.name);
            }
            let stopped = summary.verdict.aborted_at_ms.map(|at| (at, "stopped and drained"));
            let drained = summary.phases.last().map(|last| (last.to_ms, "drained"));
            if let Some((at, what)) = stopped.or(drained) {
                let _ = writeln!(text, "{:>7} s  {what}", words::seconds(at, 3));
            }
            terminal::tell(&text);
        }
    }

    /// One line for each phase that is new, and for each fault that has begun or is over.
    fn tell(&mut self, progress: &measure::Progress) {
        let mut lines: Vec<_> = progress.milestones.iter().skip(self.told).map(phase_line).collect();
        lines.extend(self.faults.news(progress.at));
        lines.sort_by_key(|(at, _)| *at);
        self.told = self.told.max(progress.milestones.len());
        let line = |(at, text): &(gateway_core::time::Instant, String)| {
            format!("{:>7} s  {text}\n", words::seconds(at.as_millis_f64(), 3))
        };
        let text: String = lines.iter().map(line).collect();
        if !text.is_empty() {
            terminal::tell(&text);
        }
    }

    fn draw(&mut self, progress: &measure::Progress, elapsed: Duration, wall: Duration) {
        let mut block = self.block(progress, elapsed, terminal::width());
        block.push_str(&self.left(progress, elapsed, wall));
        self.erase();
        self.lines = block.matches('\n').count();
        terminal::tell(&block);
    }

    /// For how long a modelled run will still compute: `  run 3 of 20, about 12 s left`.
    fn left(&self, progress: &measure::Progress, elapsed: Duration, wall: Duration) -> String {
        if self.engine == Engine::Live {
            return String::new();
        }
        let (done, total) = progress.runs.unwrap_or((0, 1));
        let part = elapsed.as_secs_f64() / self.load.duration().as_secs_f64().max(1e-9);
        let part = (f64::from(done) + part.min(1.0)) / f64::from(total.max(1));
        let left = wall.as_secs_f64() * (1.0 - part).max(0.0) / part.max(1e-6);
        format!("  {done} of {total} runs done, about {} s left\n", words::short(left, 0))
    }

    fn erase(&mut self) {
        if self.lines > 0 {
            // Up to the block's first line, and clear from there to the end of the screen.
            terminal::tell(&format!("\x1b[{}A\x1b[J", self.lines));
            self.lines = 0;
        }
    }

    fn block(&self, progress: &measure::Progress, elapsed: Duration, width: usize) -> String {
        let mut block = String::from("\n  ");
        if width >= WIDTH_OF_BAR {
            block.push_str(&self.bar(elapsed));
            block.push_str("  ");
        }
        let _ = writeln!(
            block,
            "{:.1} s of {} s   {}",
            elapsed.as_secs_f64(),
            words::short(self.load.duration().as_secs_f64(), 1),
            progress.phase
        );
        let loud = if progress.dropped > 0 { RED } else { Style::new() };
        let cause = progress.largest_cause.map_or_else(String::new, |cause| format!(" ({})", cause.as_str()));
        let rate = self.load.rate_at(elapsed);
        let rate =
            rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{} /s", words::short(rate, 1)));
        let _ = write!(
            block,
            "  {}   {} answered   {loud}{} dropped{cause}{loud:#}   {} in flight",
            rate,
            words::count(progress.answered),
            words::count(progress.dropped),
            words::count(progress.in_flight)
        );
        if width >= WIDTH_OF_BAR {
            let p99 = progress.p99_us.map_or_else(|| words::NOTHING.to_owned(), words::time_in_ms);
            let lag = progress.lag_p99_us.map_or_else(|| words::NOTHING.to_owned(), words::time_in_ms);
            let _ = write!(block, "   p99 {p99}   {DIM}lag p99{DIM:#} {lag}");
        }
        block.push('\n');
        let on = self.faults.on(progress.at);
        if !on.is_empty() {
            let _ = writeln!(block, "  {RED}fault{RED:#}  {}", on.join(", "));
        }
        block
    }

    /// `█` the first version serves, `▒` the second, `─` is still to come.
    fn bar(&self, elapsed: Duration) -> String {
        let share = |time: Duration| time.as_secs_f64() / self.load.duration().as_secs_f64();
        let done = ((share(elapsed) * BAR as f64) as usize).min(BAR);
        let mut bar = String::new();
        for cell in 0..done {
            let at = (cell as f64 + 0.5) / BAR as f64;
            let switched = self.switches.iter().filter(|&&switch| share(switch) <= at).count();
            let _ = if switched.is_multiple_of(2) {
                write!(bar, "{BLUE}█{BLUE:#}")
            } else {
                write!(bar, "{GREEN}▒{GREEN:#}")
            };
        }
        let _ = write!(bar, "{DIM}{}{DIM:#}", "─".repeat(BAR - done));
        bar
    }
}

/// When a phase began, and what is told of it.
fn phase_line(milestone: &measure::Milestone) -> (gateway_core::time::Instant, String) {
    let detail = if milestone.detail.is_empty() { String::new() } else { format!("   {}", milestone.detail) };
    (milestone.at, format!("{}{}", milestone.phase, words::plain(&detail)))
}
