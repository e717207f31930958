//! What ends of attempts have shown, between the request that saw it and whoever makes the next tables. Whoever finds something
//! leaves a mark, which costs nothing that grows with the number of targets and waits for nobody; whoever takes the marks
//! off acts on how things stand by then. So no mark is lost, several are handled together, and their order is nobody's concern.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::time::Instant;

/// What was found of one target.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// It came into rotation or went out of it.
    has_turned: AtomicBool,
    /// It has failed so often in a row that it is to be ejected.
    stands_out: AtomicBool,
}

impl Found {
    pub(super) fn turned(&self) {
        self.has_turned.store(true, Ordering::Release);
    }

    pub(super) fn standing_out(&self) {
        self.stands_out.store(true, Ordering::Release);
    }

    /// Whether it has turned since this was asked last; how, its record says now.
    pub(super) fn take_turned(&self) -> bool {
        take(&self.has_turned)
    }

    /// Whether it is to be ejected, which was not asked before.
    pub(super) fn take_standing_out(&self) -> bool {
        take(&self.stands_out)
    }
}

/// Looks before it writes: most targets have no mark.
fn take(mark: &AtomicBool) -> bool {
    mark.load(Ordering::Relaxed) && mark.swap(false, Ordering::Acquire)
}

/// Since when some target has had a mark.
#[derive(Debug)]
pub(super) struct FoundSince(AtomicU64);

impl Default for FoundSince {
    fn default() -> Self {
        Self(AtomicU64::new(NOTHING))
    }
}

/// No target has one.
const NOTHING: u64 = u64::MAX;

impl FoundSince {
    /// A target has got a mark. To be called after that, so that whoever takes this sees the mark.
    pub(super) fn tell(&self, now: Instant) {
        self.0.fetch_min(now.as_nanos(), Ordering::Release);
    }

    /// The first moment of those told since this was taken last.
    pub(super) fn get(&self) -> Option<Instant> {
        moment(self.0.load(Ordering::Relaxed))
    }

    /// Whether anything was told. To be called before marks are taken off.
    pub(super) fn take(&self) -> bool {
        self.get().is_some() && moment(self.0.swap(NOTHING, Ordering::Acquire)).is_some()
    }
}

fn moment(nanos: u64) -> Option<Instant> {
    (nanos != NOTHING).then(|| Instant::from_nanos(nanos))
}
