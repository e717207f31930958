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
pub(super) struct Times {
    pub(super) running: u64,
    /// Ready and not running.
    pub(super) waiting: u64,
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

/// The CPU time each part has used, and the times of the generator's thread.
pub(super) fn cpu(at: Instant) -> (CpuSample, Option<Times>) {
    let running = |name| times_of(name).map(|times| times.running);
    let generator = times_of("generator");
    let sample = CpuSample {
        at,
        gateway: running("gateway-"),
        generator: generator.map(|times| times.running),
        targets: running("targets"),
    };
    (sample, generator)
}

/// What all CPUs did so far, in ticks of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    /// Taken by a hypervisor.
    stolen: u64,
    /// Used by any process.
    busy: u64,
    all: u64,
}

/// Counters of the whole machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    ticks: Option<Ticks>,
    /// CPU time of this process.
    own: Duration,
    /// Microseconds in which some task waited for a CPU.
    pressure_us: Option<u64>,
    /// Connections that a full backlog turned away.
    overflows: Option<u64>,
    /// TCP segments sent, and of those sent again.
    segments: Option<(u64, u64)>,
}

impl Machine {
    /// Now.
    pub(super) fn read() -> Self {
        let netstat = fs::read_to_string("/proc/net/netstat").ok();
        let snmp = fs::read_to_string("/proc/net/snmp").ok();
        let of = |text: &Option<String>, line, name| counter(text.as_deref()?, line, name);
        let overflows = of(&netstat, "TcpExt:", "ListenOverflows");
        Self {
            overflows: overflows
                .zip(of(&netstat, "TcpExt:", "ListenDrops"))
                .map(|(full, lost)| full.max(lost)),
            segments: of(&snmp, "Tcp:", "OutSegs").zip(of(&snmp, "Tcp:", "RetransSegs")),
            ticks: fs::read_to_string("/proc/stat").ok().as_deref().and_then(ticks),
            own: own_time(),
            pressure_us: fs::read_to_string("/proc/pressure/cpu").ok().as_deref().and_then(pressure),
        }
    }

    /// The share of CPU time that a hypervisor took since `before`.
    pub(super) fn steal_since(&self, before: &Self) -> Option<f64> {
        let (now, before) = (self.ticks?, before.ticks?);
        share(now.stolen.checked_sub(before.stolen)?, now.all.checked_sub(before.all)?)
    }

    /// The share of all cores' time that other processes used since `before`. What the system says of all and of us is not
    /// read at the same moment, so little is uncertain; it never counts us as others.
    pub(super) fn foreign_since(&self, before: &Self) -> Option<f64> {
        let (now, earlier) = (self.ticks?, before.ticks?);
        let (busy, all) = (now.busy.checked_sub(earlier.busy)?, now.all.checked_sub(earlier.all)?);
        let ours = self.own.saturating_sub(before.own).as_secs_f64() * TICKS_PER_SECOND;
        share((busy as f64 - ours).max(0.0) as u64, all)
    }

    /// Connections that a full backlog turned away since `before`, of the whole machine.
    pub(super) fn listen_overflows_since(&self, before: &Self) -> Option<u64> {
        Some(self.overflows?.saturating_sub(before.overflows?))
    }

    /// The share of TCP segments that were sent again since `before`, of the whole machine.
    pub(super) fn retransmitted_since(&self, before: &Self) -> Option<f64> {
        let ((sent, again), (earlier, before)) = (self.segments?, before.segments?);
        share(again.saturating_sub(before), sent.saturating_sub(earlier))
    }

    /// The share of `wall` in which some task waited for a CPU since `before`.
    pub(super) fn pressure_since(&self, before: &Self, wall: Duration) -> Option<f64> {
        let waited = self.pressure_us?.saturating_sub(before.pressure_us?);
        (!wall.is_zero()).then(|| (waited as f64 / 1e6 / wall.as_secs_f64()).min(1.0))
    }
}

/// The kernel's unit in `/proc/stat`, the same on every system that runs Linux today.
const TICKS_PER_SECOND: f64 = 100.0;

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// CPU time that the calling thread has used.
pub(super) fn thread_time() -> Duration {
    time_of(rustix::time::ClockId::ThreadCPUTime)
}

