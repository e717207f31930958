//! What the machine does to a run: read twice a second, kept as the worst of each bin, so that an objection can say when.

use std::time::Duration;

use gateway_core::time::{Instant, nanos};

use super::machine::{self, JitterProbe, Machine, Times};
use crate::measure::{Conditions, CpuSample, Grid, Strain};

/// The readings of a run so far.
pub(super) struct Watch {
    grid: Grid,
    strains: Vec<Strain>,
    first: Machine,
    /// The last reading, and of the generator's thread as long as it lives.
    last: (Instant, Machine),
    generator: Option<(Instant, Times)>,
    busy_max: Option<f64>,
}

impl Watch {
    /// Begins before anything is started; bins are cut by `grid`.
    pub(super) fn start(grid: Grid) -> Self {
        let first = Machine::read();
        let strains = vec![Strain::default(); grid.bins()];
        Self { grid, strains, first, last: (Instant::ZERO, first), generator: None, busy_max: None }
    }

    /// One reading.
    pub(super) fn read(&mut self, now: Instant) -> CpuSample {
        let (sample, generator) = machine::cpu(now);
        let (before, earlier) = std::mem::replace(&mut self.last, (now, Machine::read()));
        let machine = &self.last.1;
        let (steal, foreign) = (machine.steal_since(&earlier), machine.foreign_since(&earlier));
        let mut waited = None;
        if let (Some(times), Some((at, old))) = (generator, self.generator) {
            let share = |new: u64, old: u64| {
                (new.saturating_sub(old) as f64 / now.since(at).as_nanos().max(1) as f64).min(1.0)
            };
            let busy = share(times.running, old.running);
            waited = Some((busy, share(times.waiting, old.waiting)));
            self.busy_max = Some(self.busy_max.unwrap_or(0.0).max(busy));
        }
        self.generator = generator.map(|times| (now, times)).or(self.generator);
        // A reading tells of the time before it, which may have begun in another bin.
        for bin in self.grid.bin(before)..=self.grid.bin(now) {
            let strain = &mut self.strains[bin];
            raise(&mut strain.steal, steal);
            raise(&mut strain.foreign_cpu, foreign);
            raise(&mut strain.generator_busy, waited.map(|(busy, _)| busy));
            raise(&mut strain.generator_wait, waited.map(|(_, wait)| wait));
        }
        sample
    }

    /// What was found until the last reading, at `now`.
    pub(super) fn conditions(mut self, now: Instant, probe: Option<JitterProbe>) -> Conditions {
        let jitter = probe.and_then(JitterProbe::end);
        for (at, overshoot) in jitter.iter().flat_map(|jitter| &jitter.probes) {
            let overshoot = Duration::from_nanos(*overshoot).as_secs_f64() * 1e6;
            raise(&mut self.strains[self.grid.bin(*at)].jitter_us, Some(overshoot));
        }
        let (wall, machine) = (now.since(Instant::ZERO), self.last.1);
        let waiting = self.generator.map(|(_, times)| times.waiting as f64);
        Conditions {
            run_queue_wait: waiting.map(|waiting| waiting / nanos(wall).max(1) as f64),
            steal: machine.steal_since(&self.first),
            foreign_cpu: machine.foreign_since(&self.first),
            cpu_pressure: machine.pressure_since(&self.first, wall),
            generator_busy_max: self.busy_max,
            jitter_us: jitter.map(|jitter| jitter.quantiles_us),
            strains: self.strains,
            clock_resolution: machine::clock_resolution(),
            listen_overflows: machine.listen_overflows_since(&self.first),
            retransmitted: machine.retransmitted_since(&self.first),
            ..Conditions::default()
        }
    }
}

/// Keeps the worse of both.
fn raise(worst: &mut Option<f64>, value: Option<f64>) {
    if let Some(value) = value {
        *worst = Some(worst.unwrap_or(value).max(value));
    }
}
