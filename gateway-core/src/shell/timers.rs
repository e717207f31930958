//! What the gateway does by itself, carried out: sleeps until its next moment, lets happen what is due, sends the probes it
//! asks for and tells the hooks what has changed. One task, beside the Admin API.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::clock::Clock;
use super::probes;
use super::settings::{Hooks, Settings};
use crate::gateway::Gateway;

/// What the task works on.
pub(super) struct Timers {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Clock,
    pub(super) hooks: Hooks,
    pub(super) settings: Arc<Settings>,
    /// Something has changed, so something may be due that was not before: told by whoever applies a change, by a worker on
    /// which a target turned, and at the end of a probe.
    pub(super) changed: Arc<Notify>,
}

impl Timers {
    /// Runs until it is dropped.
    pub(super) async fn run(self: Rc<Self>) {
        loop {
            let now = self.clock.now();
            self.gateway.handle_timeout(now);
            while let Some(probe) = self.gateway.poll_probe(now) {
                tokio::task::spawn_local(probes::send(Rc::clone(&self), probe));
            }
            while let Some(applied) = self.gateway.news() {
                (self.hooks.on_applied)(&applied);
            }
            let Some(next) = self.gateway.next_timeout() else {
                self.changed.notified().await;
                continue;
            };
            let sleep = next.since(self.clock.now());
            // Whichever ends the sleep, everything is looked at again.
            let _ = tokio::time::timeout(sleep, self.changed.notified()).await;
        }
    }
}