fn own_time() -> Duration {
    time_of(rustix::time::ClockId::ProcessCPUTime)
}

fn time_of(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user time already.
fn ticks(stat: &str) -> Option<Ticks> {
    let fields: Vec<u64> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).flat_map(str::parse).collect();
    let [user, nice, system, idle, wait, irq, soft, stolen] = *fields.first_chunk()?;
    let busy = user + nice + system + irq + soft;
    Some(Ticks { stolen, busy, all: busy + idle + wait + stolen })
}

fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find(|line| line.starts_with("some"))?;
    some.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// A counter of the network: names stand in one line, numbers in the next, both behind the same word.
fn counter(text: &str, line: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|text| text.strip_prefix(line));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_ascii_whitespace().position(|other| other == name)?;
    numbers.split_ascii_whitespace().nth(at)?.parse().ok()
}

/// How fine the clock is that stamps requests.
pub(super) fn clock_resolution() -> Option<Duration> {
    let resolution = rustix::time::clock_getres(rustix::time::ClockId::Monotonic);
    Some(Duration::new(resolution.tv_sec.unsigned_abs(), u32::try_from(resolution.tv_nsec).ok()?))
}

/// A thread that sleeps a millisecond a hundred times a second and sees how much longer it took, as jHiccup does: what a
/// stalled machine does to it, it does to the generator.
pub(super) struct JitterProbe {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Vec<(Instant, u64)>>,
}

/// What the probe has found.
pub(super) struct Jitter {
    /// Median, 99.9th percentile and largest overshoot, microseconds.
    pub(super) quantiles_us: (f64, f64, f64),
    /// Each probe's end, and how far it overshot, nanoseconds.
    pub(super) probes: Vec<(Instant, u64)>,
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

    /// What it has found; `None` before the first probe.
    pub(super) fn end(self) -> Option<Jitter> {
        self.stop.store(true, Ordering::Release);
        let probes = self.handle.join().ok()?;
        let mut overshoot: Vec<_> = probes.iter().map(|(_, overshoot)| *overshoot).collect();
        overshoot.sort_unstable();
        let at = |q: f64| {
            let place = (q * overshoot.len() as f64) as usize;
            overshoot.get(place.min(overshoot.len().checked_sub(1)?)).map(|&ns| ns as f64 / 1000.0)
        };
        Some(Jitter { quantiles_us: (at(0.5)?, at(0.999)?, at(1.0)?), probes })
    }
}

#[expect(clippy::disallowed_methods, reason = "sleeping is what this thread is for")]
fn probe(stop: &AtomicBool, clock: &Clock) -> Vec<(Instant, u64)> {
    let mut overshoot = Vec::new();
    let mut next = 0;
    while !stop.load(Ordering::Acquire) {
        thread::sleep(PROBE_PAUSE);
        let before = clock.now();
        thread::sleep(PROBE_SLEEP);
        // Before the run has begun the clock stands still.
        let now = clock.now();
        let slept = now.since(before);
        if let Some(over) = slept.checked_sub(PROBE_SLEEP) {
            if overshoot.len() < PROBES_MAX {
                overshoot.push((now, nanos(over)));
            } else {
                overshoot[next % PROBES_MAX] = (now, nanos(over));
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
        let seen = ticks("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1");
        assert_eq!(seen, Some(Ticks { stolen: 80, busy: 190, all: 360 }));
        assert_eq!(pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=12345\nfull total=9"), Some(12345));
        let table = "TcpExt: A ListenDrops B\nTcpExt: 1 22 3\nIpExt: C\nIpExt: 4\n";
        assert_eq!(
            [("TcpExt:", "ListenDrops"), ("IpExt:", "C")].map(|(l, n)| counter(table, l, n)),
            [Some(22), Some(4)]
        );
        assert_eq!(counter(table, "TcpExt:", "D"), None);
        assert_eq!((two_numbers(""), ticks(""), pressure("nonsense")), (None, None, None));
    }
}
