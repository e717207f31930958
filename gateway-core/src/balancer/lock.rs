//! A lock for what takes some ten nanoseconds: a spin lock, whose holder lets go by a store. One that can put others to sleep
//! has to find out at the end whether somebody sleeps: a second atomic exchange, as dear as the one that took it.
//!
//! Whoever looks at a lock takes its line away from who holds it, and what it guards goes after it. So who has to wait lets some
//! time pass first: meanwhile the holder takes several turns with everything at hand, and both are faster for it. The time grows
//! with each look in vain, up to [`HINTS_MAX`]; from then on other threads are let run as well, so that one that was interrupted with
//! the lock in its hands is not kept from going on.
//!
//! It is not fair: there is a bound to the time between two looks, none to how many are in vain. Each is as likely to find the lock
//! free as it is free at any time, so that waits are long only beside a thread that does nothing but take it. Of two such threads,
//! with hints of 25 ns, one pick in a hundred took longer than 0.1 to 1.7 us, one in a thousand longer than 0.4 to 10.
//!
//! Not for what allocates, computes ahead or may wait: nobody may hold it for longer than it takes to fall asleep.

use std::hint::spin_loop;
use std::thread::yield_now;

use crossbeam_utils::CachePadded;
use spin::mutex::{SpinMutex, SpinMutexGuard};

/// Hints to the processor, of some ten nanoseconds each, that pass before the second look.
const HINTS_MIN: u32 = 8;
/// So many times as many before each next one.
const GROWTH: u32 = 4;
/// The most between two looks.
const HINTS_MAX: u32 = 128;

/// Something behind a lock, in cache lines of its own together with it: who takes the lock has both.
#[derive(Debug, Default)]
pub(super) struct Lock<T>(CachePadded<SpinMutex<T>>);

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self(CachePadded::new(SpinMutex::new(value)))
    }

    /// Waits until nobody else has it. Between two looks pass [`HINTS_MAX`] hints and a turn of the scheduler at most.
    #[inline]
    pub(super) fn lock(&self) -> SpinMutexGuard<'_, T> {
        let mut hints = HINTS_MIN;
        loop {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
            hints = wait(hints);
        }
    }
}

/// Lets so many hints pass. How many next time.
#[cold]
#[inline(never)]
fn wait(hints: u32) -> u32 {
    (0..hints).for_each(|_| spin_loop());
    if hints == HINTS_MAX {
        yield_now();
    }
    HINTS_MAX.min(hints * GROWTH)
}
