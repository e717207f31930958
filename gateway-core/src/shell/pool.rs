//! A worker's kept-alive connections to targets: last in, first out, so that the warm ones are used and the others grow old
//! and go. Bounded for each target. No lock: each worker has its own.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::connection::Connection;
use super::settings::PoolSettings;
use super::watch::{Watches, ticks};
use crate::id::TargetId;

/// The idle connections of one worker.
#[derive(Debug)]
pub(super) struct Pool {
    idle: RefCell<FxHashMap<TargetId, Vec<Connection>>>,
    settings: PoolSettings,
    watches: Rc<Watches>,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(settings: PoolSettings, watches: &Rc<Watches>) -> Self {
        Self { idle: RefCell::default(), settings, watches: Rc::clone(watches) }
    }

    /// The connection that was used last, if its target has not closed it since.
    pub(super) fn take(&self, target: TargetId) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&target)?;
        std::iter::from_fn(|| connections.pop()).find(Connection::is_quiet)
    }

    /// Takes a connection back. The oldest one goes when there are too many.
    pub(super) fn put(&self, target: TargetId, mut connection: Connection) {
        if self.settings.idle_max == 0 {
            return;
        }
        connection.reset();
        connection.idle_since = self.watches.now();
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(target).or_default();
        if connections.len() >= self.settings.idle_max {
            connections.remove(0);
        }
        connections.push(connection);
    }

    /// Closes those that have been idle too long.
    pub(super) fn tick(&self) {
        let oldest = self.watches.now().saturating_sub(ticks(self.settings.idle_timeout));
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|connection| connection.idle_since >= oldest);
            !connections.is_empty()
        });
    }

    /// Closes all.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}
