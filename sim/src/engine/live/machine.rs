//! What the machine does to the measurement: CPU time of each part by its threads' names, time spent ready but not running,
//! time a hypervisor took, pressure, and the overshoot of short sleeps. Read from `/proc`; what the system does not tell is
//! `None`, never a guess.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::{Instant, nanos};

use crate::measure::CpuSample;

/// The probe sleeps so long, and so long between.
const PROBE_SLEEP: Duration = Duration::from_millis(1);
const PROBE_PAUSE: Duration = Duration::from_millis(9);
/// Sleeps of the probe that are kept: some twenty minutes; later ones take the place of the oldest.
const PROBES_MAX: usize = 120_000;

/// Scheduler times of the threads of one part, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    running: u64,
    waiting: u64,
}

/// The threads whose name starts so; `None` when there is none or the system does not tell.
fn times_of(name: &str) -> Option<Times> {
    let mut sum = None;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let is_one =
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end().starts_with(name));
        let times = is_one.then(|| fs::read_to_string(task.path().join("schedstat")).ok()).flatten();
        if let Some((running, waiting)) = times.as_deref().and_then(two_numbers) {
            let sum = sum.get_or_insert_with(Times::default);
            sum.running += running;
            sum.waiting += waiting;
        }
    }
    sum
}

fn two_numbers(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The CPU time each part has used.
pub(super) fn cpu(at: Instant) -> CpuSample {
    let running = |name| times_of(name).map(|times| times.running);
    CpuSample {
        at,
        gateway: running("gateway-"),
        generator: running("generator"),
        targets: running("targets"),
    }
}

/// How long the generator's thread was ready but not running.
pub(super) fn generator_waiting() -> Option<Duration> {
    times_of("generator").map(|times| Duration::from_nanos(times.waiting))
}

/// Counters of the whole machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Ticks taken by a hypervisor, and all ticks.
    ticks: Option<(u64, u64)>,
    /// Microseconds in which some task waited for a CPU.
    pressure_us: Option<u64>,
}

impl Machine {
    /// Now.
    pub(super) fn read() -> Self {
        Self {
            ticks: fs::read_to_string("/proc/stat").ok().as_deref().and_then(steal),
            pressure_us: fs::read_to_string("/proc/pressure/cpu").ok().as_deref().and_then(pressure),
        }
    }

    /// The share of CPU time that was taken since `before`.
    pub(super) fn steal_since(&self, before: &Self) -> Option<f64> {
        let ((taken, all), (taken_before, all_before)) = (self.ticks?, before.ticks?);
        let all = all.checked_sub(all_before).filter(|&ticks| ticks > 0)?;
        Some(taken.saturating_sub(taken_before) as f64 / all as f64)
    }

    /// The share of `wall` in which some task waited for a CPU since `before`.
    pub(super) fn pressure_since(&self, before: &Self, wall: Duration) -> Option<f64> {
        let waited = self.pressure_us?.saturating_sub(before.pressure_us?);
        (!wall.is_zero()).then(|| (waited as f64 / 1e6 / wall.as_secs_f64()).min(1.0))
    }
}

/// Field 8 of the first line, and the sum of the first eight: guest time is part of user time already.
fn steal(stat: &str) -> Option<(u64, u64)> {
    let ticks: Vec<u64> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).flat_map(str::parse).collect();
    Some((*ticks.get(7)?, ticks.iter().take(8).sum()))
}

fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find(|line| line.starts_with("some"))?;
    some.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// A thread that sleeps a millisecond a hundred times a second and sees how much longer it took, as jHiccup does: what a
/// stalled machine does to it, it does to the generator.
pub(super) struct JitterProbe {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Vec<u64>>,
}

impl JitterProbe {
    /// Starts probing; `None` when the system gives no thread.
    pub(super) fn start(clock: &Clock) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, clock) = (Arc::clone(&stop), clock.clone());
        let handle =
            thread::Builder::new().name("probe".to_owned()).spawn(move || probe(&stopped, &clock)).ok()?;
        Some(Self { stop, handle })
    }

    /// Median, 99.9th percentile and largest overshoot, microseconds; `None` before the first probe.
    pub(super) fn end(self) -> Option<(f64, f64, f64)> {
        self.stop.store(true, Ordering::Release);
        let mut overshoot = self.handle.join().ok()?;
        overshoot.sort_unstable();
        let at = |q: f64| {
            let place = (q * overshoot.len() as f64) as usize;
            overshoot.get(place.min(overshoot.len().checked_sub(1)?)).map(|&ns| ns as f64 / 1000.0)
        };
        Some((at(0.5)?, at(0.999)?, at(1.0)?))
    }
}

#[expect(clippy::disallowed_methods, reason = "sleeping is what this thread is for")]
fn probe(stop: &AtomicBool, clock: &Clock) -> Vec<u64> {
    let mut overshoot = Vec::new();
    let mut next = 0;
    while !stop.load(Ordering::Acquire) {
        thread::sleep(PROBE_PAUSE);
        let before = clock.now();
        thread::sleep(PROBE_SLEEP);
        // Before the run has begun the clock stands still.
        let slept = clock.now().since(before);
        if let Some(over) = slept.checked_sub(PROBE_SLEEP) {
            if overshoot.len() < PROBES_MAX {
                overshoot.push(nanos(over));
            } else {
                overshoot[next % PROBES_MAX] = nanos(over);
            }
            next += 1;
        }
    }
    overshoot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read_as_written() {
        assert_eq!(two_numbers("123 456 7\n"), Some((123, 456)));
        assert_eq!(steal("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1"), Some((80, 360)));
        assert_eq!(pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=12345\nfull total=9"), Some(12345));
        assert_eq!((two_numbers(""), steal(""), pressure("nonsense")), (None, None, None));
    }
}
