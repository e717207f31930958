//! A number learned from a target's answers, with the time it was last learned, both in one atomic word: workers read it
//! without a lock and never see one half of it old.
//!
//! The word is an `f32` and a stamp of 32 bits that counts 65.5 us. What was not learned for more than 39 hours reads as just
//! learned; by then it has long decayed wherever decay matters, and the first answer corrects it.
//!
//! What an answer teaches is here too. A fast error must not look like a fast target: one that failed, or answered 5xx, counts
//! as having taken twice as long as was known of it, from [`FAILED_MIN`] to [`FAILED_MAX`] seconds; so each failure in a row
//! doubles what is known of it, and one that never did anything but fail does not look fast either.

use std::f64::consts::LOG2_E;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Ended;
use crate::outcome::Outcome;
use crate::time::Instant;

/// How old something learned is when 1/e of it counts: 10 s in Kong, finagle and linkerd.
const DECAY_SECONDS: f64 = 10.0;
/// The least seconds that a failure counts as.
const FAILED_MIN: f64 = 0.03;
/// The most.
const FAILED_MAX: f64 = 10.0;
/// Nanoseconds of one tick of a stamp, as a power of two.
const TICK_BITS: u32 = 16;
/// Seconds of one.
const TICK_SECONDS: f64 = (1 << TICK_BITS) as f64 / 1e9;

/// One halving, in the units that they are counted in.
const ONE: i64 = 1 << ONE_BITS;
const ONE_BITS: u32 = 44;
/// Between two halvings so many numbers are known; the lines between them are off by less than a millionth.
const STEPS: usize = 1 << STEPS_BITS;
const STEPS_BITS: u32 = 8;
/// One step of them.
const STEP: i64 = ONE >> STEPS_BITS;
/// Halvings in a tick.
const HALVINGS: i64 = (TICK_SECONDS / DECAY_SECONDS * LOG2_E * ONE as f64) as i64;
static POWERS: [(f64, f64); STEPS] = powers();

/// The first digits of them, as bits of an `f32`.
static POWERS_AT_ONCE: [u32; STEPS] = powers_at_once();
/// Ticks, four and a half minutes, up to which ages are compared at once: forty halvings, which leave an `f32` an `f32`.
const FAR: u32 = 1 << 22;
/// Steps in a tick, in units of 2^-30.
const STEPS_A_TICK: i64 =
    (TICK_SECONDS / DECAY_SECONDS * LOG2_E * (1_u64 << (STEPS_BITS + STEP_BITS)) as f64) as i64;
const STEP_BITS: u32 = 30;
const HALF_A_STEP: i64 = 1 << (STEP_BITS - 1);

/// A number above zero and when it was learned; nothing at first.
#[derive(Debug, Default)]
pub(super) struct Estimate(AtomicU64);

/// What was learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Learned {
    /// The number.
    pub(super) value: f64,
    /// Ticks since.
    age: u32,
}

/// What was learned, to compare it at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    value: f32,
    stamp: u32,
}

impl Estimate {
    /// What is known at `now`; reading changes nothing.
    pub(super) fn at(&self, now: Instant) -> Option<Learned> {
        unpack(self.0.load(Relaxed), now)
    }

    /// What is known, as it stands in the word; nothing before the first.
    #[inline]
    pub(super) fn glance(&self) -> Option<Glance> {
        let word = self.0.load(Relaxed);
        (word != 0).then(|| Glance { value: f32::from_bits((word >> 32) as u32), stamp: word as u32 })
    }

    /// Learns at `now`, by a rule that gets what was known before.
    pub(super) fn learn(&self, now: Instant, rule: impl Fn(Option<Learned>) -> f64) {
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| Some(pack(rule(unpack(word, now)), now)));
    }
}

impl Glance {
    /// So many times as much, of the same age.
    pub(super) fn times(self, factor: f32) -> Self {
        Self { value: self.value * factor, ..self }
    }

    /// Whether less is left of it than of another after both faded, as [`Learned::is_less`], to a seven-hundredth of either: as if
    /// ages were known to 14 ms. Nothing where one is so much older that it has to be asked how old.
    #[inline]
    pub(super) fn is_less(self, other: Self) -> Option<bool> {
        // A stamp more is an age less. From the other end of what is compared at once, so that one look shows both ends.
        let younger = self.stamp.wrapping_sub(other.stamp).wrapping_add(FAR);
        if younger > 2 * FAR {
            return None;
        }
        let steps = ((i64::from(younger) - i64::from(FAR)) * STEPS_A_TICK + HALF_A_STEP) >> STEP_BITS;
        let power = POWERS_AT_ONCE[steps as usize % STEPS].wrapping_sub((steps as u32 >> STEPS_BITS) << 23);
        Some(self.value < other.value * f32::from_bits(power))
    }
}

impl Learned {
    /// Just learned.
    pub(super) const fn new(value: f64) -> Self {
        Self { value, age: 0 }
    }

