//! Waiting until a moment, much finer than the millisecond of tokio's timer wheel: one timer of the system for all who wait
//! on a thread, set to the earliest of their moments.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// The alarm of one thread.
pub(super) struct Alarm {
    clock: Clock,
    timer: AsyncFd<OwnedFd>,
    waits: RefCell<BinaryHeap<Reverse<Wait>>>,
    /// What the timer is set to.
    set_to: Cell<Instant>,
    next_number: Cell<u64>,
}

struct Wait {
    until: Instant,
    /// Between equals, first come first served.
    number: u64,
    waker: Waker,
}

impl Alarm {
    /// An alarm for the thread that calls this, inside its runtime. It rings as long as [`Alarm::run`] is polled.
    #[expect(
        deprecated,
        reason = "the successor is unsafe; an OwnedFd, never lent out, is the sound case of this one"
    )]
    pub(super) fn new(clock: &Clock) -> io::Result<Rc<Self>> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Rc::new(Self {
            clock: clock.clone(),
            timer: AsyncFd::new(timer)?,
            waits: RefCell::default(),
            set_to: Cell::new(Instant::MAX),
            next_number: Cell::new(0),
        }))
    }

    /// Wakes everyone in time; never ends.
    pub(super) async fn run(&self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            // Whether it rang or was set anew in between, what is due now is due.
            ready.clear_ready();
            let _ = rustix::io::read(&self.timer, &mut [0_u8; 8]);
            self.set_to.set(Instant::MAX);
            self.wake_due();
            self.set()?;
        }
    }

    /// Waits until `until`, not less.
    pub(super) async fn wait_until(&self, until: Instant) {
        let mut waiting: Option<Waker> = None;
        poll_fn(|cx| {
            if self.clock.now() >= until {
                return Poll::Ready(());
            }
            // Who is asked again before waits already.
            if waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            waiting = Some(cx.waker().clone());
            let number = self.next_number.replace(self.next_number.get() + 1);
            self.waits.borrow_mut().push(Reverse(Wait { until, number, waker: cx.waker().clone() }));
            // A timer that cannot be set would have failed in `run` too; there it ends the thread.
            let _ = self.set();
            Poll::Pending
        })
        .await;
    }

    fn wake_due(&self) {
        let now = self.clock.now();
        let mut waits = self.waits.borrow_mut();
        while waits.peek().is_some_and(|Reverse(wait)| wait.until <= now) {
            if let Some(Reverse(wait)) = waits.pop() {
                wait.waker.wake();
            }
        }
    }

    /// Sets the timer to the earliest moment, unless it is.
    fn set(&self) -> io::Result<()> {
        let Some(earliest) = self.waits.borrow().peek().map(|Reverse(wait)| wait.until) else {
            return Ok(());
        };
        if earliest >= self.set_to.get() {
            return Ok(());
        }
        self.set_to.set(earliest);
        // A timer set to zero would never ring.
        let left = earliest.since(self.clock.now()).max(Duration::from_nanos(1));
        let value = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

impl PartialEq for Wait {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Wait {}

impl PartialOrd for Wait {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wait {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.until, self.number).cmp(&(other.until, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end_in_the_order_of_their_moments_and_never_early() {
        // Aim: order and not-before. Method: real time, but only order is asserted.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let order = tokio::task::LocalSet::new().block_on(&runtime, async {
            let clock = Clock::started();
            let alarm = Alarm::new(&clock).unwrap();
            let order = Rc::new(RefCell::new(Vec::new()));
            let ringing = Rc::clone(&alarm);
            tokio::task::spawn_local(async move { ringing.run().await });
            let waits: Vec<_> = [30_u64, 10, 20, 10, 0]
                .into_iter()
                .map(|ms| {
                    let (alarm, order, clock) = (Rc::clone(&alarm), Rc::clone(&order), clock.clone());
                    tokio::task::spawn_local(async move {
                        let until = Instant::from_millis(ms);
                        alarm.wait_until(until).await;
                        assert!(clock.now() >= until);
                        order.borrow_mut().push(ms);
                    })
                })
                .collect();
            for wait in waits {
                wait.await.unwrap();
            }
            order.take()
        });
        assert_eq!(order, [0, 10, 10, 20, 30]);
    }
}
