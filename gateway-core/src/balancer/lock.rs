//! A lock for what takes some ten nanoseconds: a spin lock, whose holder lets go by a store. One that can put others to sleep
//! has to find out at the end whether somebody sleeps: a second atomic exchange, as dear as the one that took it. Who has to
//! wait looks again a few times and then lets other threads run, so one that was interrupted with the lock in its hands is not
//! kept from going on.
//!
//! Not for what allocates, computes ahead or may wait: nobody may hold it for longer than it takes to fall asleep.

use crossbeam_utils::{Backoff, CachePadded};
use spin::mutex::{SpinMutex, SpinMutexGuard};

/// Something behind a lock, in cache lines of its own together with it: who takes the lock has both.
#[derive(Debug, Default)]
pub(super) struct Lock<T>(CachePadded<SpinMutex<T>>);

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self(CachePadded::new(SpinMutex::new(value)))
    }

    /// Waits until nobody else has it.
    pub(super) fn lock(&self) -> SpinMutexGuard<'_, T> {
        let backoff = Backoff::new();
        loop {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
            // Looked at without being written to, so that it stays with who holds it.
            while self.0.is_locked() {
                backoff.snooze();
            }
        }
    }
}
