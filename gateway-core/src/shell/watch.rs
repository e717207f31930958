//! Timeouts without a timer for each request: who waits says until which tick, and one coarse tick for each worker looks at
//! everyone who waits. Costs a request two stores.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

/// How often a worker looks: timeouts are late by up to two of these, never early.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Nobody is waiting.
const NEVER: u64 = u64::MAX;

/// The ticks of one worker and everyone who may wait.
#[derive(Debug, Default)]
pub(super) struct Watches {
    tick: Cell<u64>,
    all: RefCell<Vec<Weak<Watch>>>,
}

/// One who may wait, for as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    until: Cell<u64>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Watches {
    /// The number of ticks so far.
    pub(super) fn now(&self) -> u64 {
        self.tick.get()
    }

    /// A new one who may wait.
    pub(super) fn add(&self) -> Rc<Watch> {
        let watch =
            Rc::new(Watch { until: Cell::new(NEVER), expired: Cell::new(false), waker: RefCell::new(None) });
        self.all.borrow_mut().push(Rc::downgrade(&watch));
        watch
    }

    /// One tick: wakes everyone whose time is over, forgets those that are gone.
    pub(super) fn tick(&self) {
        let now = self.tick.get() + 1;
        self.tick.set(now);
        self.all.borrow_mut().retain(|watch| {
            watch.upgrade().is_some_and(|watch| {
                watch.look(now);
                true
            })
        });
    }
}

impl Watch {
    /// From now on the wait may last `timeout`.
    pub(super) fn arm(&self, watches: &Watches, timeout: Duration) {
        self.until.set(watches.now().saturating_add(ticks(timeout)));
        self.expired.set(false);
    }

    /// The same, unless a wait is under way already.
    pub(super) fn arm_once(&self, watches: &Watches, timeout: Duration) {
        if self.until.get() == NEVER {
            self.arm(watches, timeout);
        }
    }

    /// Nobody waits any more.
    pub(super) fn disarm(&self) {
        self.until.set(NEVER);
        self.expired.set(false);
    }

    /// Whether the time is over; if not, the task of `cx` will be woken when it is.
    pub(super) fn poll_expired(&self, cx: &Context<'_>) -> bool {
        if self.expired.get() {
            return true;
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        false
    }

    fn look(&self, now: u64) {
        if now > self.until.get()
            && !self.expired.replace(true)
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

/// Whole ticks, rounded up, at least one.
pub(super) fn ticks(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(NEVER / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_after_its_time_and_never_before() {
        let watches = Watches::default();
        let watch = watches.add();
        let cx = Context::from_waker(Waker::noop());
        watch.arm(&watches, Duration::from_millis(250));
        for _ in 0..3 {
            watches.tick();
            assert!(!watch.poll_expired(&cx));
        }
        watches.tick();
        assert!(watch.poll_expired(&cx));
        watch.arm_once(&watches, Duration::from_secs(1));
        assert!(watch.poll_expired(&cx), "a wait that is under way is not begun anew");
        watch.arm(&watches, Duration::from_secs(1));
        assert!(!watch.poll_expired(&cx), "a new wait is not over because the last one was");
        watch.disarm();
        watches.tick();
        assert!(!watch.poll_expired(&cx));
        drop(watch);
        watches.tick();
        assert!(watches.all.borrow().is_empty());
    }
}