    /// So many times as much, of the same age.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, ..self }
    }

    /// Seconds since it was learned.
    pub(super) fn age(self) -> f64 {
        f64::from(self.age) * TICK_SECONDS
    }

    /// The share of it that has not faded.
    fn remains(self) -> f64 {
        remains(self.age)
    }

    /// The number faded toward zero, so that who has not been asked for long is asked again.
    pub(super) fn faded(self) -> f64 {
        self.value * self.remains()
    }

    /// Whether less is left of it than of another after both faded: it is asked of both when this one was learned, however
    /// long ago that is, since from then on the same share is left of each.
    #[inline]
    pub(super) fn is_less(self, other: Self) -> bool {
        self.value < other.value * power_of_half((i64::from(other.age) - i64::from(self.age)) * HALVINGS)
    }

    /// The average in time, with one more sample: the longer ago the last one was, the more the new one counts.
    pub(super) fn blended(self, sample: f64) -> f64 {
        let remains = self.remains();
        self.value * remains + sample * (1.0 - remains)
    }

    /// As [`Self::blended`], but what is above what remains replaces it.
    pub(super) fn peaked(self, sample: f64) -> f64 {
        let remains = self.remains();
        let faded = self.value * remains;
        if faded < sample { sample } else { faded + sample * (1.0 - remains) }
    }

    /// The average by number, in which one sample counts `share`.
    pub(super) fn averaged(self, sample: f64, share: f64) -> f64 {
        self.value + share * (sample - self.value)
    }
}

impl Ended {
    /// Seconds that this end shows its target to need, when it was thought to need `usual`. Nothing from a client that went
    /// away before the answer.
    pub(super) fn lesson(&self, usual: impl Fn() -> f64) -> Option<f64> {
        let took = self.response_time.map(|time| time.as_secs_f64());
        if !self.is_bad() {
            return took;
        }
        Some(took.unwrap_or_default().max((2.0 * usual()).clamp(FAILED_MIN, FAILED_MAX)))
    }

    /// Whether the target failed, or said that it did.
    pub(super) fn is_bad(&self) -> bool {
        match self.outcome {
            Outcome::Answered { status } => status >= 500,
            Outcome::Failed { .. } => true,
            Outcome::ClientGone => false,
        }
    }
}

fn stamp(now: Instant) -> u32 {
    (now.as_nanos() >> TICK_BITS) as u32
}

/// Never zero, which stands for nothing.
fn pack(value: f64, now: Instant) -> u64 {
    let value = (value as f32).max(f32::MIN_POSITIVE);
    u64::from(value.to_bits()) << 32 | u64::from(stamp(now))
}

fn unpack(word: u64, now: Instant) -> Option<Learned> {
    let value = f64::from(f32::from_bits((word >> 32) as u32));
    // Negative when a worker's clock reading is older than what another has just learned.
    let ticks = stamp(now).wrapping_sub(word as u32).cast_signed().max(0);
    (word != 0).then_some(Learned { value, age: ticks.cast_unsigned() })
}

/// The share that has not faded of what was learned so many ticks ago: exp(-age / 10 s), to a millionth of itself.
fn remains(age: u32) -> f64 {
    power_of_half(i64::from(age) * HALVINGS)
}

/// 2^-x, where x is in units of 1/[`ONE`]: between two of [`STEPS`] to a halving it is a straight line. From 0 to 2^1023, which
/// stand for all that is less or more.
fn power_of_half(x: i64) -> f64 {
    let (halvings, part) = (x >> ONE_BITS, x & (ONE - 1));
    let ((power, fall), rest) = (POWERS[(part / STEP) as usize], (part % STEP) as f64);
    let scale = f64::from_bits(((1023 - halvings).clamp(0, 2046) as u64) << 52);
    scale * (power - rest * fall)
}

/// 2^0, 2^-1/256, ..., and from each on by how much less it is for each unit of x up to the next.
const fn powers() -> [(f64, f64); STEPS] {
    let mut powers = [(0.0, 0.0); STEPS];
    let mut step = 0;
    while step < STEPS {
        let (power, next) = (power(step), power(step + 1));
        powers[step] = (power, (power - next) / STEP as f64);
        step += 1;
    }
    powers
}

const fn powers_at_once() -> [u32; STEPS] {
    let mut powers = [0; STEPS];
    let mut step = 0;
    while step < STEPS {
        powers[step] = (power(step) as f32).to_bits();
        step += 1;
    }
    powers
}

