//! A target's station in real time: requests wait here until they have had their service. Who is served and how long is the
//! station's to say.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, oneshot};

use crate::engine::live::alarm::Alarm;
use crate::mock::{Full, Places, Station};

/// A station and those who wait for it.
pub(super) struct Counter {
    station: RefCell<Station>,
    /// Who is told of each departure, by the number of the job.
    waiting: RefCell<FxHashMap<u64, oneshot::Sender<()>>>,
    next_job: Cell<u64>,
    /// The next departure is another one than before.
    changed: Notify,
    clock: Clock,
    alarm: Rc<Alarm>,
}

impl Counter {
    /// An empty station.
    pub(super) fn new(places: Places, clock: &Clock, alarm: &Rc<Alarm>) -> Self {
        Self {
            station: RefCell::new(Station::new(places)),
            waiting: RefCell::default(),
            next_job: Cell::new(0),
            changed: Notify::new(),
            clock: clock.clone(),
            alarm: Rc::clone(alarm),
        }
    }

    /// Waits until one who arrives now has had the service it demands. Who goes away meanwhile is served all the same.
    pub(super) async fn serve(&self, demand: Duration) -> Result<(), Full> {
        let now = self.clock.now();
        self.depart(now);
        let job = self.next_job.replace(self.next_job.get() + 1);
        let (done, served) = oneshot::channel();
        {
            let mut station = self.station.borrow_mut();
            let before = station.next_departure();
            station.arrive(now, job, demand)?;
            if station.next_departure() != before {
                self.changed.notify_one();
            }
        }
        self.waiting.borrow_mut().insert(job, done);
        // The sender lives as long as the counter.
        let _ = served.await;
        Ok(())
    }

    /// Tells everyone who has had it; never ends.
    pub(super) async fn run(&self) {
        loop {
            let next = self.station.borrow().next_departure().unwrap_or(Instant::MAX);
            tokio::select! {
                () = self.alarm.wait_until(next) => self.depart(self.clock.now()),
                () = self.changed.notified() => {}
            }
        }
    }

    fn depart(&self, now: Instant) {
        let (mut station, mut waiting) = (self.station.borrow_mut(), self.waiting.borrow_mut());
        while let Some(departure) = station.depart(now) {
            if let Some(done) = waiting.remove(&departure.job) {
                // Who has gone away hears nothing.
                let _ = done.send(());
            }
        }
    }
}