/// 2^(-step/256), by the series of exp, from its small end; twenty terms of it are exact to the last bit.
const fn power(step: usize) -> f64 {
    let x = -(step as f64) / STEPS as f64 * std::f64::consts::LN_2;
    let (mut sum, mut term) = (1.0, 20);
    while term > 0 {
        sum = 1.0 + x / term as f64 * sum;
        term -= 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::outcome::Failure;

    #[test]
    fn what_is_learned_comes_back_and_ages() {
        let estimate = Estimate::default();
        assert_eq!(estimate.at(Instant::ZERO), None);
        estimate.learn(Instant::from_millis(1000), |known| known.map_or(0.25, |_| unreachable!()));
        let known = estimate.at(Instant::from_millis(11_000)).unwrap();
        assert!((known.value - 0.25).abs() < 1e-9 && (known.age() - 10.0).abs() < 1e-4, "{known:?}");
        assert!((known.faded() - 0.25 * (-1.0_f64).exp()).abs() < 1e-5);
        // An older reading of the clock is no age.
        assert!(estimate.at(Instant::from_millis(900)).unwrap().age == 0);
        estimate.learn(Instant::ZERO, |_| 0.0);
        assert!(estimate.at(Instant::ZERO).is_some(), "zero is something learned");
    }

    #[test]
    fn halves_are_powers_of_two_and_fade_with_every_tick() {
        for x in (0..60 * ONE).step_by(ONE as usize / 7919) {
            let (seen, exact) = (power_of_half(x), (-(x as f64) / ONE as f64).exp2());
            assert!((seen / exact - 1.0).abs() < 1e-6, "{x}: {seen} for {exact}");
            assert!(power_of_half(x + STEP / 1000) < seen, "{x}");
        }
        assert!(power_of_half(2000 * ONE) < f64::MIN_POSITIVE);
    }

    proptest! {
        #[test]
        fn what_has_faded_more_is_less(
            values in prop::array::uniform2(0.001..1.0_f64), ages in prop::array::uniform2(0..500_000_u32), same in any::<bool>(),
        ) {
            let one = Learned { value: values[0], age: ages[0] };
            let other = if same { one } else { Learned { value: values[1], age: ages[1] } };
            // Far enough apart for the line between two powers, or no age apart.
            let (mine, others) = (one.faded(), other.faded());
            if same || (mine / others - 1.0).abs() > 1e-5 {
                prop_assert_eq!(one.is_less(other), mine < others);
                prop_assert_eq!(other.is_less(one), others < mine);
            }
        }
    }

    proptest! {
        #[test]
        fn a_glance_sees_which_is_less_to_a_seven_hundredth(
            values in prop::array::uniform2(0.001..1.0_f64), learned in prop::array::uniform2(0..600_000_u64), same in any::<bool>(),
        ) {
            let now = Instant::from_millis(600_000);
            let learn = |i: usize| {
                let estimate = Estimate::default();
                estimate.learn(Instant::from_millis(learned[i]), |_| values[i]);
                (estimate.glance().unwrap(), estimate.at(now).unwrap())
            };
            let (one, other) = (learn(0), learn(usize::from(!same)));
            let apart = (one.1.faded() / other.1.faded() - 1.0).abs();
            match one.0.is_less(other.0) {
                // Of one and the same none is less, at whatever age.
                Some(is_less) if same || apart > 0.0014 => prop_assert_eq!(is_less, one.1.is_less(other.1)),
                Some(_) => {}
                None => prop_assert!(learned[0].abs_diff(learned[1]) > 274_000),
            }
        }
    }

    #[test]
    fn however_far_apart_two_were_learned_less_is_left_of_the_older() {
        let (old, new) = (Learned { value: 1e30, age: u32::MAX }, Learned { value: 1e-30, age: 0 });
        assert!(old.is_less(new) && !new.is_less(old));
    }

    #[test]
    fn a_failure_is_a_slow_answer_and_a_client_that_left_none() {
        let ended = |outcome, millis: Option<u64>| Ended {
            outcome,
            response_time: millis.map(Duration::from_millis),
            now: Instant::ZERO,
        };
        let failed = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
        assert_eq!(ended(Outcome::Answered { status: 404 }, Some(5)).lesson(|| 0.03), Some(0.005));
        assert_eq!(ended(Outcome::Answered { status: 503 }, Some(5)).lesson(|| 0.03), Some(0.06));
        assert_eq!(ended(Outcome::Answered { status: 503 }, Some(500)).lesson(|| 0.03), Some(0.5));
        assert_eq!(ended(failed, None).lesson(|| 0.03), Some(0.06));
        assert_eq!(ended(failed, None).lesson(|| 70.0), Some(10.0));
        assert_eq!(ended(failed, None).lesson(|| 0.0), Some(0.03), "nothing but failures is not fast");
        assert_eq!(ended(Outcome::ClientGone, None).lesson(|| 0.03), None);
    }

    #[test]
    fn two_threads_lose_no_lesson() {
        let estimate = Estimate::default();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        estimate.learn(Instant::ZERO, |known| known.map_or(1.0, |known| known.value + 1.0));
                    }
                });
            }
        });
        assert!((estimate.at(Instant::ZERO).unwrap().value - 20_000.0).abs() < 1e-9);
    }
}
